//! Keys and values of the state topic.
//!
//! A key is text: `<group>/<input topic>/checkpoint`, `/epoch`, `/command.<number>`, `/manifest.<slot>.<chunk>`, `/agent-17.<slot>.<chunk>`. A value begins with
//! the version of its form; parts are compressed and cut into chunks.

use serde::{Deserialize, Serialize};

use crate::engine::part::PartName;
use crate::stream::tables::Positions;

/// Form of the values. What an older version wrote stays readable.
const VERSION: u8 = 1;

/// Written with every commit: how far the shard is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The next input offset to take.
    pub next: i64,
    /// The input offset at which the shard began without any state.
    pub began: i64,
    /// The next offset to judge of each partition of each control table.
    pub judged: Positions,
}

/// A complete epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Never used again.
    pub number: u64,
    /// The input offset S: everything before it is in the state, nothing from it on.
    pub at: i64,
    /// The number of the first command that is not in the state.
    pub commands: u64,
    /// Hash of the configuration that the engine judged by.
    pub config: String,
    /// Where the list of parts is.
    pub manifest: Place,
}

/// Where a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The epoch that wrote it.
    pub epoch: u64,
    /// 0 or 1.
    pub slot: u8,
    /// Number of its records.
    pub chunks: u32,
}

/// The parts of an epoch, each with its place.
pub type Manifest = Vec<(PartName, Place)>;

/// One record of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk<'p> {
    /// The epoch that wrote it.
    pub epoch: u64,
    /// A piece of the compressed part.
    #[serde(with = "serde_bytes")]
    pub bytes: &'p [u8],
}

/// A record for the state topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRecord {
    /// Key.
    pub key: String,
    /// Value; none takes the key out.
    pub value: Option<Vec<u8>>,
}

impl StateRecord {
    /// Bytes of key and value.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.key.len() + self.value.as_ref().map_or(0, Vec::len)) as u64
    }
}

/// Why a value of the state topic cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum FormError {
    #[error("record {key} is of version {actual}, readable up to {VERSION}")]
    Version { key: String, actual: u8 },
    #[error("record {key} cannot be read: {cause}")]
    Unreadable { key: String, cause: String },
}

/// What the keys of one group's shard of an input begin with; a topic's name has no slash.
#[must_use]
pub fn prefix(group: &str, input: &str) -> String {
    format!("{}/{input}", group.replace('%', "%25").replace('/', "%2f"))
}

/// Key of an input's checkpoint.
#[must_use]
pub fn checkpoint_key(prefix: &str) -> String {
    format!("{prefix}/checkpoint")
}

/// Key of an input's newest complete epoch.
#[must_use]
pub fn epoch_key(prefix: &str) -> String {
    format!("{prefix}/epoch")
}

/// Key of a command.
#[must_use]
pub fn command_key(prefix: &str, number: u64) -> String {
    format!("{prefix}/command.{number}")
}

/// Key of one record of the list of parts.
#[must_use]
pub fn manifest_key(prefix: &str, slot: u8, chunk: u32) -> String {
    format!("{prefix}/manifest.{slot}.{chunk}")
}

/// Key of one record of a part.
#[must_use]
pub fn part_key(prefix: &str, name: PartName, slot: u8, chunk: u32) -> String {
    format!("{prefix}/{}.{slot}.{chunk}", name.as_key())
}

/// The number of the agent and the slot of a record that is the first of an agent's part.
#[must_use]
pub fn agent_of(prefix: &str, key: &str) -> Option<(u32, u8)> {
    let (number, place) = key.strip_prefix(prefix)?.strip_prefix("/agent-")?.split_once('.')?;
    let slot = place.strip_suffix(".0")?;
    Some((number.parse().ok()?, slot.parse().ok()?))
}

/// A value in its form.
///
/// # Panics
/// Never: all values have a known length.
#[must_use]
pub fn written(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("every value has a known length")
}

/// The value of the record `key`.
///
/// # Errors
/// When it is of a later version or not such a value.
pub fn read<'v, T: Deserialize<'v>>(key: &str, value: &'v [u8]) -> Result<T, FormError> {
    match value.split_first() {
        Some((&VERSION, bytes)) => {
            postcard::from_bytes(bytes).map_err(|error| FormError::Unreadable { key: key.to_owned(), cause: error.to_string() })
        }
        Some((&actual, _)) => Err(FormError::Version { key: key.to_owned(), actual }),
        None => Err(FormError::Unreadable { key: key.to_owned(), cause: "it is empty".into() }),
    }
}

/// The epoch of a value: all but checkpoints begin with it.
///
/// # Errors
/// When it is of a later version or too short.
pub fn epoch_of(key: &str, value: &[u8]) -> Result<u64, FormError> {
    match value.split_first() {
        Some((&VERSION, bytes)) => postcard::take_from_bytes(bytes)
            .map(|(epoch, _)| epoch)
            .map_err(|error| FormError::Unreadable { key: key.to_owned(), cause: error.to_string() }),
        _ => read::<u64>(key, value),
    }
}
