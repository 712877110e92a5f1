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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::EngineConfig;
    use crate::engine::{Engine, Shard};
    use crate::stream::state::packing::Packer;

    const SHARD: &str = "group/agent-events/3";

    fn engine() -> Engine {
        let mut config = EngineConfig::default();
        config.pools.share = true;
        Engine::new(Arc::new(config), Shard { partition: 0, partitions: 4 })
    }

    /// The records of what an engine tells, as if each part were so large that it takes two of them.
    fn told(epoch: u64) -> Vec<(String, Vec<u8>)> {
        let mut records = Vec::new();
        for part in engine().parts().filter(|part| part.name.is_told()) {
            let packed = Packer::new().pack(&part.bytes);
            let (first, second) = packed.split_at(packed.len() / 2);
            for (chunk, bytes) in [first, second].into_iter().enumerate() {
                let value = form::written(&Chunk { epoch, chunks: 2, bytes });
                records.push((format!("{SHARD}/{}.{chunk}", part.name.as_key()), value));
            }
        }
        records
    }

    /// An engine that was offered what `reader` knows adopts it; true if there was anything.
    fn adopts(reader: &PeerReader) -> bool {
        let mut gathering = reader.peers().gathering("group/agent-events/0");
        while gathering.go_on(reader.peers()) {}
        let mut engine = engine();
        engine.offer_pools(gathering, reader.peers());
        engine.adopt_pool()
    }

    /// Whether a shard that asks is offered anything after these records.
    fn is_offered<'r>(records: impl IntoIterator<Item = &'r (String, Vec<u8>)>) -> bool {
        let mut reader = PeerReader::new("group");
        for (key, value) in records {
            reader.take(key, 0, Some(value));
        }
        adopts(&reader)
    }

    #[test]
    fn a_part_counts_once_all_its_records_are_there_in_any_order() {
        let records = told(1);
        assert!(records.len() >= 4);
        assert!(is_offered(&records) && is_offered(records.iter().rev()));
        assert!(!is_offered(records.iter().step_by(2)));
    }

    #[test]
    fn records_of_two_snapshots_make_no_part() {
        let (one, two) = (told(1), told(2));
        let mixed = one.iter().step_by(2).chain(two.iter().skip(1).step_by(2));
        assert!(!is_offered(mixed));
    }

    #[test]
    fn other_groups_and_what_cannot_be_read_are_left_out() {
        let records = told(1);
        let other: Vec<_> = records.iter().map(|(key, value)| (key.replacen("group", "group-2", 1), value.clone())).collect();
        assert!(!is_offered(&other));
        let broken = ["group/agent-events/3/agent-1.0", "group/agent-events/3/names", "group/x", "group/agent-events/3/names.0"];
        let broken = broken.map(|key| (key.to_owned(), b"\x01nothing".to_vec()));
        assert!(is_offered(broken.iter().chain(&records)));
    }

    #[test]
    fn what_is_told_comes_in_the_records_that_a_reader_takes_in() {
        let mut reader = PeerReader::new("group");
        for part in engine().parts().filter(|part| part.name.is_told()) {
            let told = Told { name: part.name, epoch: 7, packed: Packer::new().pack(&part.bytes) };
            for StateRecord { key, value } in records(&shard_name("group/agent-events", 3), &told) {
                assert!(key.starts_with(SHARD), "{key}");
                reader.take(&key, 0, value.as_deref());
            }
        }
        assert!(adopts(&reader));
    }
}
