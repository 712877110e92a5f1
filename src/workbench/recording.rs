//! Recorded streams: JSON lines from files or standard input, plain or compressed, one after the other as one stream.
//!
//! Lines are handed out as they stand; decoding them is `event`'s work.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;

/// Longest line kept whole. The cap of a record is far below it, so what is cut here is refused there.
const LINE_BYTES_MAX: u64 = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const UTF8_BOM: &[u8] = &[0xef, 0xbb, 0xbf];

/// A stream could not be opened or read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct RecordingError {
    path: PathBuf,
    source: io::Error,
}

/// One record of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Position in the whole stream, from 0, as a Kafka offset would be. Blank lines are no records.
    pub offset: i64,
    /// Without the line's end. A line above 16 MiB is cut there.
    pub bytes: &'a [u8],
    /// The file it stands in; `-` is standard input.
    pub path: &'a Path,
    /// Line in that file, from 1.
    pub number: u64,
}

/// Files of JSON lines, read as one stream in the order given.
pub struct Recording {
    sources: std::vec::IntoIter<Source>,
    current: Option<Reader>,
    progress: ProgressBar,
    bytes_total: Option<u64>,
    line: Vec<u8>,
    next_offset: i64,
}

struct Source {
    path: PathBuf,
    raw: Box<dyn Read + Send>,
}

struct Reader {
    path: PathBuf,
    lines: BufReader<Box<dyn Read + Send>>,
    number: u64,
}

impl Recording {
    /// Opens every file at once, so that a misspelt last name is not noticed after an hour; `-` is standard input.
    ///
    /// # Errors
    /// The first file that cannot be opened.
    pub fn open(paths: &[PathBuf]) -> Result<Self, RecordingError> {
        let mut sources = Vec::with_capacity(paths.len());
        let mut bytes_total = Some(0);
        for path in paths {
            let failed = |source| RecordingError { path: path.clone(), source };
            let raw: Box<dyn Read + Send> = if path.as_os_str() == "-" {
                bytes_total = None;
                Box::new(io::stdin())
            } else {
                let file = File::open(path).map_err(failed)?;
                let about = file.metadata().map_err(failed)?;
                if about.is_dir() {
                    return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "is a directory, not a stream")));
                }
                bytes_total = bytes_total.filter(|_| about.is_file()).map(|total| total + about.len());
                Box::new(file)
            };
            sources.push(Source { path: path.clone(), raw });
        }
        Ok(Self {
            sources: sources.into_iter(),
            current: None,
            progress: ProgressBar::hidden(),
            bytes_total,
            line: Vec::new(),
            next_offset: 0,
        })
    }

    /// Bytes on disk, compressed where the files are; `None` when standard input or a pipe is among them.
    #[must_use]
    pub fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// Moves `progress` on by the bytes read from disk from now on.
    pub fn report_to(&mut self, progress: ProgressBar) {
        self.progress = progress;
    }

    /// The next record, or `None` at the end of the last file.
    ///
    /// # Errors
    /// Reading or decompressing failed; the file is named.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, RecordingError> {
        self.advance()?;
        let Some(reader) = &self.current else { return Ok(None) };
        let offset = self.next_offset;
        self.next_offset += 1;
        Ok(Some(Line { offset, bytes: &self.line, path: &reader.path, number: reader.number }))
    }

    /// Fills `line` with the next record; `current` is the file it came from, or nothing at the end.
    fn advance(&mut self) -> Result<(), RecordingError> {
        loop {
            let mut reader = match self.current.take() {
                Some(reader) => reader,
                None => match self.sources.next() {
                    Some(source) => Reader::new(source, &self.progress)?,
                    None => return Ok(()),
                },
            };
            if reader.read_line(&mut self.line)? {
                self.current = Some(reader);
                if !self.line.trim_ascii().is_empty() {
                    return Ok(());
                }
            }
        }
    }
}

/// The whole content of one file, decompressed; `-` is standard input.
///
/// # Errors
/// Opening, reading or decompressing failed; the file is named.
pub fn read_whole(path: &Path) -> Result<Vec<u8>, RecordingError> {
    let mut sources = Recording::open(&[path.to_owned()])?.sources;
    let mut content = Vec::new();
    if let Some(source) = sources.next() {
        let mut reader = Reader::new(source, &ProgressBar::hidden())?;
        reader.lines.read_to_end(&mut content).map_err(|source| RecordingError { path: path.to_owned(), source })?;
    }
    Ok(content)
}

