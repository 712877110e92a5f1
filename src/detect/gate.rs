//! What a closed session may teach (DETECTION.md, section 3): commit or quarantine, calibrate or not, and which facts are pinned.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::detector::Detector;
use super::session::{OpenSession, StoredScores};
use crate::baseline::agent::Stratum;
use crate::baseline::learn::{Gate, SessionDelta};
use crate::baseline::pins::{Fact, Owner, Pins};
use crate::baseline::{AgentIndex, GroupIndex};

/// Sessions below this p wait for an analyst.
const QUARANTINE_BELOW: f64 = 0.01;
const TOKENS_MAX: f64 = 20.0;
const TOKENS_PER_SESSION: f64 = 0.02;
/// Sessions that wait for an analyst; the oldest goes first.
const QUARANTINE_MAX: usize = 1000;

/// What may be learned, and what waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Learning {
    /// Facts of alarms that never become normal by repetition.
    pub pins: Pins,
    sealed: bool,
    seal_after_sessions: Option<u32>,
    tokens: f64,
    quarantine: VecDeque<Quarantined>,
    /// Sessions that left quarantine unjudged.
    pub quarantine_dropped: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Quarantined {
    handle: u64,
    session: Box<OpenSession>,
    end: StoredScores,
    calibrated: bool,
}

/// What became of a closed session.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// Learned; otherwise it waits in quarantine.
    pub committed: bool,
    /// Its scores entered the calibrators.
    pub calibrated: bool,
    /// It contained a fact that an earlier session had pinned.
    pub pin_hit: bool,
    /// Facts that it pinned.
    pub new_pins: Vec<(Owner, Fact)>,
}

impl Learning {
    /// Everything is new. `seal_after_sessions`: of one agent, after which its new facts wait.
    #[must_use]
    pub fn new(seal_after_sessions: Option<u32>) -> Self {
        Self {
            pins: Pins::default(),
            sealed: false,
            seal_after_sessions,
            tokens: TOKENS_MAX,
            quarantine: VecDeque::new(),
            quarantine_dropped: 0,
        }
    }

    /// From now on new facts wait, whatever the agent's age.
    pub fn seal(&mut self) {
        self.sealed = true;
    }

    /// Odd sessions that may still enter the calibrators.
    #[must_use]
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// Sessions in quarantine.
    #[must_use]
    pub fn quarantined(&self) -> usize {
        self.quarantine.len()
    }

    /// The same under the settings of now: when to seal is no part of what was learned.
    #[must_use]
    pub fn under(self, seal_after_sessions: Option<u32>) -> Self {
        Self { seal_after_sessions, ..self }
    }

    /// Of which agent and group the session is that waits as `handle`.
    #[must_use]
    pub fn waiting(&self, handle: u64) -> Option<(AgentIndex, Option<GroupIndex>)> {
        self.quarantine.iter().find(|waiting| waiting.handle == handle).map(|waiting| (waiting.session.agent, waiting.session.group))
    }

    /// Whether a session of an agent waits.
    #[must_use]
    pub fn holds(&self, agent: AgentIndex) -> bool {
        self.quarantine.iter().any(|waiting| waiting.session.agent == agent)
    }

    /// Forgets what waits of an agent, and what is pinned for it alone.
    pub fn forget(&mut self, agent: AgentIndex) {
        self.quarantine.retain(|waiting| waiting.session.agent != agent);
        self.pins.forget(Owner::Agent(agent));
    }

    fn is_sealed(&self, sessions: u32) -> bool {
        self.sealed || self.seal_after_sessions.is_some_and(|after| sessions >= after)
    }

