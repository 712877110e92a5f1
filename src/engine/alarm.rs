//! What a session raised so far: the findings that are open for it, and the explanation of its loudest event.

use serde::{Deserialize, Serialize};

use super::explain::Explanation;
use crate::detect::family::Family;
use crate::finding::{Activity, Decision, Finding, Kind, Severity};

/// Event ids that a finding lists.
const EVENTS_LISTED: usize = 20;
/// Stream time between two updates of a finding whose severity did not rise, ms.
const UPDATE_EVERY_MS: i64 = 60_000;

/// The alarm state of one session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SessionAlarm {
    /// The strictest decision so far.
    pub strictest: Option<Decision>,
    /// The loudest event so far, if any was odd enough to explain, with its joint score.
    pub loudest: Option<Box<(f64, Explanation)>>,
    crossed: u8,
    open: Vec<OpenFinding>,
}

/// A finding that is open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenFinding {
    /// As it would be published now.
    #[serde(with = "crate::finding::as_json")]
    pub finding: Finding,
    published_severity: Severity,
    published_at: i64,
    published_count: u64,
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

    /// All open findings, to change.
    pub fn open_mut(&mut self) -> &mut [OpenFinding] {
        &mut self.open
    }

    /// Opens a finding; returns what to publish.
    pub fn raise(&mut self, finding: Finding) -> Finding {
        self.open.push(OpenFinding {
            published_severity: finding.severity,
            published_at: finding.detected_at,
            published_count: finding.count,
            finding: finding.clone(),
        });
        finding
    }

    /// Closes every open finding at stream time `now`; returns what to publish.
    pub fn close(&mut self, now: i64) -> impl Iterator<Item = Finding> + '_ {
        self.open.drain(..).map(move |open| Finding { activity: Activity::Close, detected_at: now, ..open.finding })
    }
}

impl OpenFinding {
    /// One more event behind the finding, at stream time `now`; returns an update if one is worth publishing.
    pub fn repeat(&mut self, event_id: &str, ts: i64, severity: Severity, now: i64) -> Option<Finding> {
        let finding = &mut self.finding;
        if finding.events.last().is_none_or(|last| last != event_id) {
            finding.count += 1;
            finding.last_seen = finding.last_seen.max(ts);
            if finding.events.len() < EVENTS_LISTED {
                finding.events.push(event_id.to_owned());
            }
        }
        finding.severity = finding.severity.max(severity);
        let rose = finding.severity > self.published_severity;
        let more = finding.count > self.published_count && now - self.published_at >= UPDATE_EVERY_MS;
        (rose || more).then(|| {
            self.published_severity = self.finding.severity;
            self.published_at = now;
            self.published_count = self.finding.count;
            Finding { activity: Activity::Update, detected_at: now, ..self.finding.clone() }
        })
    }
}
