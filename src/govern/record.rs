//! An inventory record: what was declared about one agent (DESIGN.md, section 7), as checked.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::config::document::{Raw, Written};
use crate::config::section::Section;
use crate::config::{Problem, duration};
use crate::event::timestamp;

use super::limit::{self, Limit};
use super::yaml;

/// Where an agent is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    /// At work.
    Active,
    /// Asleep; acting is a finding.
    Dormant,
    /// Still at work, not for long.
    ScheduledForDecommission,
    /// Gone; acting is a finding.
    Decommissioned,
    /// Stopped; acting is a finding.
    Suspended,
}

const STATUSES: [(&str, AgentStatus); 5] = [
    ("active", AgentStatus::Active),
    ("dormant", AgentStatus::Dormant),
    ("scheduled_for_decommission", AgentStatus::ScheduledForDecommission),
    ("decommissioned", AgentStatus::Decommissioned),
    ("suspended", AgentStatus::Suspended),
];

/// Review cycles by name, in days; a duration is accepted too.
const REVIEW_CYCLES: [(&str, i64); 6] =
    [("weekly", 7), ("monthly", 31), ("quarterly", 92), ("half_yearly", 183), ("yearly", 366), ("annually", 366)];
const DAY_MS: i64 = 86_400_000;

/// A credential that the agent was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// Identifier, never the secret.
    pub id: String,
    /// Free text.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// Epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    /// Epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rotated_at: Option<i64>,
    /// Epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Declared rotation, ms; in place of the configured age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_ms: Option<i64>,
}

/// On whose authority the agent acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// Its own.
    Own,
    /// That of the principal whom the event names.
    OnBehalfOf,
}

/// The `delegation` of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delegation {
    /// On whose authority the agent acts.
    pub mode: Authority,
    /// What each principal may do; absent: not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principals: Option<BTreeMap<String, Vec<String>>>,
}

/// What was declared about one agent. An absent list is not judged, an empty one allows nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the record")]
pub struct InventoryRecord {
    pub agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub status: AgentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log: Option<String>,
    /// Milliseconds between reviews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_cycle_ms: Option<i64>,
    /// Epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<i64>,
    /// Epoch ms; an agent that acts later is decommissioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_actions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forbidden_actions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub systems: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Vec<Credential>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,
    /// Task type to the actions allowed in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Proposed from observed behaviour, not yet ratified; not in force.
    pub draft: bool,
}

/// A record with the line on which its document begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The record.
    pub record: InventoryRecord,
    /// Where its `agent` stands.
    pub place: crate::config::Place,
    /// The document as the inventory topic holds it.
    pub value: Value,
}

/// Reads the records of a YAML or JSON text, one a document.
///
/// # Errors
///
/// Everything that is wrong, each with its line and column.
pub fn parse(text: &str) -> Result<Vec<Placed>, Vec<Problem>> {
    let documents = yaml::documents(text).map_err(|problem| vec![problem])?;
    let problems = RefCell::new(Vec::new());
    let records = documents.iter().map(|document| read(document, &problems)).collect();
    finished(records, problems)
}

/// Reads a record as it comes over the inventory topic.
///
/// # Errors
///
/// Everything that is wrong; lines and columns say nothing here.
pub fn from_json(value: &Value) -> Result<InventoryRecord, Vec<Problem>> {
    let problems = RefCell::new(Vec::new());
    let placed = read(&yaml::from_json(value), &problems);
    finished(placed.record, problems)
}

fn finished<T>(value: T, problems: RefCell<Vec<Problem>>) -> Result<T, Vec<Problem>> {
    let mut problems = problems.into_inner();
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(value) } else { Err(problems) }
}

fn read(document: &Written, problems: &RefCell<Vec<Problem>>) -> Placed {
    let table = Section::root(document, problems);
    if !matches!(document.value, Raw::Table(_)) {
        table.note(&document.place, format!("a record is {}, expected a table", document.value));
    } else if table.is_absent("agent") {
        table.note(&document.place, "`agent` is missing".into());
    }
    let place = table.place_of("agent");
    let text = |key| table.optional(key, "text", |raw| raw.text().filter(|text| !text.is_empty()).map(str::to_owned));
    let is_agent = |name: &str| !name.is_empty() && name.len() <= crate::event::limits::NAME_BYTES_MAX;
    let record = InventoryRecord {
        agent: table.text("agent", "", is_agent, "text of at most 256 bytes"),
        owner: text("owner"),
        created_by: text("created_by"),
        purpose: text("purpose"),
        role: text("role"),
        status: table.word("status", AgentStatus::Active, &STATUSES),
        identity_type: text("identity_type"),
        auth: text("auth"),
        audit_log: text("audit_log"),
        review_cycle_ms: table.optional(
            "review_cycle",
            "one of weekly, monthly, quarterly, half_yearly, yearly, annually, or a duration",
            |raw| raw.text().and_then(review_cycle_ms),
        ),
        reviewed_at: time(&table, "reviewed_at"),
        expires_at: time(&table, "expires_at"),
        allowed_actions: names(&table, "allowed_actions"),
        forbidden_actions: names(&table, "forbidden_actions"),
        systems: names(&table, "systems"),
        destinations: destinations(&table),
        peers: names(&table, "peers"),
        environments: table.optional_texts("environments"),
        credentials: table.sections("credentials").map(credentials),
        delegation: delegation(&table),
        tasks: named_lists(table.section("tasks")),
        limits: limit::read(table.sections("limits").unwrap_or_default()),
        draft: table.flag("draft", false),
    };
    contradictions(&table, &record);
    table.finish();
    Placed { record, place, value: yaml::to_json(document) }
}

