//! One shard: event in, outputs out. Synchronous and pure: no I/O, no clock, no environment, no unseeded randomness, so a
//! stream replayed twice gives the same bytes and a partition replayed from a file gives what the live run gave.

pub mod agents;
pub mod alarm;
pub mod audit;
mod away;
pub mod budget;
mod campaigns;
mod change_log;
mod declared;
pub mod enforcement;
pub mod event_ids;
mod eviction;
pub mod explain;
mod feedback;
mod findings;
mod groups;
pub mod identifier;
mod idle_queue;
mod judge;
pub mod loudest;
pub mod output;
pub mod part;
pub mod pools;
pub mod response;
pub mod reversibility;
pub mod sessions;
pub mod severity;
pub mod snapshot;
pub mod step_up;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use agents::{AgentSlot, Agents};
use away::Away;
use budget::Budget;
use campaigns::Campaigns;
use change_log::ChangeLog;
use eviction::Remembered;
use feedback::AwaitingVerdict;
use pools::Pooled;
use response::Response;
use sessions::{Session, SessionSlot, Sessions};
use snapshot::Changes;

pub use crate::govern::Tables;
pub use eviction::Forgotten;
pub use output::{EventScore, Output, ScoreState, SessionEnd, Verdict};

use crate::baseline::GroupIndex;
use crate::config::{Clock, EngineConfig};
use crate::detect::Detector;
use crate::detect::observe::{attribute_texts, observe};
use crate::event::{Action, Event};
use crate::finding::Decision;
use crate::govern::{ControlRecord, ControlValue, Judge};
use crate::stats::{elementary, hash};

/// Seeds the hashes of names. Part of the stored state: a snapshot is read under the key it was written with.
const HASH_KEY: u64 = 0x9e37_79b9_7f4a_7c15;
/// A stream further behind the clock than this is a backlog or a recording: there its own time alone expires what waits, as in a replay.
const BACKLOG_MS: i64 = 24 * 3_600_000;

/// Which part of the stream a shard owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Kafka partition.
    pub partition: i32,
    /// Number of partitions; a daily budget is shared among them.
    pub partitions: i32,
}

/// What a shard counted; never part of a decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Events scored.
    pub scored: u64,
    /// Events skipped because their id was seen before.
    pub duplicates: u64,
    /// Events older than their agent's newest.
    pub late: u64,
    /// Sessions closed.
    pub sessions: u64,
    /// Questions not asked because too many were open.
    pub withheld: u64,
    /// Sessions that would have alarmed on too little evidence.
    pub insufficient: u64,
    /// Broken rules of new agents that nobody was told of, since `cold_start` is `quiet`.
    pub quiet: u64,
}

/// One shard of the program: the detector, the open sessions, and what was raised.
#[derive(Debug, Clone)]
pub struct Engine {
    config: Arc<EngineConfig>,
    policy_version: String,
    shard: Shard,
    detector: Detector,
    declared: Judge,
    agents: Agents,
    groups: hashbrown::HashMap<u64, GroupIndex, foldhash::fast::FixedState>,
    sessions: Sessions,
    budget: Budget,
    campaigns: Campaigns,
    response: Response,
    change_log: ChangeLog,
    awaiting: AwaitingVerdict,
    stream_ms: i64,
    frozen: bool,
    handles: u64,
    counters: Counters,
    changes: Changes,
    remembered: Remembered,
    away: Away,
    pooled: Pooled,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(config: Arc<EngineConfig>, shard: Shard) -> Self {
        let mut engine = Self {
            policy_version: config.hash(),
            detector: Detector::new(config.detect.clone(), HASH_KEY),
            declared: Judge::new(config.policy.clone()),
            agents: Agents::new(HASH_KEY),
            groups: hashbrown::HashMap::default(),
            sessions: Sessions::default(),
            budget: Budget::new(config.alarm.budget, shard.partitions),
            campaigns: Campaigns::default(),
            response: Response::default(),
            change_log: ChangeLog::default(),
            awaiting: AwaitingVerdict::default(),
            stream_ms: i64::MIN,
            frozen: false,
            handles: 0,
            counters: Counters::default(),
            changes: Changes::default(),
            remembered: Remembered::default(),
            away: Away::default(),
            pooled: Pooled::default(),
            shard,
            config,
        };
        engine.share_pools(None);
        engine
    }

    /// Closes what the event shows to be over, scores the event, judges, decides; appends what came of it to `outputs`.
    pub fn on_event(&mut self, event: &Event<'_>, tables: &Tables, outputs: &mut Vec<Output>) {
        let from = outputs.len();
        let agent = self.take_event(event, tables, outputs);
        self.keep_within_bytes(agent, outputs);
        self.keep_said(from, Some((event, tables)), outputs);
    }

