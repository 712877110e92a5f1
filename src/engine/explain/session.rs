//! The reason of an odd session: its length, its total, whose habits it has, what goes on and on.

use serde_json::{Map, json};

use super::value::Usual;
use super::{Draft, Explanation, Told, draft, format, is_brand_new, quoted};
use crate::baseline::Metric;
use crate::baseline::sequence::{longest_run, order_1};
use crate::baseline::tools::END;
use crate::detect::channel::Channel;
use crate::detect::event_score::EventReading;
use crate::detect::family::Family;
use crate::detect::persistence::Strongest;
use crate::detect::{Detector, OpenSession};
use crate::finding::{Evidence, Kind, Pattern, Reason};

/// Explains what made `family` cross; `family_p` is its calibrated p. Family A is explained by its loudest event instead.
#[must_use]
pub fn of_family(told: &Told<'_>, family: Family, family_p: f64) -> Explanation {
    let (kind, draft) = match family {
        Family::Length => (Kind::Session, length(told)),
        Family::Total => (Kind::Volume, total(told)),
        Family::Identity => (Kind::Session, identity(told)),
        Family::Persistence => match told.session.families.persistence.strongest() {
            Strongest::Loop => (Kind::Cadence, repeats(told)),
            Strongest::BytesOut => (Kind::Volume, draft(told, Channel::BytesOut)),
            Strongest::Duration => (Kind::Duration, draft(told, Channel::Duration)),
        },
        Family::Misuse | Family::Volume => {
            let channel = loudest_metric(told);
            (super::kind_of(channel), draft(told, channel))
        }
    };
    let Draft { field, expected, actual, evidence, title, normal_if, mut detail } = draft;
    detail.insert("family".into(), json!(family.letter()));
    detail.insert("p".into(), json!(family_p));
    Explanation {
        kind,
        title,
        reasons: vec![Reason {
            channel: kind.as_str().into(),
            field,
            expected,
            actual,
            pattern: evidence.and_then(|evidence| Pattern::of(evidence.count, evidence.of)),
            evidence,
            contribution: 1.0,
            detail,
        }],
        normal_if: Some(normal_if),
        brand_new: is_brand_new(told),
        new_to_fleet: false,
        new_destination: false,
        event_id: told.event.event_id.clone().into_owned(),
    }
}

/// Explains a session that crossed only when it ended, and had no event worth explaining by itself.
#[must_use]
pub fn of_end(
    detector: &Detector,
    session: &OpenSession,
    reading: &EventReading,
    family: Family,
    family_p: f64,
    event_id: &str,
) -> Explanation {
    let tools = &detector.model.tools;
    let last = session.history.last[0];
    let node = detector.model.agent(session.agent).counts.sequence.get(order_1(last));
    let (count, of) = node.map_or((0, 0), |node| (u64::from(node.count(END)), u64::from(node.total())));
    let from = quoted(tools.name(last));
    let evidence = Evidence { count, of };
    let kind = if family == Family::Misuse { Kind::Sequence } else { Kind::Session };
    let mut detail = Map::new();
    detail.insert("family".into(), json!(family.letter()));
    detail.insert("p".into(), json!(family_p));
    detail.insert("llr".into(), json!(reading.joint));
    let ends = format!("the session ends after {from} in {} of {}", format::count(count), format::count(of));
    Explanation {
        kind,
        title: format!(
            "The whole session is odd; its end after {from} was seen in {} of {} cases",
            format::count(count),
            format::count(of)
        ),
        reasons: vec![Reason {
            channel: kind.as_str().into(),
            field: "transition".into(),
            expected: ends,
            actual: format!("{from} → END"),
            pattern: Pattern::of(count, of),
            evidence: Some(evidence),
            contribution: 1.0,
            detail,
        }],
        normal_if: Some("the session had gone on as usual".into()),
        brand_new: false,
        new_to_fleet: false,
        new_destination: false,
        event_id: event_id.to_owned(),
    }
}

