//! What a new owner does before it speaks: state of the newest complete epoch, then the input from there to the checkpoint, silently.
//!
//! The order is what makes it right: the group's offset first, which waits for transactions that still hold one; then the state up
//! to its real end; and only if both agree is it the state of that offset.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message;

use super::intake;
use super::shards::Assembly;
use super::state::commands::{Command, Placed};
use super::state::form::{self, Manifest};
use super::state::reader::ReadError;
use super::state::stored::{Complete, StoredError};
use super::state::{Commands, Epochs, StateReader, Stored};
use super::table_history::{Now, TableHistory, Then};
use super::tables::{self, Positions};
use crate::config::Delivery;
use crate::engine::part::RestoreError;
use crate::engine::{Engine, Output, Shard};

/// A shard that may speak.
#[derive(Debug)]
pub struct Restored {
    /// The engine, to the bit as it was at `next`.
    pub engine: Engine,
    /// The next input offset to take.
    pub next: i64,
    /// The input offset at which the shard began without any state.
    pub began: i64,
    /// The epochs that are to come.
    pub epochs: Epochs,
    /// The commands since the newest ones.
    pub commands: Commands,
    /// How far the shard has judged the control tables; `None` for one that begins now.
    pub judged: Option<Positions>,
}

/// Why a shard cannot be restored.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum RestoreFailed {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Stored(#[from] StoredError),
    #[error(transparent)]
    Engine(#[from] RestoreError),
    #[error(
        "{topic} {partition}: the group's offset is {committed:?}, the checkpoint in the state topic says {checkpoint}; \
         was the group's offset moved by hand?"
    )]
    Contradiction { topic: String, partition: i32, committed: Option<i64>, checkpoint: i64 },
}

impl RestoreFailed {
    /// Whether the same clients may have another answer when they are asked again. One that has had none for long may have lost the
    /// brokers for good, while new ones find them (see `liveness`).
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Read(ReadError::Pinned { .. }) | Self::Contradiction { .. })
    }
}

/// One partition of an input that is to be restored.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Topic with its prefix.
    pub topic: &'a str,
    /// Kafka partition, of the input and of the state topic.
    pub partition: i32,
    /// Its number among the partitions of all inputs, and how many there are.
    pub shard: Shard,
    /// Whether the input is keyed by agent.
    pub keyed: bool,
    /// The group's offset, if it has one.
    pub committed: Option<i64>,
}