    /// Whether an ordinary or odd session may calibrate: odd ones only by token, so a wave of attacks cannot raise the threshold fast.
    fn admit(&mut self, stratum: Stratum, p: f64) -> bool {
        if stratum == Stratum::New {
            return true;
        }
        self.tokens = (self.tokens + TOKENS_PER_SESSION).min(TOKENS_MAX);
        if p >= QUARANTINE_BELOW {
            return true;
        }
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

impl Detector {
    /// Learns from a closed session what the gate lets in. `handle` names it for a later verdict.
    pub fn close(&mut self, mut session: OpenSession, end: StoredScores, handle: u64) -> Closed {
        let p = session.p_value;
        let owner = session.owner();
        let sealed = self.learning.is_sealed(self.model.agent(session.agent).sessions);
        let pins_apply = sealed && session.stratum != Stratum::New;
        let odd = p < QUARANTINE_BELOW;
        let pins = self.learning.pins.of(owner).filter(|_| pins_apply);
        let pin_hit = pins.is_some_and(|pins| session.facts().any(|(fact, _)| pins.contains(fact)));
        let mut new_pins = Vec::new();
        if pins_apply && odd {
            for (fact, _) in session.facts().filter(|(_, loud)| *loud) {
                if self.learning.pins.pin(owner, fact, handle) {
                    new_pins.push((owner, fact));
                }
            }
        }
        let calibrated = !pin_hit && self.learning.admit(session.stratum, p);
        if calibrated {
            calibrate(&mut self.calibration, &session, &end);
        }
        let committed = session.stratum == Stratum::New || !odd;
        if committed {
            let gate = match (sealed, pins_apply) {
                (false, _) => Gate::Open,
                (true, false) => Gate::Sealed(None),
                (true, true) => Gate::Sealed(self.learning.pins.of(owner)),
            };
            self.model.learn(&delta(&session), gate);
            self.spare.keep(session);
        } else {
            // It may wait for long: no place is left free.
            session.shrink();
            self.learning.quarantine.push_back(Quarantined { handle, session: Box::new(session), end, calibrated });
            if self.learning.quarantine.len() > QUARANTINE_MAX {
                self.learning.quarantine.pop_front();
                self.learning.quarantine_dropped += 1;
            }
        }
        Closed { committed, calibrated, pin_hit, new_pins }
    }

    /// An analyst says that the quarantined session `handle` was ordinary: it is learned whole, and its pins go. False if it is not there.
    pub fn release(&mut self, handle: u64) -> bool {
        let Some(Quarantined { session, end, calibrated, .. }) = self.take(handle) else { return false };
        self.unpin(&session);
        if !calibrated {
            calibrate(&mut self.calibration, &session, &end);
        }
        self.model.learn(&delta(&session), Gate::Open);
        true
    }

    /// An analyst says that the quarantined session `handle` was unusual but meant to be: its pins go, and nothing is learned. False if it
    /// is not there.
    pub fn dismiss(&mut self, handle: u64) -> bool {
        let Some(Quarantined { session, .. }) = self.take(handle) else { return false };
        self.unpin(&session);
        true
    }

    fn unpin(&mut self, session: &OpenSession) {
        let owner = session.owner();
        for (fact, _) in session.facts().filter(|(_, loud)| *loud) {
            self.learning.pins.unpin(owner, fact);
        }
    }

    /// An analyst says that it was misuse: it is never learned and its loud facts stay pinned for good. False if it is not there.
    pub fn discard(&mut self, handle: u64) -> bool {
        let Some(Quarantined { session, .. }) = self.take(handle) else { return false };
        let owner = session.owner();
        for (fact, loud) in session.facts() {
            if loud {
                self.learning.pins.confirm(owner, fact, handle);
            }
        }
        true
    }

    fn take(&mut self, handle: u64) -> Option<Quarantined> {
        let at = self.learning.quarantine.iter().position(|waiting| waiting.handle == handle)?;
        self.learning.quarantine.remove(at)
    }
}

fn calibrate(calibration: &mut Calibration, session: &OpenSession, end: &StoredScores) {
    calibration.add(session.stratum, &session.steps, end, session.families.maxima());
}

fn delta(session: &OpenSession) -> SessionDelta<'_> {
    SessionDelta {
        agent: session.agent,
        group: session.group,
        observations: &session.observations,
        weights: session.weights,
        bytes_out: session.bytes_out,
    }
}