    /// Returns the agent whose event it is.
    fn take_event(&mut self, event: &Event<'_>, tables: &Tables, outputs: &mut Vec<Output>) -> AgentSlot {
        let agent = self.agents.find(&event.agent_id).unwrap_or_else(|| self.meet(event, outputs));
        assert!(!self.agents.get(agent).is_away, "who is away comes back before it acts");
        self.touch(agent);
        if self.agents.get_mut(agent).is_repeat(&event.event_id, HASH_KEY) {
            self.counters.duplicates += 1;
            outputs.push(Output::Score(EventScore::UNSCORABLE));
            return agent;
        }
        let has_contracts = !tables.inventory.is_empty();
        if has_contracts {
            self.agents.get(agent).declared.prefetch();
        }
        self.close_idle(event.ts, outputs);
        self.pass_response_time(self.stream_ms, outputs);
        let key = session_key(event);
        if event.action == Action::SessionEnd {
            outputs.push(Output::Score(EventScore::UNSCORABLE));
            if let Some(slot) = self.find_open(agent, key) {
                self.close(slot, outputs);
            }
            return agent;
        }
        let version = event.agent_version.as_deref();
        let turned =
            version.and_then(|version| self.agents.get_mut(agent).turn_to_version(version, event.ts, HASH_KEY, &mut self.detector.model));
        if turned.is_some() {
            // Perhaps by a further baseline.
            self.weigh(agent);
        }
        self.change_log.note(agent, event, turned);
        let role = || tables.inventory.contract(&event.agent_id).and_then(|contract| contract.record().role.as_deref());
        let work = event.task_type.as_deref().or_else(role);
        let (slot, too_late) = self.session_for(event, agent, key, work, outputs);
        self.detector.ask_for_next(&self.sessions.get(slot).detected);
        let gap_ms = self.gap(event, agent, slot);
        let newest = &mut self.agents.get_mut(agent).newest_ts;
        if event.ts < *newest {
            self.counters.late += 1;
        }
        *newest = event.ts.max(*newest);

        let observation = observe(event, gap_ms, &mut self.detector.model.tools, HASH_KEY);
        for (attribute, value, text) in attribute_texts(event, &observation) {
            self.detector.model.keep_text(attribute, value, text);
        }
        if has_contracts {
            self.declared.prefetch_rest(&self.agents.get(agent).declared);
        }
        let session = self.sessions.get_mut(slot);
        let reading = self.detector.score(&mut session.detected, &observation, event.bytes_out);
        session.last_ts = event.ts.max(session.last_ts);
        session.context.update(event);
        self.counters.scored += 1;
        let declared = self.judge_declared(event, observation.writes, slot, tables);
        let (mut score, raised) = self.judge(event, &observation, &reading, slot, declared.asks);
        score.decision = score.decision.max(declared.decision);
        outputs.push(Output::Score(score));
        outputs.extend(declared.raised.into_iter().chain(raised));
        if too_late {
            self.forget(slot, outputs);
        } else if self.sessions.get(slot).detected.events() >= self.config.detect.sessions.events_max {
            self.close(slot, outputs);
        }
        agent
    }

    /// A control record came, and `tables` hold it already. Changes what follows from it in this shard; the same record twice
    /// changes nothing.
    ///
    /// Inventory and sightings are read where an event is judged, and change nothing here.
    pub fn on_control(&mut self, record: &ControlRecord, _tables: &Tables, outputs: &mut Vec<Output>) {
        let ControlRecord { ts, key, value } = record;
        let from = outputs.len();
        match value {
            ControlValue::Inventory(_) | ControlValue::Sighting(_) => (),
            ControlValue::Feedback(record) => {
                self.feedback(record, outputs);
                self.keep_said(from, None, outputs);
            }
            ControlValue::Change(record) => {
                let opened = self.declare_change(record);
                outputs.extend(opened);
                self.keep_said(from, None, outputs);
            }
            ControlValue::Answer(answer) => self.take_answer(answer, *ts, outputs),
            ControlValue::MalformedAnswer { digest, why } => self.take_malformed_answer(key, digest, why, *ts, outputs),
            ControlValue::Ack(ack) => self.take_ack(ack, *ts, outputs),
            ControlValue::State(state) => self.take_state(key, state.as_deref(), *ts, outputs),
        }
    }

