//! The state of the inventory, one row an agent: who owns it, how old its credentials are, when it was last reviewed, what it was
//! granted and never used, and which agents act without a record. Each row names the OWASP NHI Top 10 2025 risks that it carries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::event::limits::shown;
use crate::event::{Action, Event, Status};
use crate::govern::pattern::{ActionName, ActionSet};
use crate::govern::record::{AgentStatus, InventoryRecord};

const DAY_MS: i64 = 86_400_000;

/// One agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The agent.
    pub agent: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// `active` …, or `shadow` without a record.
    pub status: String,
    /// Age of each declared credential, days.
    pub credential_days: BTreeMap<String, Option<i64>>,
    /// Days since the last review.
    pub reviewed_days: Option<i64>,
    /// Days since its newest event; absent: none was seen.
    pub dormant_days: Option<i64>,
    /// Granted actions that it was not seen to use; absent where no stream was given.
    pub unused_grants: Option<Vec<String>>,
    /// What is wrong, in words.
    pub remarks: Vec<String>,
    /// OWASP NHI Top 10 2025 ids.
    pub risks: BTreeSet<&'static str>,
}

/// A tool, or the word of an action without one, and the tool's server.
type Used = (String, Option<String>);

/// What agents were seen to do.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// By agent: its newest event, and what it used.
    agents: BTreeMap<String, (i64, BTreeSet<Used>)>,
    newest: Option<i64>,
}

impl Activity {
    /// Takes in an event. What was denied was not used.
    pub fn see(&mut self, event: &Event<'_>) {
        self.newest = self.newest.max(Some(event.ts));
        if event.action == Action::SessionEnd {
            return;
        }
        let (last, used) = self.agents.entry(event.agent_id.to_string()).or_insert((event.ts, BTreeSet::new()));
        *last = event.ts.max(*last);
        if event.status != Some(Status::Denied) {
            let name = event.tool.as_deref().unwrap_or(event.action.as_str()).to_owned();
            used.insert((name, event.tool.as_ref().and(event.tool_server.as_deref()).map(str::to_owned)));
        }
    }

    /// Time of the newest event, epoch ms.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }
}

/// Thresholds of the report, ms.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// A credential is stale from this age on, unless its rotation is declared.
    pub credential_max_ms: i64,
    /// An agent is dormant after so long without an event.
    pub dormant_after_ms: i64,
}

/// The rows, in the order of the agents' names; shadow agents among them. `activity` is absent where no stream was given.
#[must_use]
pub fn rows(records: &[InventoryRecord], activity: Option<&Activity>, ages: Ages, now: i64) -> Vec<Row> {
    let mut holders: BTreeMap<&str, u32> = BTreeMap::new();
    for credential in records.iter().flat_map(|record| record.credentials.iter().flatten()) {
        *holders.entry(&credential.id).or_default() += 1;
    }
    let mut rows: Vec<Row> = records.iter().map(|record| declared(record, activity, ages, now, &holders)).collect();
    let known: BTreeSet<&str> = records.iter().map(|record| record.agent.as_str()).collect();
    for (agent, (last, _)) in
        activity.into_iter().flat_map(|activity| &activity.agents).filter(|(agent, _)| !known.contains(agent.as_str()))
    {
        rows.push(Row {
            agent: agent.clone(),
            owner: None,
            status: "shadow".into(),
            credential_days: BTreeMap::new(),
            reviewed_days: None,
            dormant_days: Some(days(now - last)),
            unused_grants: None,
            remarks: vec!["acts without an inventory record".into()],
            risks: BTreeSet::from(["NHI1:2025"]),
        });
    }
    rows.sort_by(|one, other| one.agent.cmp(&other.agent));
    rows
}

