//! What a session raised so far: the findings that are open for it, and the explanation of its loudest event.

use serde::{Deserialize, Serialize};

use super::loudest::Loudest;
use super::{Verdict, surprise};
use crate::detect::family::Family;
use crate::finding::techniques::{self, Refinement};
use crate::finding::{Activity, Decision, Finding, Kind, Reason, Severity};

/// Event ids that a finding lists.
const EVENTS_LISTED: usize = 20;
/// Stream time between two updates of a finding whose severity did not rise, ms.
const UPDATE_EVERY_MS: i64 = 60_000;

/// The alarm state of one session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SessionAlarm {
    /// The strictest decision so far.
    pub strictest: Option<Decision>,
    /// The loudest event so far, if any was odd enough to explain.
    pub loudest: Option<Loudest>,
    /// The closed session whose finding this session's misuse has joined, while it carries nothing else.
    pub joined: Option<u64>,
    /// What an analyst said while the session was open.
    pub verdict: Option<Verdict>,
    crossed: u8,
    open: Vec<OpenFinding>,
}

/// A finding that is open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenFinding {
    /// As it would be published now.
    #[serde(with = "crate::finding::as_json")]
    pub finding: Finding,
    family: Option<Family>,
    published_severity: Severity,
    published_at: i64,
    published_count: u64,
}

/// One more event behind a finding.
#[derive(Debug, Clone, Copy)]
pub struct Again<'a> {
    /// The event.
    pub event_id: &'a str,
    /// Its time, epoch ms.
    pub ts: i64,
    /// How bad it is now.
    pub severity: Severity,
    /// 0 to 100.
    pub risk: u8,
    /// What should happen now.
    pub decision: Decision,
    /// p of its session so far, where behaviour is behind it.
    pub p: Option<f64>,
    /// What the event shows beside its score; said once a finding.
    pub context: Option<&'a Reason>,
}

impl SessionAlarm {
    /// Whether the session raised anything.
    #[must_use]
    pub fn is_alarmed(&self) -> bool {
        self.crossed != 0
    }

    /// Notes that `family` is below the threshold; true the first time.
    pub fn cross(&mut self, family: Family) -> bool {
        let bit = 1 << family as u8;
        let first = self.crossed & bit == 0;
        self.crossed |= bit;
        first
    }

    /// Remembers the strictest decision.
    pub fn note(&mut self, decision: Decision) {
        self.strictest = self.strictest.max(Some(decision));
    }

    /// The open finding of `kind`.
    pub fn finding_mut(&mut self, kind: Kind) -> Option<&mut OpenFinding> {
        self.open.iter_mut().find(|open| open.finding.kind == kind)
    }

    /// The open findings.
    #[must_use]
    pub fn open(&self) -> &[OpenFinding] {
        &self.open
    }

    /// The newest open finding of behaviour.
    #[must_use]
    pub fn behaviour(&self) -> Option<&Finding> {
        self.open.iter().rev().find(|open| open.family.is_some()).map(|open| &open.finding)
    }

    /// The open findings of behaviour, to change.
    pub fn behaviour_mut(&mut self) -> impl Iterator<Item = &mut OpenFinding> {
        self.open.iter_mut().filter(|open| open.family.is_some())
    }

    /// Opens a finding, for the family that crossed where behaviour is behind it; returns what to publish.
    pub fn raise(&mut self, finding: Finding, family: Option<Family>) -> Finding {
        self.open.push(OpenFinding::of(finding.clone(), family));
        finding
    }

    /// Takes out the finding that misuse opened first.
    pub fn take_misuse(&mut self) -> Option<OpenFinding> {
        let at = self.open.iter().position(|open| open.family == Some(Family::Misuse))?;
        Some(self.open.remove(at))
    }

    /// Closes every open finding at stream time `now`; returns what to publish.
    pub fn close(&mut self, now: i64) -> impl Iterator<Item = Finding> + '_ {
        self.open.drain(..).map(move |open| open.close(now))
    }
}

impl OpenFinding {
    /// A finding that is published as it opens.
    #[must_use]
    pub fn of(finding: Finding, family: Option<Family>) -> Self {
        Self { family, published_severity: finding.severity, published_at: finding.detected_at, published_count: finding.count, finding }
    }

    /// Ends the finding at stream time `now`; returns what to publish.
    #[must_use]
    pub fn close(self, now: i64) -> Finding {
        Finding { activity: Activity::Close, detected_at: now, ..self.finding }
    }

    /// One more event behind the finding, at stream time `now`; returns an update if one is worth publishing.
    pub fn repeat(&mut self, again: &Again<'_>, now: i64) -> Option<Finding> {
        let finding = &mut self.finding;
        if finding.events.last().is_none_or(|last| last != again.event_id) {
            finding.count += 1;
            finding.last_seen = finding.last_seen.max(again.ts);
            if finding.events.len() < EVENTS_LISTED {
                finding.events.push(again.event_id.to_owned());
            }
        }
        finding.severity = finding.severity.max(again.severity);
        finding.risk = finding.risk.max(again.risk);
        finding.decision = finding.decision.max(again.decision);
        if let Some(p) = again.p {
            finding.p_value = finding.p_value.map(|worst| worst.min(p));
            finding.score = finding.p_value.map(surprise);
        }
        let known = |context: &&Reason| finding.reasons.iter().any(|reason| reason.field == context.field);
        let context = again.context.filter(|context| !known(context));
        if let Some(context) = context {
            finding.reasons.push(context.clone());
            if finding.kind == Kind::Outcome {
                let refined = techniques::refined(finding.kind, Some(Refinement::DeniedThenAllowed));
                finding.techniques = refined.iter().map(|&id| id.to_owned()).collect();
            }
        }
        let rose = finding.severity > self.published_severity || context.is_some();
        let more = finding.count > self.published_count && now - self.published_at >= UPDATE_EVERY_MS;
        (rose || more).then(|| {
            self.published_severity = self.finding.severity;
            self.published_at = now;
            self.published_count = self.finding.count;
            Finding { activity: Activity::Update, detected_at: now, ..self.finding.clone() }
        })
    }
}
