//! What shards tell each other of groups and population, over the pools topic.
//!
//! Parts of a snapshot travel there as they stand in the state topic, under keys `<group>/<input topic>/<partition>/<part>.<chunk>`. A
//! reader takes a part in once it has all chunks of one snapshot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::epochs::Told;
use super::state::form::{self, StateRecord};
use super::state::packing::{self, Unpacker};
use crate::engine::part::{Part, PartName};
use crate::engine::pools::Peers;

/// One record of a part.
#[derive(Debug, Serialize, Deserialize)]
struct Chunk<'p> {
    /// The snapshot that it is of.
    epoch: u64,
    /// Number of the part's records.
    chunks: u32,
    /// A piece of the compressed part.
    #[serde(with = "serde_bytes")]
    bytes: &'p [u8],
}

/// How others know a shard; `prefix` is that of its keys in the state topic.
#[must_use]
pub fn shard_name(prefix: &str, partition: i32) -> String {
    format!("{prefix}/{partition}")
}

/// What `shard` tells with one part.
pub fn records(shard: &str, told: &Told) -> impl Iterator<Item = StateRecord> {
    let Told { name, epoch, packed } = told;
    let chunks = u32::try_from(packing::pieces(packed).count()).unwrap_or(u32::MAX);
    packing::pieces(packed).zip(0u32..).map(move |(bytes, chunk)| StateRecord {
        key: format!("{shard}/{}.{chunk}", name.as_key()),
        value: Some(form::written(&Chunk { epoch: *epoch, chunks, bytes })),
    })
}

/// Reads what the shards of one consumer group tell.
pub struct PeerReader {
    /// How the names of its shards begin.
    group: String,
    peers: Peers,
    /// Chunks of parts that are not whole yet, by key without the chunk's number.
    waiting: BTreeMap<String, Waiting>,
    unpacker: Unpacker,
}

struct Waiting {
    epoch: u64,
    chunks: BTreeMap<u32, Vec<u8>>,
}

impl PeerReader {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(group: &str) -> Self {
        Self { group: form::prefix(group, ""), peers: Peers::default(), waiting: BTreeMap::new(), unpacker: Unpacker::new() }
    }

    /// What was told so far.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Takes in a record of the topic that came at `at`, epoch ms. What other groups tell is of no use; what cannot be read is said
    /// and left out.
    pub fn take(&mut self, key: &str, at: i64, value: Option<&[u8]>) {
        let Some(value) = value.filter(|_| key.starts_with(&self.group)) else { return };
        if let Err(error) = self.read(key, at, value) {
            tracing::warn!(key, error, "a record of the pools topic cannot be used");
        }
    }

    fn read(&mut self, key: &str, at: i64, value: &[u8]) -> Result<(), String> {
        let (part, chunk) = key.rsplit_once('.').ok_or("its key has no number of a chunk")?;
        let (shard, name) = part.rsplit_once('/').ok_or("its key names no part")?;
        let name = PartName::told(name).ok_or("its key names no part that shards tell each other")?;
        let number: u32 = chunk.parse().map_err(|_| "its key has no number of a chunk")?;
        let Chunk { epoch, chunks, bytes } = form::read(key, value).map_err(|error| error.to_string())?;
        let waiting = self.waiting.entry(part.to_owned()).or_insert_with(|| Waiting { epoch, chunks: BTreeMap::new() });
        if waiting.epoch != epoch {
            *waiting = Waiting { epoch, chunks: BTreeMap::new() };
        }
        waiting.chunks.insert(number, bytes.to_vec());
        if waiting.chunks.len() < chunks as usize {
            return Ok(());
        }
        let whole = self.waiting.remove(part).map(|waiting| waiting.chunks.into_values().collect::<Vec<_>>().concat()).unwrap_or_default();
        let bytes = self.unpacker.unpack(key, &whole).map_err(|error| error.to_string())?;
        self.peers.take(shard, at, &Part { name, bytes }).map_err(|error| error.to_string())
    }
}
