//! The control tables as they were: what a restore applies once more is judged by what was in force then, not by what is now.
//!
//! Each shard notes how far the tables were read whenever that moved. The topics keep a superseded record for a day at least, so
//! the tables of any epoch that a restore may begin at can be made again.

use std::collections::BTreeMap;

use rdkafka::message::Message;

use super::state::StateReader;
use super::state::reader::ReadError;
use super::tables::{Positions, TablePartition, as_given, number, read};
use crate::govern::{ControlRecord, ControlTopic, Tables};

/// Whether events are judged by what the table holds. Records of the others move the shards themselves, and are kept as commands.
#[must_use]
pub fn is_in_force(table: ControlTopic) -> bool {
    matches!(table, ControlTopic::Inventory | ControlTopic::Sightings | ControlTopic::AgentState)
}

/// The tables as one lane has them now.
#[derive(Debug, Clone, Copy)]
pub struct Now<'t> {
    /// What they hold.
    pub tables: &'t Tables,
    /// How far those that are in force were read.
    pub positions: &'t Positions,
}

/// Every record of the tables in force, read from their topics once it is needed.
#[derive(Debug, Default)]
pub struct TableHistory(Option<Records>);

type Records = BTreeMap<TablePartition, Vec<(i64, ControlRecord)>>;

impl TableHistory {
    /// The records in the order of each partition.
    fn records(&mut self, reader: &StateReader, names: &[(ControlTopic, String)]) -> Result<&Records, ReadError> {
        if self.0.is_none() {
            let mut records = Records::new();
            for (table, topic) in names.iter().filter(|(table, _)| is_in_force(*table)) {
                let partitions = reader.partitions(topic)?;
                reader.whole(topic, &partitions, |record| {
                    if let Ok(read) = read(&as_given(*table, record)) {
                        records.entry((number(*table), record.partition())).or_default().push((record.offset(), read));
                    }
                })?;
            }
            self.0 = Some(records);
        }
        Ok(self.0.get_or_insert_default())
    }
}

/// The tables of one shard's past, moved on from one note to the next.
pub enum Then<'h> {
    /// Nothing has moved since the first note: they are those of now.
    Same(&'h Tables),
    /// Made again.
    Past {
        /// As far as they were read.
        tables: Box<Tables>,
        /// What comes after.
        records: &'h Records,
        /// The next record of each partition, by its place in the list.
        next: BTreeMap<TablePartition, usize>,
    },
}

impl<'h> Then<'h> {
    /// The tables before the first of the notes that are to come.
    ///
    /// # Errors
    /// When the tables have moved since, and their topics cannot be read.
    pub fn before<'n>(
        mut notes: impl Iterator<Item = &'n Positions>,
        now: Now<'h>,
        history: &'h mut TableHistory,
        reader: &StateReader,
        names: &[(ControlTopic, String)],
    ) -> Result<Self, ReadError> {
        if notes.all(|noted| noted == now.positions) {
            return Ok(Self::Same(now.tables));
        }
        Ok(Self::Past { tables: Box::default(), records: history.records(reader, names)?, next: BTreeMap::new() })
    }

    /// Takes in what had been read when the note was made.
    pub fn reach(&mut self, noted: &Positions) {
        let Self::Past { tables, records, next } = self else { return };
        for (place, &end) in noted {
            let Some(records) = records.get(place) else { continue };
            let from = next.entry(*place).or_insert(0);
            while let Some((_, record)) = records.get(*from).filter(|(offset, _)| *offset < end) {
                tables.apply(record);
                *from += 1;
            }
        }
    }

    /// The tables as far as they were reached.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        match self {
            Self::Same(tables) => tables,
            Self::Past { tables, .. } => tables,
        }
    }
}
