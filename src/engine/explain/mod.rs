//! Why: each channel's answer as expected against actual, from the very numbers that were scored (DETECTION.md, section 4).

mod attribute;
pub mod format;
mod session;
mod transition;
mod value;

use serde::{Deserialize, Serialize};

use serde_json::{Map, Value, json};

use crate::baseline::Observation;
use crate::detect::channel::Channel;
use crate::detect::event_score::{EventReading, Reading};
use crate::detect::{Detector, OpenSession};
use crate::event::Event;
use crate::finding::{Evidence, Kind, Pattern, Reason};

pub use session::{of_end, of_family};

/// Evidence (`ln e`) from which a channel is worth a reason.
const TELLING: f64 = 0.7;
const REASONS_MAX: usize = 3;

/// What there is to say of one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What drove it.
    pub kind: Kind,
    /// One sentence.
    pub title: String,
    /// Most telling first, at most three.
    #[serde(with = "crate::finding::as_json")]
    pub reasons: Vec<Reason>,
    /// The smallest change that would have made it ordinary.
    pub normal_if: Option<String>,
    /// The tool, target or destination was never seen in the whole fleet.
    pub brand_new: bool,
    /// What is loudest is a tool or destination that was never seen in the whole fleet.
    pub new_to_fleet: bool,
    /// The destination is what is new.
    pub new_destination: bool,
    /// The event.
    pub event_id: String,
}

/// One event with everything that explaining it takes.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// What was known.
    pub detector: &'a Detector,
    /// Its session, already moved on.
    pub session: &'a OpenSession,
    /// The event.
    pub event: &'a Event<'a>,
    /// What was modelled of it.
    pub observation: &'a Observation,
    /// What it scored.
    pub reading: &'a EventReading,
}

/// A reason before its share is known.
struct Draft {
    field: String,
    expected: String,
    actual: String,
    evidence: Option<Evidence>,
    title: String,
    normal_if: String,
    detail: Map<String, Value>,
}

/// Explains the event by its loudest channels.
#[must_use]
pub fn of_event(told: &Told<'_>) -> Explanation {
    let mut loudest: Vec<(Channel, Reading)> = told.reading.channels.present().collect();
    loudest.sort_by(|a, b| b.1.e.total_cmp(&a.1.e).then(a.0.cmp(&b.0)));
    let kept = loudest.iter().take(REASONS_MAX).filter(|(_, reading)| reading.e.ln() > TELLING).count().max(1);
    loudest.truncate(kept);
    let total: f64 = loudest.iter().map(|(_, reading)| reading.e.ln().max(0.0)).sum();
    let drafts: Vec<(Channel, Reading, Draft)> =
        loudest.into_iter().map(|(channel, reading)| (channel, reading, draft(told, channel))).collect();
    let first = &drafts[0];
    let kind = kind_of(first.0);
    let new_to_fleet = match first.0 {
        Channel::Sequence => !told.detector.model.tools.is_known(told.observation.tool),
        Channel::Destination => attribute::is_unseen(told, crate::baseline::Attribute::Destination),
        _ => false,
    };
    let (title, normal_if) = (first.2.title.clone(), first.2.normal_if.clone());
    let reasons = drafts
        .into_iter()
        .map(|(channel, reading, draft)| {
            let share = if total > 0.0 { reading.e.ln().max(0.0) / total } else { 1.0 };
            reason(channel, reading, draft, share)
        })
        .collect();
    Explanation {
        kind,
        title,
        reasons,
        normal_if: Some(normal_if),
        brand_new: is_brand_new(told),
        new_to_fleet,
        new_destination: attribute::is_unseen(told, crate::baseline::Attribute::Destination),
        event_id: told.event.event_id.clone().into_owned(),
    }
}

/// A tool that ran although it had been denied before in the same session: context, which the score does not rest on.
#[must_use]
pub fn of_denials(detector: &Detector, tool: crate::baseline::ToolId, denials: usize) -> Reason {
    let name = quoted(detector.model.tools.name(tool));
    let (expected, actual) =
        (format!("{name} not to run after it was denied"), format!("{name} ran after {denials} denials in this session"));
    Reason { contribution: 0.0, ..Reason::of_fact(Kind::Outcome.as_str(), "denied_then_ok", expected, actual) }
}

/// The kind of finding that a channel makes.
#[must_use]
pub fn kind_of(channel: Channel) -> Kind {
    match channel {
        Channel::Sequence => Kind::Sequence,
        Channel::Status => Kind::Outcome,
        Channel::BytesOut | Channel::BytesIn => Kind::Volume,
        Channel::Duration => Kind::Duration,
        Channel::Gap => Kind::Cadence,
        _ => Kind::Novelty,
    }
}

fn is_brand_new(told: &Told<'_>) -> bool {
    let tool_is_new = !told.detector.model.tools.is_known(told.observation.tool);
    let value_is_new = [crate::baseline::Attribute::Target, crate::baseline::Attribute::Destination].into_iter().any(|attribute| {
        told.reading.channels.get(Channel::from(attribute)).is_some_and(|reading| reading.is_loud())
            && attribute::is_unseen(told, attribute)
    });
    tool_is_new || value_is_new
}

fn draft(told: &Told<'_>, channel: Channel) -> Draft {
    match (channel, channel.attribute(), channel.metric()) {
        (_, Some(attribute), _) => attribute::draft(told, attribute),
        (_, _, Some(metric)) => value::draft(told, metric),
        (Channel::Status, ..) => transition::status_draft(told),
        _ => transition::draft(told),
    }
}

fn reason(channel: Channel, reading: Reading, draft: Draft, contribution: f64) -> Reason {
    let mut detail = draft.detail;
    detail.insert("p".into(), json!(reading.p));
    detail.insert("llr".into(), json!(reading.raw));
    Reason {
        channel: kind_of(channel).as_str().into(),
        field: draft.field,
        expected: draft.expected,
        actual: draft.actual,
        pattern: draft.evidence.and_then(|evidence| Pattern::of(evidence.count, evidence.of)),
        evidence: draft.evidence,
        contribution,
        detail,
    }
}

/// `value` as it may stand in a sentence: short, and without line breaks or control characters.
fn quoted(value: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = value.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST + 1).collect();
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST - 1).collect();
        text.push('…');
    }
    text
}
