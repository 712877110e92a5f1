//! `--control` files: what would come over the other topics, as JSON lines, and inventory records as YAML. Together they are one
//! stream in the order of time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::recording::{self, RecordingError};
use super::replay::Rejected;
use crate::config::ConfigError;
use crate::govern::{ControlRecord, inventory, record};

/// A control file that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ControlFileError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] RecordingError),
    /// It is no JSON lines and its records are not as they should be, or contradict each other.
    #[error(transparent)]
    Inventory(#[from] ConfigError),
    /// Neither JSON lines nor YAML.
    #[error("{}: is no UTF-8 text: {source}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        source: std::str::Utf8Error,
    },
}

/// Records in the order of time, those of one time in the order of the files.
#[derive(Debug, Clone, Default)]
pub struct ControlFiles {
    /// What can be used.
    pub records: Vec<ControlRecord>,
    /// Lines that cannot, under the reason `control`.
    pub rejected: BTreeMap<&'static str, Rejected>,
}

impl ControlFiles {
    /// Reads every file. A line that is not as it should be is counted and left out, as a record of a topic would be; YAML, which
    /// a person wrote, is refused whole. Its records hold from the beginning.
    ///
    /// # Errors
    /// The first file that cannot be read, with everything that is wrong in it.
    pub fn read(paths: &[PathBuf]) -> Result<Self, ControlFileError> {
        let mut all = Self::default();
        let mut declared = Vec::new();
        for path in paths {
            let content = recording::read_whole(path)?;
            if is_lines(&content) {
                all.read_lines(path, &content);
                continue;
            }
            let text = std::str::from_utf8(&content).map_err(|source| ControlFileError::Text { path: path.clone(), source })?;
            let refused = |problems| ConfigError { file: path.display().to_string(), problems };
            let records = record::parse(text).map_err(refused)?;
            let problems = inventory::between(&records);
            if !problems.is_empty() {
                return Err(refused(problems).into());
            }
            declared.extend(records.into_iter().map(|placed| ControlRecord::declared(placed.record)));
        }
        declared.append(&mut all.records);
        all.records = declared;
        all.records.sort_by_key(|record| record.ts);
        Ok(all)
    }

    fn read_lines(&mut self, path: &Path, content: &[u8]) {
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match ControlRecord::from_line(line) {
                Ok(record) => self.records.push(record),
                Err(error) => {
                    self.records.extend(ControlRecord::malformed_answer_line(line, &error));
                    let first = || Rejected { count: 0, first: format!("{}:{}: {error}", path.display(), index + 1) };
                    self.rejected.entry("control").or_insert_with(first).count += 1;
                }
            }
        }
    }
}

/// Whether the text is JSON lines of control records: its first line is an object that names a topic.
fn is_lines(content: &[u8]) -> bool {
    let first = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).unwrap_or_default();
    first.starts_with(b"{") && first.windows(7).any(|part| part == b"\"topic\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads files of these texts; says what came, as `ts:key`, and how many lines were left out.
    #[track_caller]
    fn check(texts: &[&str], expected: &[&str], rejected: u64) {
        let read = read(texts).unwrap_or_else(|error| panic!("{error}"));
        let seen: Vec<String> = read.records.iter().map(|record| format!("{}:{}", record.ts.max(0), record.key)).collect();
        assert_eq!(seen, expected);
        assert_eq!(read.rejected.get("control").map_or(0, |rejected| rejected.count), rejected);
    }

    fn read(texts: &[&str]) -> Result<ControlFiles, ControlFileError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |(index, text): (usize, &&str)| {
            let path = folder.path().join(index.to_string());
            std::fs::write(&path, text).expect("written");
            path
        };
        ControlFiles::read(&texts.iter().enumerate().map(file).collect::<Vec<_>>())
    }

    fn line(ts: i64, agent: &str) -> String {
        format!(r#"{{"topic":"agent-inventory","ts":{ts},"key":"{agent}","value":{{"agent":"{agent}"}}}}"#)
    }

    #[test]
    fn lines_and_yaml_are_one_stream_in_the_order_of_time() {
        let lines = format!("{}\n\n{}\n", line(20_000, "b"), line(10_000, "c"));
        check(&[&lines, "agent: y\n---\nagent: z", &line(10_000, "d")], &["0:y", "0:z", "10000:c", "10000:d", "20000:b"], 0);
    }

    #[test]
    fn a_bad_line_is_counted_and_left_out() {
        check(&[&format!("{}\nnot JSON\n{{\"topic\":\"x\"}}\n", line(1, "a"))], &["1:a"], 2);
    }

    #[test]
    fn bad_yaml_is_refused_with_its_place() {
        let refused = |text: &str| read(&[text]).unwrap_err().to_string();
        assert!(refused("agent: a\nstatus: gone").contains(":2:1: `status` is \"gone\""), "{}", refused("agent: a\nstatus: gone"));
        assert!(refused("agent: a\n---\nagent: a").contains(":3:1: agent \"a\" is declared twice"));
        assert!(refused("agent: a\npeers: [b]\n---\nagent: b\npeers: [a]").contains("a → b → a"));
    }
}
