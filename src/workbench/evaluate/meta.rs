//! What lies beside a recorded stream: `NAME.meta.json` for `NAME.jsonl`, compressed or not.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The parts of the description that an evaluation needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Meta {
    /// End of the training stretch, RFC 3339.
    #[serde(default)]
    pub train_end_ts: Option<String>,
}

/// A description that is there and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The description.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no such description.
    #[error("{}: {source}", path.display())]
    Malformed {
        /// The description.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// Where the description of `stream` would lie.
#[must_use]
pub fn path_beside(stream: &Path) -> Option<PathBuf> {
    let name = stream.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    let stem = name.strip_suffix(".jsonl").unwrap_or(name);
    Some(stream.with_file_name(format!("{stem}.meta.json")))
}

/// Reads the description beside `stream`; `None` when there is none.
///
/// # Errors
/// It is there and unreadable or malformed.
pub fn beside(stream: &Path) -> Result<Option<Meta>, MetaError> {
    let Some(path) = path_beside(stream) else { return Ok(None) };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(MetaError::Unreadable { path, source }),
    };
    serde_json::from_slice(&text).map(Some).map_err(|source| MetaError::Malformed { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stream: &str, expected: &str) {
        assert_eq!(path_beside(Path::new(stream)), Some(PathBuf::from(expected)));
    }

    #[test]
    fn the_description_has_the_name_of_the_stream_without_its_endings() {
        check("a/world.jsonl.gz", "a/world.meta.json");
        check("world.jsonl.zst", "world.meta.json");
        check("world.jsonl", "world.meta.json");
        check("world", "world.meta.json");
    }
}
