//! A fleet written to a file and read back: how long, how large, and whether the later scores are equal to the bit.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant;

use gaitkeeper::engine::part::Part;

use crate::score::Watched;
use crate::world::Turns;

const SLICE: usize = 8_192;

#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub agents: usize,
    pub bytes: u64,
    pub write_s: f64,
    pub restore_s: f64,
}

/// Lets `agents` act `events_each` times, writes what the engine remembers, reads it back, and lets both engines go on.
///
/// # Panics
/// If one later score of the engine that was read back differs in one bit.
pub fn measure(agents: usize, events_each: usize, folder: &Path) -> Cost {
    let mut watched = Watched::new(agents);
    let mut left = agents * events_each;
    while left > 0 {
        let count = left.min(SLICE);
        watched.work(count, Turns::Equal);
        left -= count;
    }
    let path = folder.join("snapshot.bin");
    let begin = Instant::now();
    write(&path, watched.parts()).expect("the target folder is writable");
    let write_s = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let mut resumed = watched.resumed(read(&path).expect("the file just written"));
    let restore_s = begin.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(&path).map_or(0, |about| about.len());
    std::fs::remove_file(&path).expect("the file just written");
    for turns in [Turns::Equal, Turns::Zipf] {
        watched.work(SLICE, turns);
        resumed.work(SLICE, turns);
        assert_eq!(watched.digest, resumed.digest, "an engine that was read back says something else");
    }
    Cost { agents, bytes, write_s, restore_s }
}

fn write(path: &Path, parts: impl Iterator<Item = Part>) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for part in parts {
        let name = postcard::to_stdvec(&part.name).expect("a name");
        for bytes in [&name, &part.bytes] {
            out.write_all(&(bytes.len() as u64).to_le_bytes())?;
            out.write_all(bytes)?;
        }
    }
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

fn read(path: &Path) -> std::io::Result<impl Iterator<Item = Part>> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut next = move || {
        let mut len = [0; 8];
        file.read_exact(&mut len).ok()?;
        let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(len)).ok()?];
        file.read_exact(&mut bytes).ok()?;
        Some(bytes)
    };
    Ok(std::iter::from_fn(move || {
        let name = postcard::from_bytes(&next()?).expect("a name");
        Some(Part { name, bytes: next()? })
    }))
}