fn declared(record: &InventoryRecord, activity: Option<&Activity>, ages: Ages, now: i64, holders: &BTreeMap<&str, u32>) -> Row {
    let mut remarks = Vec::new();
    let mut risks = BTreeSet::new();
    let mut remark = |risk: &'static str, text: String| {
        risks.insert(risk);
        remarks.push(text);
    };
    if record.owner.is_none() {
        remark("NHI1:2025", "has no owner".into());
    }
    let reviewed_days = record.reviewed_at.map(|at| days(now - at));
    match (record.review_cycle_ms, record.reviewed_at) {
        (Some(cycle), Some(at)) if now - at > cycle => remark("NHI1:2025", format!("review overdue by {} days", days(now - at - cycle))),
        (Some(_), None) => remark("NHI1:2025", "was never reviewed".into()),
        _ => (),
    }
    let mut credential_days = BTreeMap::new();
    for credential in record.credentials.iter().flatten() {
        let age = credential.last_rotated_at.or(credential.created_at).map(|at| now - at);
        credential_days.insert(credential.id.clone(), age.map(days));
        if age.is_some_and(|age| age > credential.rotation_ms.unwrap_or(ages.credential_max_ms)) {
            remark("NHI7:2025", format!("credential {} is {} days old", shown(&credential.id), age.map_or(0, days)));
        }
        if credential.expires_at.is_some_and(|at| now >= at) {
            remark("NHI7:2025", format!("credential {} has ended", shown(&credential.id)));
        }
        if holders.get(&*credential.id).is_some_and(|holders| *holders > 1) {
            remark("NHI9:2025", format!("credential {} is declared for several agents", shown(&credential.id)));
        }
    }
    let seen = activity.and_then(|activity| activity.agents.get(&record.agent));
    let dormant_days = seen.map(|(last, _)| days(now - last));
    let is_over = matches!(record.status, AgentStatus::Decommissioned | AgentStatus::Suspended);
    match seen {
        Some((last, _)) if !is_over && now - last > ages.dormant_after_ms => {
            remark("NHI1:2025", format!("is silent for {} days", days(now - last)));
        }
        None if activity.is_some() && !is_over => remark("NHI1:2025", "was never seen".into()),
        _ => (),
    }
    let unused_grants = activity.map(|_| unused(record, seen.map(|(_, used)| used)));
    if let Some(unused) = unused_grants.as_ref().filter(|unused| !unused.is_empty()) {
        remark("NHI5:2025", format!("{} granted actions were never used", unused.len()));
    }
    let status = serde_json::to_value(record.status).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    Row {
        agent: record.agent.clone(),
        owner: record.owner.clone(),
        status: if record.draft { "draft".into() } else { status },
        credential_days,
        reviewed_days,
        dormant_days,
        unused_grants,
        remarks,
        risks,
    }
}

fn unused(record: &InventoryRecord, used: Option<&BTreeSet<Used>>) -> Vec<String> {
    let is_used = |grant: &String| {
        let set = ActionSet::new([grant.as_str()]);
        let holds = |(name, server): &Used| {
            set.holds(ActionName::Tool { tool: name, server: server.as_deref() }) || set.holds(ActionName::Word(name))
        };
        used.into_iter().flatten().any(holds)
    };
    record.allowed_actions.iter().flatten().filter(|grant| !is_used(grant)).cloned().collect()
}

fn days(ms: i64) -> i64 {
    ms.max(0) / DAY_MS
}

/// What stands in the columns, for text and HTML.
const HEADINGS: [&str; 9] =
    ["agent", "owner", "status", "credentials (days)", "reviewed (days)", "silent (days)", "unused grants", "remarks", "OWASP NHI"];

fn cells(row: &Row) -> [String; 9] {
    let number = |days: Option<i64>| days.map_or_else(|| "-".to_owned(), |days| days.to_string());
    let credentials: Vec<String> = row.credential_days.iter().map(|(id, days)| format!("{} {}", shown(id), number(*days))).collect();
    let unused = row.unused_grants.as_ref().map_or_else(|| "-".to_owned(), |unused| joined(unused.iter().map(|grant| shown(grant))));
    [
        shown(&row.agent),
        row.owner.as_deref().map_or_else(|| "-".to_owned(), shown),
        row.status.clone(),
        joined(credentials),
        number(row.reviewed_days),
        number(row.dormant_days),
        unused,
        joined(row.remarks.iter().cloned()),
        joined(row.risks.iter().map(|&risk| risk.to_owned())),
    ]
}

fn joined(parts: impl IntoIterator<Item = String>) -> String {
    let text = parts.into_iter().collect::<Vec<_>>().join(", ");
    if text.is_empty() { "-".into() } else { text }
}