    /// The wall clock moved: unanswered requests expire, suspensions that nobody confirms are told. Stream time stays.
    pub fn on_tick(&mut self, now_ms: i64, _tables: &Tables, outputs: &mut Vec<Output>) {
        if now_ms.saturating_sub(self.stream_ms) <= BACKLOG_MS {
            self.pass_response_time(now_ms, outputs);
        }
    }

    /// Which part of the stream it owns.
    #[must_use]
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// What was asked, answered and enforced.
    #[must_use]
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// Moves stream time on to `now_ms` and closes the sessions that are over then, in the order of their last events.
    pub fn close_idle(&mut self, now_ms: i64, outputs: &mut Vec<Output>) {
        self.stream_ms = self.stream_ms.max(now_ms);
        let agents = &self.agents;
        let over = self
            .sessions
            .due(self.stream_ms, &self.config.detect.sessions, |session| (agents.get(session.agent).id.clone(), session.id.clone()));
        for slot in over {
            self.close(slot, outputs);
        }
    }

    /// The end of a replayed input: every open session closes. A live shutdown closes nothing.
    pub fn finish(&mut self, outputs: &mut Vec<Output>) {
        let from = outputs.len();
        let agents = &self.agents;
        for slot in self.sessions.all(|session| (agents.get(session.agent).id.clone(), session.id.clone())) {
            self.close(slot, outputs);
        }
        let now = self.stream_ms;
        let open = self.campaigns.take_all().chain(self.awaiting.take_drifts());
        outputs.extend(open.map(|open| Output::Finding(Box::new(open.close(now)))));
        self.end_response(outputs);
        self.keep_said(from, None, outputs);
        self.end_trail(outputs);
    }

    /// From now on new facts wait in the candidate store until they were seen again.
    pub fn seal(&mut self) {
        self.detector.learning.seal();
    }

    /// From now on sessions that begin change nothing but their own state; sessions already open still commit when they close.
    pub fn freeze(&mut self) {
        self.frozen = true;
        self.detector.freeze();
    }