/// The size or duration with most evidence; without any, the sequence.
fn loudest_metric(told: &Told<'_>) -> Channel {
    told.reading
        .channels
        .present()
        .filter(|(channel, _)| channel.metric().is_some_and(|metric| metric != Metric::Gap))
        .max_by(|a, b| a.1.e.total_cmp(&b.1.e))
        .map_or(Channel::Sequence, |(channel, _)| channel)
}

fn length(told: &Told<'_>) -> Draft {
    let events = told.session.events();
    let totals = &told.detector.model.agent(told.session.agent).totals;
    let predictive = told.detector.model.predict_events(told.session.agent, told.session.group);
    let median = totals.quantile(0.5).map_or_else(|| predictive.mean.exp_m1(), f64::from);
    let p99 = totals.quantile(0.99).map_or_else(|| (predictive.mean + 2.33 * predictive.scale).exp_m1(), f64::from);
    let (longer, sessions) = (totals.at_least(events), totals.sessions);
    Draft {
        field: "session_length".into(),
        expected: format!("median {median:.0} events, 99 % at most {p99:.0} (n={})", format::count(sessions.into())),
        actual: format!("{events} events"),
        evidence: Some(Evidence { count: longer.into(), of: sessions.into() }),
        title: format!(
            "The session has {events} events; {longer} of {} sessions had as many, median {median:.0}",
            format::count(sessions.into())
        ),
        normal_if: format!("the session had at most {p99:.0} events"),
        detail: Map::new(),
    }
}

fn total(told: &Told<'_>) -> Draft {
    let predictive = told.detector.model.predict_bytes(told.session.agent, told.session.group);
    let totals = &told.detector.model.agent(told.session.agent).totals.bytes;
    let usual = Usual::of(Metric::BytesOut, &predictive, None);
    let shown = |bytes: f64| format::value(Metric::BytesOut, bytes);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of sessions")]
    let n = totals.moments.n as u64;
    let (actual, median, p99) = (shown(told.session.bytes_out), shown(usual.median), shown(usual.p99));
    Draft {
        field: "session_bytes_out".into(),
        expected: format!("median {median}, 99 % below {p99} a session (n={})", format::count(n)),
        title: format!("The session sent {actual} in all; median {median}, 99 % below {p99}"),
        actual,
        evidence: None,
        normal_if: format!("the session sent less than {p99}"),
        detail: Map::new(),
    }
}

fn identity(told: &Told<'_>) -> Draft {
    let group = told.session.group.map_or("", |group| &told.detector.model.group(group).name);
    let telling = told.reading.channels.present().max_by(|a, b| a.1.e.total_cmp(&b.1.e)).map_or(Channel::Sequence, |(channel, _)| channel);
    let most_telling = draft(told, telling);
    let fits = told.session.families.identity_level();
    let mut detail = Map::new();
    detail.insert("most_telling".into(), json!(most_telling.actual));
    Draft {
        field: "identity".into(),
        expected: format!("habits of this agent; most telling: {}", most_telling.expected),
        actual: format!("fits group {} better than the agent by e^{fits:.1}; most telling: {}", quoted(group), most_telling.actual),
        evidence: None,
        title: format!("The session fits group {} better than this agent by e^{fits:.1}", quoted(group)),
        normal_if: most_telling.normal_if,
        detail,
    }
}

fn repeats(told: &Told<'_>) -> Draft {
    let tool = quoted(told.detector.model.tools.name(told.observation.tool));
    let run = told.session.history.run;
    let longest = longest_run(&told.detector.model.agent(told.session.agent).counts.sequence, told.observation.tool);
    Draft {
        field: "repeats".into(),
        expected: format!("at most {longest} in a row"),
        actual: format!("{tool} {run} times in a row"),
        evidence: None,
        title: format!("Tool {tool} was called {run} times in a row; the longest run before was {longest}"),
        normal_if: format!("{tool} were called at most {longest} times in a row"),
        detail: Map::new(),
    }
}
