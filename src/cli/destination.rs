//! Where a command writes: a file, opened in place so that devices and pipes work, or standard output.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;

use super::Failure;

/// Opens and empties `path`, or creates it; `-` is standard output.
pub fn open(path: &Path) -> Result<BufWriter<Box<dyn Write>>, Failure> {
    let raw: Box<dyn Write> = if path.as_os_str() == "-" {
        Box::new(io::stdout().lock())
    } else {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path);
        Box::new(file.with_context(|| format!("cannot write {}", path.display())).map_err(Failure::io)?)
    };
    Ok(BufWriter::with_capacity(1 << 18, raw))
}