/// Restores one shard from what the state topic holds of it. What is re-applied is judged by the tables of then.
///
/// # Errors
/// When state and offset contradict each other, or something cannot be read.
pub fn restore(
    assembly: &Assembly,
    reader: &StateReader,
    now: Now<'_>,
    history: &mut TableHistory,
    wanted: Wanted<'_>,
    stored: &mut Stored,
) -> Result<Restored, RestoreFailed> {
    let Wanted { topic, partition, shard, keyed, committed } = wanted;
    let since = Instant::now();
    let config = Arc::new(assembly.config.engine.clone());
    let prefix = form::prefix(&assembly.config.kafka.group, topic);
    let epochs = Epochs::new(
        &prefix,
        Duration::from_millis(assembly.config.kafka.snapshot_interval_ms),
        config.hash(),
        stored.next_number(&prefix).map_err(StoredError::from)?,
    );
    let Some(checkpoint) = stored.checkpoint(&prefix).map_err(StoredError::from)? else {
        let next = match committed {
            Some(committed) => {
                tracing::warn!(topic, partition, committed, "there is no state for this partition: it begins without any");
                committed
            }
            None => reader.oldest(topic, partition)?,
        };
        let engine = Engine::new(config, shard);
        return Ok(Restored { engine, next, began: next, epochs, commands: Commands::default(), judged: None });
    };
    let next = match committed {
        Some(committed) if committed == checkpoint.next || assembly.config.kafka.delivery == Delivery::AtLeastOnce => committed,
        Some(_) => {
            return Err(RestoreFailed::Contradiction { topic: topic.to_owned(), partition, committed, checkpoint: checkpoint.next });
        }
        None => {
            tracing::warn!(topic, partition, next = checkpoint.next, "the group's offset has expired, the checkpoint stands in for it");
            checkpoint.next
        }
    };
    let placed = stored.commands(&prefix).map_err(StoredError::from)?;
    let (mut engine, epochs, at, first_command) = match stored.take_complete(&prefix)? {
        None => (Engine::new(config, shard), epochs, checkpoint.began, 0),
        Some(Complete { epoch, manifest, parts, offsets }) => {
            if epoch.config != config.hash() {
                tracing::warn!(
                    topic,
                    partition,
                    then = epoch.config,
                    now = config.hash(),
                    "the state was learned under another configuration; what is re-applied now may differ from it"
                );
            }
            let engine = Engine::restore(&config, shard, parts)?;
            // Parts that no snapshot writes any more would be taken for current ones later.
            let manifest: Manifest = manifest.into_iter().filter(|(name, _)| engine.shares_pools() || !name.is_of_pools()).collect();
            (engine, epochs.after(&epoch, &manifest, offsets), epoch.at, epoch.commands)
        }
    };
    let mut applied = 0;
    let mut outputs = Vec::new();
    let commands = Commands::after(&placed, first_command);
    let notes = placed.iter().filter(|placed| placed.number >= first_command).filter_map(Placed::reached);
    let mut then = Then::before(notes, now, history, reader, &assembly.names.tables)?;
    let mut waiting = placed.into_iter().filter(|placed| placed.number >= first_command).peekable();
    let start = reader.input(topic, partition, at, next, |message| {
        while let Some(placed) = waiting.next_if(|placed| placed.at <= message.offset()) {
            repeat(&mut engine, &placed.command, &mut then, &mut outputs);
        }
        // What cannot be scored has become a dead letter before.
        if let Ok(decoded) = intake::event(shard, keyed, message) {
            engine.on_event(&decoded.event, then.tables(), &mut outputs);
            outputs.clear();
            applied += 1;
        }
    })?;
    for placed in waiting {
        repeat(&mut engine, &placed.command, &mut then, &mut outputs);
    }
    let meters = &assembly.meters;
    if start > at {
        meters.reapply_missing.inc_by(start.min(next).saturating_sub(at).unsigned_abs());
        tracing::error!(
            topic,
            partition,
            from = at,
            oldest = start,
            "the input was deleted before its epoch was complete: the state misses these records; keep the input longer than kafka.snapshot_interval"
        );
    }
    meters.reapplied.inc_by(applied);
    tracing::info!(
        topic,
        partition,
        next,
        applied,
        state_bytes = stored.bytes(),
        seconds = since.elapsed().as_secs_f64(),
        "partition restored"
    );
    let epochs = epochs.overdue(applied > 0);
    Ok(Restored { engine, next, began: checkpoint.began, epochs, commands, judged: Some(checkpoint.judged) })
}

/// A shard where no state is kept: it knows nothing, and goes on at the group's offset.
#[must_use]
pub fn stateless(assembly: &Assembly, wanted: Wanted<'_>) -> Restored {
    let config = Arc::new(assembly.config.engine.clone());
    let epochs = Epochs::new(wanted.topic, Duration::MAX, config.hash(), 0);
    let next = wanted.committed.unwrap_or(0);
    let engine = Engine::new(config, wanted.shard);
    Restored { engine, next, began: next, epochs, commands: Commands::default(), judged: None }
}

/// Does again, silently, what moved the shard beside its events.
fn repeat(engine: &mut Engine, command: &Command, then: &mut Then<'_>, outputs: &mut Vec<Output>) {
    match command {
        Command::Control(given) => {
            if let Some(record) = tables::judged(given) {
                engine.on_control(&record, then.tables(), outputs);
            }
        }
        Command::Tick(now) => engine.on_tick(*now, then.tables(), outputs),
        Command::Reached(positions) => then.reach(positions),
        Command::Adopted => {
            engine.adopt_pool();
        }
    }
    outputs.clear();
}

#[cfg(test)]
mod tests {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::super::state::reader::ReadError;
    use super::RestoreFailed;

    #[track_caller]
    fn check(failed: impl Into<RestoreFailed>, may_pass: bool) {
        let failed = failed.into();
        assert_eq!(failed.may_pass(), may_pass, "{failed}");
    }

    #[test]
    fn clients_that_have_no_answer_are_not_asked_again() {
        let topic = || "gaitkeeper-state".to_owned();
        check(ReadError::from(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition)), false);
        check(ReadError::Silent { topic: topic() }, false);
        check(ReadError::Pinned { topic: topic(), partition: 0, mark: 2, stable: 1 }, true);
        check(RestoreFailed::Contradiction { topic: topic(), partition: 0, committed: None, checkpoint: 1 }, true);
    }
}