/// An action that is both allowed and forbidden; a pattern may forbid more than one name, and allow more than is forbidden.
fn contradictions(table: &Section<'_>, record: &InventoryRecord) {
    let forbidden = super::pattern::NameSet::new(record.forbidden_actions.iter().flatten().map(String::as_str));
    let is_same = |action: &String| record.forbidden_actions.iter().flatten().any(|other| other == action);
    let is_forbidden = |action: &String| is_same(action) || (!action.ends_with('*') && forbidden.holds(action));
    if let Some(action) = record.allowed_actions.iter().flatten().find(|action| is_forbidden(action)) {
        table.contradiction("forbidden_actions", format!("`{action}` is both in allowed_actions and in forbidden_actions"));
    }
    for (task, actions) in &record.tasks {
        if let Some(action) = actions.iter().find(|action| is_forbidden(action)) {
            table.contradiction("tasks", format!("`{action}` is both in tasks.{task} and in forbidden_actions"));
        }
    }
}

/// Names where `*` may only end one.
fn names(table: &Section<'_>, key: &str) -> Option<Vec<String>> {
    let names = table.optional_texts(key)?;
    if let Some(name) = names.iter().find(|name| name.trim_end_matches('*').contains('*') || name.ends_with("**")) {
        table.contradiction(key, format!("`{}` has \"{name}\", expected `*` only at the end", table.full(key)));
    }
    Some(names)
}

fn destinations(table: &Section<'_>) -> Option<Vec<String>> {
    let entries = table.optional_texts("destinations")?;
    let is_fine = |entry: &String| {
        let middle = entry.strip_prefix("*.").unwrap_or(entry);
        let middle = middle.strip_suffix('*').unwrap_or(middle);
        let bits = entry.rsplit_once('/').is_some_and(|(address, _)| address.parse::<std::net::IpAddr>().is_ok());
        !middle.contains('*') && (!bits || super::pattern::Network::parse(entry).is_some())
    };
    if let Some(entry) = entries.iter().find(|entry| !is_fine(entry)) {
        table.contradiction(
            "destinations",
            format!("`destinations` has \"{entry}\", expected a host, `*.suffix`, `prefix*` or a network such as 10.0.0.0/8"),
        );
    }
    Some(entries)
}

/// RFC 3339, epoch milliseconds, or a day.
fn time(table: &Section<'_>, key: &str) -> Option<i64> {
    table.optional(key, "an RFC 3339 time, a day such as 2026-01-31, or epoch milliseconds", |raw| match raw {
        Raw::Text(text) | Raw::Untyped(text) => {
            timestamp::from_rfc3339(text).or_else(|| timestamp::from_rfc3339(&format!("{text}T00:00:00Z")))
        }
        Raw::Whole(ms) => i64::try_from(*ms).ok().and_then(timestamp::from_epoch_ms),
        _ => None,
    })
}

fn review_cycle_ms(text: &str) -> Option<i64> {
    let named = REVIEW_CYCLES.iter().find(|(word, _)| *word == text).map(|(_, days)| days * DAY_MS);
    named.or_else(|| duration::parse(text).filter(|ms| *ms > 0))
}

fn credentials(tables: Vec<Section<'_>>) -> Vec<Credential> {
    let mut found: Vec<Credential> = Vec::new();
    for table in tables {
        if table.is_absent("id") {
            table.contradiction("id", format!("`{}` is missing", table.full("id")));
        }
        let credential = Credential {
            id: table.text("id", "", |id| !id.is_empty(), "text"),
            form: table.optional("type", "text", |raw| raw.text().map(str::to_owned)),
            created_at: time(&table, "created_at"),
            last_rotated_at: time(&table, "last_rotated_at"),
            expires_at: time(&table, "expires_at"),
            rotation_ms: table
                .optional("rotation", "a duration such as 30d", |raw| raw.text().and_then(duration::parse).filter(|ms| *ms > 0)),
        };
        if found.iter().any(|other| other.id == credential.id) {
            table.contradiction("id", format!("`{}` is \"{}\", which is there already", table.full("id"), credential.id));
        }
        table.finish();
        found.push(credential);
    }
    found
}

/// `own` or `on_behalf_of`, or a table with `mode` and `principals`.
fn delegation(table: &Section<'_>) -> Option<Delegation> {
    const MODES: [(&str, Authority); 2] = [("own", Authority::Own), ("on_behalf_of", Authority::OnBehalfOf)];
    if table.is_absent("delegation") {
        return None;
    }
    let word = |text: &str| MODES.iter().find(|(word, _)| *word == text).map(|(_, mode)| *mode);
    if !table.is_table("delegation") {
        let expected = "own, on_behalf_of, or a table of mode and principals";
        let mode = table.optional("delegation", expected, |raw| raw.text().and_then(word))?;
        return Some(Delegation { mode, principals: None });
    }
    let inner = table.section("delegation");
    let principals = (!inner.is_absent("principals")).then(|| named_lists(inner.section("principals")));
    let mode = inner.word("mode", Authority::OnBehalfOf, &MODES);
    if mode == Authority::Own && principals.is_some() {
        inner.contradiction("principals", "`delegation` has mode own and principals, expected mode on_behalf_of".into());
    }
    inner.finish();
    Some(Delegation { mode, principals })
}

/// A table of names to lists of actions.
fn named_lists(table: Section<'_>) -> BTreeMap<String, Vec<String>> {
    let lists = table.keys().into_iter().map(|key| (key.to_owned(), names(&table, key).unwrap_or_default())).collect();
    table.finish();
    lists
}
