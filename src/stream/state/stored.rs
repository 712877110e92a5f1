//! What the state topic holds of one shard: the newest record of each key, and the newest complete epoch among them.

use std::collections::HashMap;

use super::commands::Placed;
use super::form::{self, Checkpoint, Chunk, Epoch, FormError, Manifest, Place};
use super::packing::Unpacker;
use crate::engine::part::{Part, PartName};

/// The newest value of each key of one shard.
#[derive(Debug, Default)]
pub struct Stored {
    values: HashMap<String, Newest>,
    bytes: u64,
}

#[derive(Debug)]
struct Newest {
    offset: i64,
    value: Vec<u8>,
}

/// Why a complete epoch cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum StoredError {
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("record {key} of epoch {epoch} is missing")]
    Missing { key: String, epoch: u64 },
    #[error("record {key} is of epoch {actual}, the list of parts says {expected}")]
    OtherEpoch { key: String, actual: u64, expected: u64 },
}

/// The newest complete epoch of a shard.
#[derive(Debug)]
pub struct Complete {
    /// Its record.
    pub epoch: Epoch,
    /// Where its parts are.
    pub manifest: Manifest,
    /// The parts.
    pub parts: Vec<Part>,
    /// At which offset each part is that takes one record.
    pub offsets: Vec<(PartName, i64)>,
}

impl Stored {
    /// Takes the next record of the topic; one without a value ends its key.
    pub fn take(&mut self, key: &str, offset: i64, value: Option<&[u8]>) {
        match value {
            Some(value) => {
                self.bytes += value.len() as u64;
                self.values.insert(key.to_owned(), Newest { offset, value: value.to_vec() });
            }
            None => {
                self.values.remove(key);
            }
        }
    }

    /// Bytes of all values that were taken.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How far the shard of `input` was.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn checkpoint(&self, input: &str) -> Result<Option<Checkpoint>, FormError> {
        let key = form::checkpoint_key(input);
        self.values.get(&key).map(|newest| form::read(&key, &newest.value)).transpose()
    }

    /// One more than the largest epoch number seen, complete or not: a number is never used again.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn next_number(&self, input: &str) -> Result<u64, FormError> {
        let mut next = 0;
        for (key, Newest { value, .. }) in &self.values {
            let rest = key.strip_prefix(input).and_then(|rest| rest.strip_prefix('/'));
            let is_epochs = rest.is_some_and(|rest| rest != "checkpoint" && !rest.starts_with("command."));
            if is_epochs {
                next = next.max(form::epoch_of(key, value)? + 1);
            }
        }
        Ok(next)
    }

    /// The commands that are kept, in the order in which they took effect.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn commands(&self, input: &str) -> Result<Vec<Placed>, FormError> {
        let prefix = format!("{input}/command.");
        let mut commands: Vec<Placed> = Vec::new();
        for (key, Newest { value, .. }) in self.values.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            commands.push(form::read(key, value)?);
        }
        commands.sort_unstable_by_key(|placed| placed.number);
        Ok(commands)
    }

    /// The newest complete epoch of `input`, taken out.
    ///
    /// # Errors
    /// When a record that it names is not there, is of another epoch, or cannot be read.
    pub fn take_complete(&mut self, input: &str) -> Result<Option<Complete>, StoredError> {
        let key = form::epoch_key(input);
        let Some(Newest { value, .. }) = self.values.get(&key) else { return Ok(None) };
        let epoch: Epoch = form::read(&key, value)?;
        let mut unpacker = Unpacker::new();
        let listed = self.whole(&mut unpacker, epoch.manifest, |slot, chunk| form::manifest_key(input, slot, chunk))?;
        let manifest: Manifest = form::read(&form::manifest_key(input, epoch.manifest.slot, 0), &listed)?;
        let mut parts = Vec::with_capacity(manifest.len());
        let mut offsets = Vec::new();
        for &(name, place) in &manifest {
            let first = (place.chunks == 1).then(|| self.values.get(&form::part_key(input, name, place.slot, 0))).flatten();
            offsets.extend(first.map(|newest| (name, newest.offset)));
            parts.push(Part { name, bytes: self.whole(&mut unpacker, place, |slot, chunk| form::part_key(input, name, slot, chunk))? });
        }
        Ok(Some(Complete { epoch, manifest, parts, offsets }))
    }

    fn whole(&mut self, unpacker: &mut Unpacker, place: Place, key: impl Fn(u8, u32) -> String) -> Result<Vec<u8>, StoredError> {
        let mut packed = Vec::new();
        for number in 0..place.chunks {
            let key = key(place.slot, number);
            let newest = self.values.remove(&key);
            packed.extend_from_slice(piece(&key, place.epoch, newest.as_ref().map(|newest| &*newest.value))?);
        }
        Ok(unpacker.unpack(&key(place.slot, 0), &packed)?)
    }
}

/// A part that takes one record, from that record's value.
///
/// # Errors
/// When there is no such record, it is of another epoch, or cannot be read.
pub fn single(key: &str, epoch: u64, value: Option<&[u8]>) -> Result<Vec<u8>, StoredError> {
    Ok(Unpacker::new().unpack(key, piece(key, epoch, value)?)?)
}

/// What a record holds of a compressed part.
fn piece<'v>(key: &str, epoch: u64, value: Option<&'v [u8]>) -> Result<&'v [u8], StoredError> {
    let value = value.ok_or_else(|| StoredError::Missing { key: key.to_owned(), epoch })?;
    let chunk: Chunk<'_> = form::read(key, value)?;
    let is_same = chunk.epoch == epoch;
    is_same.then_some(chunk.bytes).ok_or_else(|| StoredError::OtherEpoch { key: key.to_owned(), actual: chunk.epoch, expected: epoch })
}