/// The rows as columns of text.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    let table: Vec<[String; 9]> = std::iter::once(HEADINGS.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let mut widths = [0; 9];
    for line in &table {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &table {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The rows as one HTML page that loads nothing.
#[must_use]
pub fn html(rows: &[Row]) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Inventory of agents</title><style>\
         body{font:14px system-ui,sans-serif;margin:2em}table{border-collapse:collapse}th,td{border:1px solid #bbb;padding:.3em .6em;\
         text-align:left;vertical-align:top}tr.risk td:first-child{border-left:4px solid #b00}</style></head>\n<body><h1>Inventory of agents</h1>\n<table><thead><tr>",
    );
    for heading in HEADINGS {
        let _ = write!(page, "<th>{heading}</th>");
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in rows {
        page.push_str(if row.risks.is_empty() { "<tr>" } else { "<tr class=\"risk\">" });
        for cell in cells(row) {
            let _ = write!(page, "<td>{}</td>", escaped(&cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></body></html>\n");
    page
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Origin, decode};
    use crate::govern::record::parse;

    const NOW: i64 = 1_767_225_600_000;
    const AGES: Ages = Ages { credential_max_ms: 90 * DAY_MS, dormant_after_ms: 30 * DAY_MS };

    fn activity(events: &[&str]) -> Activity {
        let mut activity = Activity::default();
        for members in events {
            let line = format!("{{{members}}}");
            activity.see(&decode(line.as_bytes(), Origin { partition: 0, offset: 0 }).expect("valid").event);
        }
        activity
    }

    fn report(yaml: &str, activity: Option<&Activity>) -> Vec<Row> {
        let records: Vec<InventoryRecord> = parse(yaml).expect("valid").into_iter().map(|placed| placed.record).collect();
        rows(&records, activity, AGES, NOW)
    }

    #[track_caller]
    fn check(yaml: &str, activity: Option<&Activity>, remarks: &[&str], risks: &[&str]) {
        let row = report(yaml, activity).remove(0);
        assert_eq!(row.remarks, remarks);
        assert_eq!(row.risks.into_iter().collect::<Vec<_>>(), risks);
    }

    #[test]
    fn each_neglect_is_a_remark_with_its_risk() {
        check("agent: a\nowner: o", None, &[], &[]);
        check("agent: a", None, &["has no owner"], &["NHI1:2025"]);
        check("agent: a\nowner: o\nreview_cycle: weekly", None, &["was never reviewed"], &["NHI1:2025"]);
        let late = "agent: a\nowner: o\nreview_cycle: weekly\nreviewed_at: 2025-12-20";
        check(late, None, &["review overdue by 5 days"], &["NHI1:2025"]);
        let old = "agent: a\nowner: o\ncredentials: [{id: k, created_at: 2025-01-01}]";
        check(old, None, &["credential k is 365 days old"], &["NHI7:2025"]);
        let rotated = "agent: a\nowner: o\ncredentials: [{id: k, created_at: 2025-01-01, last_rotated_at: 2025-12-01}]";
        check(rotated, None, &[], &[]);
        let shared = "agent: a\nowner: o\ncredentials: [{id: k}]\n---\nagent: b\nowner: o\ncredentials: [{id: k}]";
        check(shared, None, &["credential k is declared for several agents"], &["NHI9:2025"]);
    }

    #[test]
    fn what_was_seen_shows_unused_grants_silence_and_shadow_agents() {
        let seen = activity(&[
            &format!(r#""ts":{},"agent_id":"a","tool":"x","tool_server":"s""#, NOW - 40 * DAY_MS),
            &format!(r#""ts":{NOW},"agent_id":"z","tool":"x""#),
        ]);
        let yaml = "agent: a\nowner: o\nallowed_actions: [\"s/*\", y]";
        check(yaml, Some(&seen), &["is silent for 40 days", "1 granted actions were never used"], &["NHI1:2025", "NHI5:2025"]);
        let rows = report(yaml, Some(&seen));
        assert_eq!(rows[0].unused_grants, Some(vec!["y".to_owned()]));
        assert_eq!((&*rows[1].agent, &*rows[1].status), ("z", "shadow"));
        check("agent: b\nowner: o", Some(&seen), &["acts without an inventory record"], &["NHI1:2025"]);
    }

    #[test]
    fn hostile_names_are_text_in_html_and_harmless_in_a_terminal() {
        let name = "<img src=x onerror=\"alert('1')\">&";
        let seen = activity(&[&format!(r#""ts":{NOW},"agent_id":{},"tool":"x""#, serde_json::Value::from(name))]);
        let rows = rows(&[], Some(&seen), AGES, NOW);
        let page = html(&rows);
        assert!(page.contains("&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;"), "{page}");
        assert!(!page.contains("<img") && !page.contains("http"));
        let seen = activity(&[&format!(r#""ts":{NOW},"agent_id":"a\u001b[2J\nb","tool":"x""#)]);
        assert_eq!(text(&super::rows(&[], Some(&seen), AGES, NOW)).lines().count(), 2);
    }
}
