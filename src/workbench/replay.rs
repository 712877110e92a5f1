//! A recorded stream through the engine, as the live service would run it, without Kafka.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::control_files::ControlFiles;
use super::recording::{Line, Recording, RecordingError};
use crate::config::EngineConfig;
use crate::engine::{Counters, Engine, EventScore, Forgotten, Output, SessionEnd, Shard, Tables};
use crate::event::native::{self, Origin};
use crate::event::{DecodeError, Event};
use crate::finding::audit_record::AuditRecord;
use crate::finding::{Finding, StepUpRequest};
use crate::govern::ControlRecord;

/// What to do with the stream besides running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Which partition the stream stands for.
    pub shard: Shard,
    /// Before the first event later than this, epoch ms, the engine is sealed and frozen.
    pub learn_until: Option<i64>,
    /// Before the first event later than this, epoch ms, the engine is sealed and goes on learning.
    pub seal_at: Option<i64>,
}

/// Takes what comes out, in the order in which it happens.
pub trait Sink {
    /// The score of one event.
    ///
    /// # Errors
    /// Whatever it is written to failed; the replay stops.
    fn score(&mut self, event: &Event<'_>, score: &EventScore) -> io::Result<()>;

    /// A session that has closed.
    ///
    /// # Errors
    /// Whatever it is written to failed; the replay stops.
    fn session_end(&mut self, end: &SessionEnd) -> io::Result<()>;

    /// A finding, once for each publication.
    ///
    /// # Errors
    /// Whatever it is written to failed; the replay stops.
    fn finding(&mut self, finding: &Finding) -> io::Result<()>;

    /// A step-up request.
    ///
    /// # Errors
    /// Whatever it is written to failed; the replay stops.
    fn step_up(&mut self, request: &StepUpRequest) -> io::Result<()>;

    /// A record of the why-trail; nothing is done with it unless this is overridden.
    ///
    /// # Errors
    /// Whatever it is written to failed; the replay stops.
    fn audit(&mut self, _record: &AuditRecord) -> io::Result<()> {
        Ok(())
    }
}

/// Why a replay stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The stream could not be read.
    #[error(transparent)]
    Read(#[from] RecordingError),
    /// What came out could not be written.
    #[error("cannot write what came out: {0}")]
    Write(#[from] io::Error),
}

/// Records that were refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub count: u64,
    /// Where the first one stands and what is wrong with it.
    pub first: String,
}

/// What a replay did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Events handed to the engine.
    pub events: u64,
    /// What the engine counted.
    pub counters: Counters,
    /// Whether the operator's budget was out of reach at the end of the stream.
    pub budget_unreachable: bool,
    /// Publications of findings.
    pub findings: u64,
    /// Step-up requests.
    pub step_ups: u64,
    /// Members of records that are not part of the native event.
    pub unknown_fields: u64,
    /// Records that were refused, by reason.
    pub rejected: BTreeMap<&'static str, Rejected>,
    /// Control records handed to the engine.
    pub control: u64,
    /// What was forgotten for want of room.
    pub forgotten: Forgotten,
}

/// Runs a whole stream through a new engine; sessions still open at its end close there. Control records take effect before the
/// first event of their time or a later one.
///
/// # Errors
/// Reading or writing failed. A record that cannot be decoded is no error: it is counted in the summary.
pub fn replay(
    recording: &mut Recording,
    control: ControlFiles,
    config: &EngineConfig,
    plan: Plan,
    sink: &mut impl Sink,
) -> Result<Summary, ReplayError> {
    let mut config = config.clone();
    if plan.learn_until.is_some() || plan.seal_at.is_some() {
        // The command line says when to seal; the automatic seal after so many sessions would come before it.
        config.detect.seal_after_sessions = None;
    }
    let mut engine = Engine::new(Arc::new(config), plan.shard);
    let mut tables = Tables::default();
    let mut marks = Marks { learn_until: plan.learn_until, seal_at: plan.seal_at };
    let mut summary = Summary { rejected: control.rejected, ..Summary::default() };
    let mut control = control.records.into_iter().peekable();
    let mut outputs = Vec::new();
    while let Some(line) = recording.next_line()? {
        let decoded = match native::decode(line.bytes, Origin { partition: plan.shard.partition, offset: line.offset }) {
            Ok(decoded) => decoded,
            Err(error) => {
                summary.reject(line, &error);
                continue;
            }
        };
        summary.events += 1;
        summary.unknown_fields += u64::from(decoded.unknown_fields);
        let ts = decoded.event.ts;
        while let Some(record) = control.next_if(|record| record.ts <= ts) {
            marks.pass(record.ts, &mut engine, &mut outputs);
            summary.take_control(&record, &mut tables, &mut engine, &mut outputs, sink)?;
        }
        marks.pass(ts, &mut engine, &mut outputs);
        engine.on_event(&decoded.event, &tables, &mut outputs);
        summary.hand_over(Some(&decoded.event), &mut outputs, sink)?;
    }
    for record in control {
        marks.pass(record.ts, &mut engine, &mut outputs);
        summary.take_control(&record, &mut tables, &mut engine, &mut outputs, sink)?;
    }
    engine.finish(&mut outputs);
    summary.hand_over(None, &mut outputs, sink)?;
    summary.counters = engine.counters();
    summary.forgotten = engine.take_forgotten();
    summary.budget_unreachable = engine.is_budget_unreachable();
    Ok(summary)
}

/// Times still to come at which the engine changes its ways.
struct Marks {
    learn_until: Option<i64>,
    seal_at: Option<i64>,
}

impl Marks {
    /// Applies what lies before an event or control record at `ts`.
    fn pass(&mut self, ts: i64, engine: &mut Engine, outputs: &mut Vec<Output>) {
        if self.seal_at.take_if(|at| *at < ts).is_some() {
            engine.seal();
        }
        if let Some(until) = self.learn_until.take_if(|until| *until < ts) {
            engine.close_idle(until, outputs);
            engine.seal();
            engine.freeze();
        }
    }
}

impl Summary {
    #[cold]
    fn reject(&mut self, line: Line<'_>, error: &DecodeError) {
        let rejected = self
            .rejected
            .entry(error.reason())
            .or_insert_with(|| Rejected { count: 0, first: format!("{}:{}: {error}", line.path.display(), line.number) });
        rejected.count += 1;
    }

    fn take_control(
        &mut self,
        record: &ControlRecord,
        tables: &mut Tables,
        engine: &mut Engine,
        outputs: &mut Vec<Output>,
        sink: &mut impl Sink,
    ) -> io::Result<()> {
        self.control += 1;
        tables.apply(record);
        engine.on_control(record, tables, outputs);
        self.hand_over(None, outputs, sink)
    }

    /// `event` is the one just given; at the end of the stream there is none, and nothing is scored.
    fn hand_over(&mut self, event: Option<&Event<'_>>, outputs: &mut Vec<Output>, sink: &mut impl Sink) -> io::Result<()> {
        for output in outputs.drain(..) {
            match output {
                Output::Score(score) => {
                    if let Some(event) = event {
                        sink.score(event, &score)?;
                    }
                }
                Output::SessionEnd(end) => sink.session_end(&end)?,
                Output::Finding(finding) => {
                    self.findings += 1;
                    sink.finding(&finding)?;
                }
                Output::StepUp(request) => {
                    self.step_ups += 1;
                    sink.step_up(&request)?;
                }
                Output::Audit(record) => sink.audit(&record)?,
                // There is no other shard to tell, and no enforcement point.
                Output::Sighting(_) | Output::State(_) => (),
            }
        }
        Ok(())
    }
}