    /// An analyst's verdict on the closed session `handle`. False if it waits no longer.
    pub fn give_verdict(&mut self, handle: u64, verdict: Verdict) -> bool {
        let waiting = self.detector.learning.waiting(handle);
        let owner = waiting.and_then(|(baseline, _)| self.agents.owner(baseline));
        if let Some(agent) = owner {
            self.touch(agent);
        }
        self.touch_group(waiting.and_then(|(_, group)| group));
        let is_found = match verdict {
            Verdict::Benign => self.detector.release(handle),
            Verdict::Expected => self.detector.dismiss(handle),
            Verdict::Malicious => self.detector.discard(handle),
        };
        if let Some(agent) = owner {
            self.weigh(agent);
        }
        is_found
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The detector, for reports.
    #[must_use]
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The operator's threshold has hit a clamp: the budget cannot be kept.
    #[must_use]
    pub fn is_budget_unreachable(&self) -> bool {
        self.budget.unreachable
    }

    fn find_open(&self, agent: AgentSlot, key: u64) -> Option<SessionSlot> {
        self.agents.get(agent).open.iter().copied().find(|&slot| self.sessions.get(slot).key == key)
    }

    /// The session that the event belongs to, of the group that does the same `work` (the task type, else the declared role); true if
    /// the event is older than a closed session's last, so that it is scored by itself.
    fn session_for(
        &mut self,
        event: &Event<'_>,
        slot: AgentSlot,
        key: u64,
        work: Option<&str>,
        outputs: &mut Vec<Output>,
    ) -> (SessionSlot, bool) {
        if let Some(open) = self.find_open(slot, key) {
            let begun = self.sessions.get(open).begun;
            let agent = self.agents.get_mut(slot);
            if begun < agent.newest_begun {
                agent.note_resumed(key);
            }
            return (open, false);
        }
        let agent = self.agents.get_mut(slot);
        let before = if key == RUNNING_STRETCH { None } else { agent.recent(key) };
        let too_late = before.is_some_and(|before| event.ts < before.last_ts);
        if !too_late {
            if before.is_some() && agent.last_begun_key() != Some(key) {
                agent.note_resumed(key);
            }
            let over = if agent.is_serial() {
                agent.open.clone()
            } else if agent.open.len() >= self.config.detect.sessions.open_max {
                agent.open.iter().copied().min_by_key(|&open| (self.sessions.get(open).last_ts, open)).into_iter().collect()
            } else {
                Vec::new()
            };
            for open in over {
                self.close(open, outputs);
            }
        }
        let group = work.and_then(|work| self.group(work));
        let agent = self.agents.get_mut(slot);
        let detected = self.detector.open(agent.current, group);
        let session = Session {
            detected,
            agent: slot,
            key,
            id: event.session_id.as_deref().map(Into::into),
            first_ts: event.ts,
            last_ts: event.ts,
            begun: 0,
            teaches: !self.frozen && !too_late,
            context: sessions::Context::default(),
            alarm: alarm::SessionAlarm::default(),
        };
        let open = self.sessions.open(session, &self.config.detect.sessions);
        if !too_late {
            agent.open.push(open);
            agent.newest_begun = self.sessions.get(open).begun;
            agent.begin(key, event.ts);
        }
        (open, too_late)
    }

    /// Time since the session's event before, where that says something.
    fn gap(&mut self, event: &Event<'_>, agent: AgentSlot, slot: SessionSlot) -> Option<i64> {
        let is_late = event.ts < self.agents.get(agent).newest_ts;
        let session = self.sessions.get_mut(slot);
        if is_late || session.detected.events() == 0 || self.config.detect.clock == Clock::Synthetic {
            return None;
        }
        let gap_ms = (event.ts - session.last_ts).max(0);
        let is_real = session.detected.gaps.is_real(gap_ms);
        (is_real || self.config.detect.clock == Clock::Real).then_some(gap_ms)
    }

    /// Closes a session: scores its end, says so, closes its findings, and learns what the gate lets in.
    fn close(&mut self, slot: SessionSlot, outputs: &mut Vec<Output>) {
        let (agent, group) = (self.sessions.get(slot).agent, self.sessions.get(slot).detected.group);
        self.touch(agent);
        self.touch_group(group);
        let (reading, end) = self.detector.score_end(&mut self.sessions.get_mut(slot).detected);
        let raised = self.judge_end(&reading, slot);
        let Session { detected, agent, key, id, last_ts, teaches, mut alarm, .. } = *self.sessions.take(slot);
        let live = self.agents.get_mut(agent);
        live.open.retain(|&open| open != slot);
        live.note_closed(key, last_ts);
        self.handles += 1;
        self.counters.sessions += 1;
        outputs.push(Output::SessionEnd(Box::new(SessionEnd {
            ts: last_ts,
            agent_id: live.id.to_string(),
            session_id: id.map(Into::into),
            session_score: surprise(detected.p_value),
            decision: alarm.strictest.unwrap_or(Decision::Allow),
            handle: self.handles,
        })));
        outputs.extend(raised);
        self.budget.session_closed(self.stream_ms, alarm.is_alarmed());
        let mut over = self.campaigns.quiet(self.stream_ms);
        let mut drifts = Vec::new();
        if teaches {
            drifts = self.watch_drift(&detected, agent);
            let is_held = self.detector.model.agent(detected.agent).drifting;
            if !is_held {
                let closed = self.detector.close(detected, end, self.handles);
                if !closed.committed {
                    for open in alarm.open() {
                        self.awaiting.add(open.finding.finding_id.clone(), self.handles);
                    }
                }
                if !closed.new_pins.is_empty()
                    && let Some(finding) = alarm.take_misuse()
                {
                    over.extend(self.campaigns.keep(self.handles, finding));
                }
            }
        }
        self.weigh(agent);
        let now = self.stream_ms;
        outputs
            .extend(over.into_iter().map(|open| open.close(now)).chain(alarm.close(now)).map(|finding| Output::Finding(Box::new(finding))));
        outputs.extend(drifts);
        if let Some(verdict) = alarm.verdict {
            self.settle(self.handles, verdict, outputs);
        }
    }

    /// Drops the session of a late event: it was scored, and teaches nothing. What it raised ends with it.
    fn forget(&mut self, slot: SessionSlot, outputs: &mut Vec<Output>) {
        let mut alarm = self.sessions.take(slot).alarm;
        outputs.extend(alarm.close(self.stream_ms).map(|finding| Output::Finding(Box::new(finding))));
    }
}

/// The key of an agent's events without session and trace.
const RUNNING_STRETCH: u64 = 0;

/// What names the event's session: its session id, else its trace id, else the agent's running stretch.
fn session_key(event: &Event<'_>) -> u64 {
    match (&event.session_id, &event.trace_id) {
        (Some(id), _) => hash::keyed(id.as_bytes(), HASH_KEY).max(1),
        (None, Some(id)) => hash::keyed(id.as_bytes(), !HASH_KEY).max(1),
        (None, None) => RUNNING_STRETCH,
    }
}

/// `-log10 p`, never below 0 and never infinite.
fn surprise(p: f64) -> f64 {
    (elementary::ln(p.max(f64::MIN_POSITIVE)) * std::f64::consts::LOG10_E).abs()
}
