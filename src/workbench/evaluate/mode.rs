//! One run of the engine over a recorded stream: train, seal, then score the test sessions frozen, live or with an analyst's verdicts.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::EngineConfig;
use crate::engine::{Engine, EventScore, Output, SessionEnd, Shard, Tables, Verdict};
use crate::event::{Action, Event};
use crate::finding::{Activity, Decision};

use super::recorded::{Recorded, session_name};

/// Sessions below this p get a verdict in [`Mode::Triage`]: −log10 of it.
const TRIAGE_SCORE: f64 = 2.0;

/// What the engine may learn from the test sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: no learning, no calibration, no pins.
    Frozen,
    /// Whatever its own gate lets in, without labels.
    Live,
    /// As live; the true label of each session with p < .01 is fed back at its end, as an analyst would.
    Triage,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Frozen, Self::Live, Self::Triage];

    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Live => "live",
            Self::Triage => "triage",
        }
    }
}

/// What the engine said of one session.
#[derive(Debug, Clone, Default)]
pub struct SessionScore {
    /// `-log10 p` at its close; the greatest where it closed in several parts.
    pub score: f64,
    /// Closes of the session, parts counted apart.
    pub closes: u32,
    /// Where the running p first fell below α: place in the session (its length: at its end) and event time, epoch ms.
    pub first_alarm: Option<(usize, i64)>,
    /// Whether a finding opened in it.
    pub opened: bool,
    /// Whether the engine decided anything but `allow`.
    pub alarmed: bool,
}

/// What the engine said of a stream.
#[derive(Debug)]
pub struct Scored {
    /// By session number of the stream.
    pub sessions: Vec<SessionScore>,
    /// `-log10 p` by record; `None` where the engine could not judge it.
    pub events: Vec<Option<f64>>,
}

/// Runs the engine over the stream. `alpha` is the p below which a session counts as alarmed for its delay.
#[must_use]
pub fn run(recorded: &Recorded, mode: Mode, config: &Arc<EngineConfig>, train_until: Option<i64>, alpha: f64) -> Scored {
    let mut config = EngineConfig::clone(config);
    if train_until.is_some() {
        // The end of the training stretch seals.
        config.detect.seal_after_sessions = None;
    }
    let mut run = Run {
        recorded,
        mode,
        engine: Engine::new(Arc::new(config), Shard { partition: 0, partitions: 1 }),
        alarm_score: -alpha.log10(),
        scored: Scored { sessions: vec![SessionScore::default(); recorded.sessions.len()], events: vec![None; recorded.len()] },
        places: vec![0; recorded.sessions.len()],
        newest: HashMap::new(),
        verdicts: Vec::new(),
    };
    run.whole_stream(train_until);
    run.scored
}

struct Run<'a> {
    recorded: &'a Recorded,
    mode: Mode,
    engine: Engine,
    alarm_score: f64,
    scored: Scored,
    /// Events scored so far, by session.
    places: Vec<usize>,
    /// Session of the newest event by agent and by the name that the engine echoes.
    newest: HashMap<(String, Option<String>), usize>,
    verdicts: Vec<(u64, Verdict)>,
}

impl Run<'_> {
    fn whole_stream(&mut self, train_until: Option<i64>) {
        let tables = Tables::default();
        let mut outputs = Vec::new();
        let mut training = train_until;
        for (record, (session, event)) in self.recorded.events().enumerate() {
            if let Some(until) = training.filter(|&until| event.ts > until) {
                training = None;
                self.engine.close_idle(until, &mut outputs);
                self.take(&mut outputs, None);
                self.engine.seal();
                if self.mode == Mode::Frozen {
                    self.engine.freeze();
                }
            }
            self.engine.on_event(&event, &tables, &mut outputs);
            self.take(&mut outputs, Some(&Current { record, session, event: &event }));
        }
        self.engine.finish(&mut outputs);
        self.take(&mut outputs, None);
    }

    /// Notes what the engine said, then hands over the verdicts due.
    fn take(&mut self, outputs: &mut Vec<Output>, current: Option<&Current<'_>>) {
        for output in outputs.drain(..) {
            match output {
                Output::Score(score) => {
                    if let Some(current) = current {
                        self.count(current, &score);
                    }
                }
                Output::SessionEnd(end) => self.close(&end),
                Output::Finding(finding) if finding.activity == Activity::Open => {
                    let session = self.newest.get(&(finding.agent_id, finding.session_id));
                    if let Some(&session) = session.or(current.map(|current| &current.session)) {
                        self.scored.sessions[session].opened = true;
                    }
                }
                Output::Finding(_) | Output::StepUp(_) | Output::Sighting(_) | Output::State(_) | Output::Audit(_) => (),
            }
        }
        for (handle, verdict) in self.verdicts.drain(..) {
            self.engine.give_verdict(handle, verdict);
        }
    }

    /// The current event was scored. What closed before it belongs to older sessions, what closes after it may be its own.
    fn count(&mut self, current: &Current<'_>, score: &EventScore) {
        let Current { record, session, event } = *current;
        let agent = event.agent_id.as_ref().to_owned();
        if let Some(name) = session_name(event) {
            self.newest.insert((agent.clone(), Some(name)), session);
        }
        if event.session_id.is_none() {
            self.newest.insert((agent, None), session);
        }
        if event.action == Action::SessionEnd {
            return;
        }
        self.scored.events[record] = score.score;
        if self.scored.sessions[session].first_alarm.is_none() && score.session_score.is_some_and(|score| score > self.alarm_score) {
            self.scored.sessions[session].first_alarm = Some((self.places[session], event.ts));
        }
        self.places[session] += 1;
    }

    fn close(&mut self, end: &SessionEnd) {
        let Some(&number) = self.newest.get(&(end.agent_id.clone(), end.session_id.clone())) else { return };
        let session = &mut self.scored.sessions[number];
        session.closes += 1;
        session.score = session.score.max(end.session_score);
        session.alarmed |= end.decision != Decision::Allow;
        if session.first_alarm.is_none() && end.session_score > self.alarm_score {
            session.first_alarm = Some((self.places[number], end.ts));
        }
        let test = !self.recorded.sessions[number].training;
        if self.mode == Mode::Triage && test && end.session_score > TRIAGE_SCORE {
            let (misuse, _) = self.recorded.session_truth(number);
            self.verdicts.push((end.handle, if misuse { Verdict::Malicious } else { Verdict::Benign }));
        }
    }
}

/// The event being scored.
#[derive(Debug)]
struct Current<'a> {
    record: usize,
    session: usize,
    event: &'a Event<'a>,
}
