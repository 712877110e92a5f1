//! A record of the trail as a sentence: who did what, for whom, when, under which rule, and how it ended.

use crate::finding::PolicyShown;
use crate::finding::audit_record::{AuditRecord, What};

/// Verbs that tool names begin with, and what was done.
const PAST: &[(&str, &str)] = &[
    ("add", "added"),
    ("approve", "approved"),
    ("archive", "archived"),
    ("cancel", "cancelled"),
    ("change", "changed"),
    ("close", "closed"),
    ("create", "created"),
    ("delete", "deleted"),
    ("deploy", "deployed"),
    ("download", "downloaded"),
    ("edit", "edited"),
    ("export", "exported"),
    ("fetch", "fetched"),
    ("find", "found"),
    ("get", "got"),
    ("import", "imported"),
    ("issue", "issued"),
    ("list", "listed"),
    ("lookup", "looked up"),
    ("make", "made"),
    ("move", "moved"),
    ("open", "opened"),
    ("pay", "paid"),
    ("post", "posted"),
    ("publish", "published"),
    ("query", "queried"),
    ("read", "read"),
    ("remove", "removed"),
    ("reset", "reset"),
    ("run", "ran"),
    ("schedule", "scheduled"),
    ("search", "searched"),
    ("send", "sent"),
    ("set", "set"),
    ("transfer", "transferred"),
    ("trigger", "triggered"),
    ("update", "updated"),
    ("upload", "uploaded"),
    ("write", "wrote"),
];

/// The sentence; times of day are UTC.
#[must_use]
pub fn sentence(record: &AuditRecord) -> String {
    let AuditRecord { agent_id, outcome, .. } = record;
    let at = time_of_day(record.at);
    let request = record.request_id.as_deref().unwrap_or("an unknown request");
    let by = record.by.as_deref().unwrap_or("nobody");
    match record.what {
        What::Decision => {
            let verb = if outcome == "held" { format!("wanted to do this and was held: {}", deed(record)) } else { deed(record) };
            format!("agent {agent_id},{} {verb} at {at}{}: {}", on_behalf_of(record), under(record), ended(record))
        }
        What::Finding => {
            let title = record.title.as_deref().unwrap_or(outcome);
            format!("at {at} a finding opened about agent {agent_id}: {title}{}", under(record))
        }
        What::Request => {
            format!("request {request} of agent {agent_id},{} to have {} is {outcome} at {at}", on_behalf_of(record), deed(record))
        }
        What::Answer => {
            let (said, who) = record
                .answer
                .as_ref()
                .map_or(("unreadable", "nobody"), |answer| (&answer.outcome, answer.decided_by.as_deref().unwrap_or("nobody")));
            let counts = if record.kind.is_some() { format!("refused as {outcome}") } else { "accepted".to_owned() };
            format!("at {at} {who} answered {said} to {request} of agent {agent_id}: {counts}")
        }
        What::State => format!("at {at} the state of agent {agent_id} set by {by}: {outcome}{}", because(record)),
        What::Ack => {
            let after = record.state_to_ack_ms.map_or_else(String::new, |ms| format!(", {ms} ms after the state"));
            format!("at {at} {by} acknowledged for agent {agent_id}: {outcome}{after}")
        }
        What::Digest => format!("at {at} {} records are anchored by {}", record.records.unwrap_or_default(), record.hash),
    }
}

fn on_behalf_of(record: &AuditRecord) -> String {
    match &record.on_behalf_of {
        Some(principal) => format!(" for {principal},"),
        None if record.commitments.contains_key("on_behalf_of") => " for somebody struck out,".to_owned(),
        None => String::new(),
    }
}

/// `issued a refund of 32.00 EUR`.
fn deed(record: &AuditRecord) -> String {
    let tool = record.tool.as_deref().unwrap_or("something");
    let what = match tool.split_once('_').and_then(|(verb, rest)| Some((PAST.iter().find(|(known, _)| *known == verb)?.1, rest))) {
        Some((past, thing)) => {
            let thing = thing.replace('_', " ");
            let article = match thing.chars().next() {
                _ if thing.ends_with('s') => "",
                Some('a' | 'e' | 'i' | 'o' | 'u') => "an ",
                _ => "a ",
            };
            format!("{past} {article}{thing}")
        }
        None => format!("called {tool}"),
    };
    let amount = record.amount.as_ref().map(|amount| match &record.currency {
        Some(currency) => format!(" of {amount} {currency}"),
        None => format!(" of {amount}"),
    });
    let target = record.target.as_ref().map(|target| format!(" on {target}"));
    let destination = record.destination.as_ref().map(|destination| format!(" to {destination}"));
    [Some(what), amount, target, destination].into_iter().flatten().collect()
}

fn under(record: &AuditRecord) -> String {
    let Some(PolicyShown { id, version, rule }) = &record.policy else { return String::new() };
    match &record.policy_version {
        Some(own) => format!(" under policy {own} rule {rule} ({id} {version})"),
        None => format!(" under {id} {version} rule {rule}"),
    }
}

fn because(record: &AuditRecord) -> String {
    record.title.as_ref().map_or_else(String::new, |title| format!(", because {title}"))
}

/// How it ended, with the finding where there is one.
fn ended(record: &AuditRecord) -> String {
    let outcome = match (&*record.outcome, &record.request_id) {
        ("covered", Some(request)) => format!("allowed under {request}"),
        (outcome, _) => outcome.to_owned(),
    };
    match &record.title {
        Some(title) => format!("{outcome}; {title}"),
        None => outcome,
    }
}

/// `14:03`.
#[must_use]
pub fn time_of_day(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000);
    format!("{:02}:{:02}", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::sentence;
    use crate::finding::PolicyShown;
    use crate::finding::audit_record::{AuditRecord, What};

    #[test]
    fn an_allowed_refund_reads_as_a_person_would_tell_it() {
        // 2026-01-01 14:03 UTC.
        let mut record = AuditRecord::new(What::Decision, 1_767_276_180_000, "billing-assist-07", "allowed");
        record.on_behalf_of = Some("customer 4821".into());
        record.tool = Some("issue_refund".into());
        (record.amount, record.currency) = (Some("32.00".into()), Some("EUR".into()));
        record.policy = Some(PolicyShown { id: "contract".into(), version: "c1".into(), rule: "refund-limit".into() });
        record.policy_version = Some("12".into());
        assert_eq!(
            sentence(&record),
            "agent billing-assist-07, for customer 4821, issued a refund of 32.00 EUR at 14:03 under policy 12 rule refund-limit (contract c1): allowed"
        );
        record.tool = Some("Bash".into());
        assert!(sentence(&record).contains("called Bash of 32.00 EUR"));
    }
}
