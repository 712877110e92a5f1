//! A recorded stream in memory: its records, the sessions that they form, and which of these belong to the training stretch.
//!
//! Built from decoded events, which carry no ground truth; the truth of a record is read from its line when somebody asks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use crate::event::native::{Origin, decode};
use crate::event::{Action, Event};
use crate::workbench::ground_truth::{self, Truth};
use crate::workbench::recording::{Recording, RecordingError};

/// Where the line of a record lies, and whose it is.
#[derive(Debug, Clone, Copy)]
struct Record {
    start: usize,
    end: usize,
    offset: i64,
    ts: i64,
    session: u32,
}

/// One session, as the producer named it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Number of the agent.
    pub agent: usize,
    /// Time of its first record, epoch ms.
    pub first_ts: i64,
    /// Whether it belongs to the training stretch: it began at or before the end of that stretch.
    pub training: bool,
    /// How many sessions the agent had begun before, in the whole stream.
    pub ordinal: usize,
    /// Its records that are scored: all but `session_end`.
    pub records: Vec<u32>,
    last_ts: i64,
}

/// One agent.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Its sessions in the training stretch.
    pub training_sessions: usize,
    /// All its sessions.
    pub sessions: usize,
}

/// What names a session within a stream: the agent and the producer's name; without one, stretches between long pauses.
type Key = (String, Option<String>);

/// All records of a stream.
#[derive(Debug, Default)]
pub struct Recorded {
    bytes: Vec<u8>,
    records: Vec<Record>,
    /// By session number, in the order of their first records.
    pub sessions: Vec<Session>,
    /// By agent number.
    pub agents: Vec<Agent>,
    /// Lines that are no event.
    pub rejected: u64,
    agent_numbers: HashMap<String, usize>,
    current: HashMap<Key, u32>,
}

impl Recorded {
    /// Reads a stream. A session whose first record is at or before `train_until` is training; a pause of `idle_ms` ends a session that
    /// the producer did not name.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub fn read(paths: &[PathBuf], train_until: Option<i64>, idle_ms: i64) -> Result<Self, RecordingError> {
        let mut recording = Recording::open(paths)?;
        let mut recorded = Self::default();
        while let Some(line) = recording.next_line()? {
            let origin = Origin { partition: 0, offset: line.offset };
            let Ok(decoded) = decode(line.bytes, origin) else {
                recorded.rejected += 1;
                continue;
            };
            let session = recorded.place(&decoded.event, train_until, idle_ms);
            let ts = decoded.event.ts;
            let start = recorded.bytes.len();
            recorded.bytes.extend_from_slice(line.bytes);
            recorded.records.push(Record { start, end: recorded.bytes.len(), offset: line.offset, ts, session });
        }
        Ok(recorded)
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The events in stream order, each with its session.
    pub fn events(&self) -> impl Iterator<Item = (usize, Event<'_>)> {
        self.records.iter().filter_map(|record| {
            let origin = Origin { partition: 0, offset: record.offset };
            let decoded = decode(&self.bytes[record.start..record.end], origin).ok()?;
            Some((record.session as usize, decoded.event))
        })
    }

    /// Event time of a record, epoch ms.
    #[must_use]
    pub fn ts(&self, record: usize) -> i64 {
        self.records[record].ts
    }

    /// Ground truth of a record; silence where the line says nothing readable.
    #[must_use]
    pub fn truth(&self, record: usize) -> Truth {
        let Record { start, end, .. } = self.records[record];
        ground_truth::read(&self.bytes[start..end]).unwrap_or_default()
    }

    /// Whether any record of the session says that there was misuse, and the first attack named.
    #[must_use]
    pub fn session_truth(&self, session: usize) -> (bool, Option<String>) {
        let (mut misuse, mut attack) = (false, None);
        for &record in &self.sessions[session].records {
            let truth = self.truth(record as usize);
            misuse |= truth.session == Some(true) || truth.event == Some(true);
            attack = attack.or(truth.attack);
        }
        (misuse, attack)
    }

    /// Finds or opens the session of `event` and counts the event in.
    fn place(&mut self, event: &Event<'_>, train_until: Option<i64>, idle_ms: i64) -> u32 {
        let record = number(self.records.len());
        let name = session_name(event);
        let named = name.is_some();
        let key = (event.agent_id.clone().into_owned(), name);
        let next = number(self.sessions.len());
        let session = match self.current.entry(key) {
            Entry::Occupied(mut known) => {
                let last_ts = self.sessions[*known.get() as usize].last_ts;
                if !named && event.ts.saturating_sub(last_ts) >= idle_ms {
                    known.insert(next);
                }
                *known.get()
            }
            Entry::Vacant(new) => *new.insert(next),
        };
        if session == next {
            let agents = self.agent_numbers.len();
            let agent = *self.agent_numbers.entry(event.agent_id.clone().into_owned()).or_insert(agents);
            if agent == agents {
                self.agents.push(Agent { training_sessions: 0, sessions: 0 });
            }
            let about = &mut self.agents[agent];
            let training = train_until.is_some_and(|until| event.ts <= until);
            about.training_sessions += usize::from(training);
            about.sessions += 1;
            let ordinal = about.sessions - 1;
            self.sessions.push(Session { agent, first_ts: event.ts, training, ordinal, records: Vec::new(), last_ts: event.ts });
        }
        let about = &mut self.sessions[session as usize];
        about.last_ts = about.last_ts.max(event.ts);
        if event.action != Action::SessionEnd {
            about.records.push(record);
        }
        session
    }
}

/// The producer's name of the session: `session_id`, else `trace_id`.
pub(super) fn session_name(event: &Event<'_>) -> Option<String> {
    event.session_id.as_deref().or(event.trace_id.as_deref()).map(str::to_owned)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 records are held in memory")
}