impl Reader {
    /// Looks at the first bytes, which say more than a file's name.
    fn new(Source { path, raw }: Source, progress: &ProgressBar) -> Result<Self, RecordingError> {
        let mut raw = progress.wrap_read(raw);
        let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
        let failed = |source| RecordingError { path: path.clone(), source };
        raw.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head).map_err(failed)?;
        let gzip = head.starts_with(GZIP_MAGIC);
        let zstd = head.starts_with(ZSTD_MAGIC);
        let whole = Cursor::new(head).chain(raw);
        let plain: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole)))
        } else if zstd {
            Box::new(zstd::Decoder::new(whole).map_err(failed)?)
        } else {
            Box::new(whole)
        };
        Ok(Self { lines: BufReader::with_capacity(BUFFER_BYTES, plain), path, number: 0 })
    }

    /// Fills `line` with the next line without its end; false at the end of the file.
    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<bool, RecordingError> {
        line.clear();
        let read = self.lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line).and_then(|count| {
            if count as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
                self.lines.skip_until(b'\n')?;
            }
            Ok(count)
        });
        let count = read.map_err(|source| RecordingError { path: self.path.clone(), source })?;
        if count == 0 {
            return Ok(false);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if self.number == 0 && line.starts_with(UTF8_BOM) {
            line.drain(..UTF8_BOM.len());
        }
        self.number += 1;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Writes each of `files` to disk and reads them as one stream, as `offset:number:text`.
    #[track_caller]
    fn check(files: &[&[u8]], expected: &[&str]) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut paths = Vec::new();
        for (index, content) in files.iter().enumerate() {
            // A name that promises another compression: only the bytes count.
            let path = folder.path().join(format!("{index}.gz"));
            std::fs::write(&path, content).expect("written");
            paths.push(path);
        }
        let mut recording = Recording::open(&paths).expect("opened");
        let mut seen = Vec::new();
        while let Some(line) = recording.next_line().expect("read") {
            seen.push(format!("{}:{}:{}", line.offset, line.number, String::from_utf8_lossy(line.bytes)));
        }
        assert_eq!(seen, expected);
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn plain_lines_with_any_line_end() {
        check(&[b"one\ntwo\r\nthree"], &["0:1:one", "1:2:two", "2:3:three"]);
    }

    #[test]
    fn several_files_are_one_stream() {
        check(&[b"one\n", b"", b"two\n"], &["0:1:one", "1:1:two"]);
    }

    #[test]
    fn blank_lines_are_no_records() {
        check(&[b"\none\n \t\ntwo\n\n"], &["0:2:one", "1:4:two"]);
    }

    #[test]
    fn compression_is_known_by_the_first_bytes() {
        let mut two_members = gzip(b"one\ntw");
        two_members.extend(gzip(b"o\n"));
        let zstd = zstd::encode_all(&b"three\n"[..], 1).expect("memory");
        check(&[&two_members, &zstd, b"four"], &["0:1:one", "1:2:two", "2:1:three", "3:1:four"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_content() {
        check(&[b"\xef\xbb\xbfone\n"], &["0:1:one"]);
    }

    #[test]
    fn a_line_above_the_cap_is_cut_and_the_next_one_whole() {
        let mut long = vec![b'x'; usize::try_from(LINE_BYTES_MAX).expect("16 MiB") + 10];
        long.extend(b"\nnext\n");
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), long).expect("written");
        let mut recording = Recording::open(&[file.path().to_owned()]).expect("opened");
        let cut = recording.next_line().expect("read").expect("a line").bytes.len();
        assert_eq!(cut as u64, LINE_BYTES_MAX);
        assert_eq!(recording.next_line().expect("read").expect("a line").bytes, b"next");
    }

    #[test]
    fn a_broken_file_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let whole = gzip(b"one\n");
        std::fs::write(file.path(), &whole[..whole.len() - 6]).expect("written");
        let mut recording = Recording::open(&[file.path().to_owned()]).expect("opened");
        let mut outcome = recording.next_line().map(|line| line.is_some());
        if outcome.is_ok() {
            outcome = recording.next_line().map(|line| line.is_some());
        }
        let error = outcome.expect_err("the checksum is missing").to_string();
        assert!(error.starts_with(&file.path().display().to_string()), "{error}");
        assert!(Recording::open(&[PathBuf::from("/nonexistent.jsonl")]).is_err());
    }
}
