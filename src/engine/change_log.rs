//! Changes that may explain a shift of behaviour: a release, policy or model that the agent's events name, or a record on
//! `agent-changes` (DESIGN.md, section 8).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::agents::{AgentSlot, VersionChange};
use crate::event::Event;
use crate::finding::Change;
use crate::govern::control::{ChangeKind, ChangeRecord};
use crate::govern::pattern;

/// How long after a change a shift is put down to it, ms.
const EXPLAINS_MS: i64 = 24 * 3_600_000;
/// Records that are remembered; the oldest goes first.
const DECLARED_MAX: usize = 1024;
/// Policies or models of an agent that are remembered; one of them coming back is no change.
const NAMES_MAX: usize = 8;

/// What changed, for all agents of a shard.
#[derive(Debug, Clone, Default)]
pub struct ChangeLog {
    shown: BTreeMap<AgentSlot, Shown>,
    declared: Declared,
}

/// The declared changes, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Declared(#[serde(with = "crate::finding::as_json")] VecDeque<ChangeRecord>);

/// What the events of one agent named.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Shown {
    policies: Vec<Box<str>>,
    models: Vec<Box<str>>,
    newest: Option<Named>,
}

/// A change that an event showed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Named {
    kind: Box<str>,
    from: Option<Box<str>>,
    to: Box<str>,
    at: i64,
    events_since: u64,
}

impl ChangeLog {
    /// The log of these declared changes, with nothing shown by events.
    #[must_use]
    pub fn restored(declared: Declared) -> Self {
        Self { shown: BTreeMap::new(), declared }
    }

    /// The declared changes.
    #[must_use]
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// What the events of `agent` named.
    #[must_use]
    pub fn shown(&self, agent: AgentSlot) -> Option<&Shown> {
        self.shown.get(&agent)
    }

    /// Puts back what the events of `agent` named.
    pub fn restore_shown(&mut self, agent: AgentSlot, shown: Shown) {
        self.shown.insert(agent, shown);
    }

    /// Forgets what the events of `agent` named.
    pub fn forget(&mut self, agent: AgentSlot) {
        self.shown.remove(&agent);
    }

    /// Takes note of what `event` names, and of the version that it turned the agent to.
    pub fn note(&mut self, agent: AgentSlot, event: &Event<'_>, version: Option<VersionChange>) {
        if version.is_none() && event.policy_version.is_none() && event.model.is_none() && !self.shown.contains_key(&agent) {
            return;
        }
        let Shown { policies, models, newest } = self.shown.entry(agent).or_default();
        let mut changed = |kind: &str, from: Option<Box<str>>, to: Box<str>| {
            *newest = Some(Named { kind: kind.into(), from, to, at: event.ts, events_since: 0 });
        };
        for (kind, names, name) in [("model", models, &event.model), ("policy_version", policies, &event.policy_version)] {
            if let Some(name) = name.as_deref()
                && let Some(before) = turn_to(names, name)
            {
                changed(kind, Some(before), name.into());
            }
        }
        if let Some(VersionChange { from, to }) = version {
            changed("agent_version", from, to);
        }
        if let Some(newest) = newest {
            newest.events_since += 1;
        }
    }

    /// Takes note of a declared change; false if it is known already.
    pub fn declare(&mut self, record: &ChangeRecord) -> bool {
        let Declared(declared) = &mut self.declared;
        if declared.contains(record) {
            return false;
        }
        declared.push_back(record.clone());
        if declared.len() > DECLARED_MAX {
            declared.pop_front();
        }
        true
    }

    /// The newest change that may explain what `agent` does at stream time `now`; `class` goes into it.
    #[must_use]
    pub fn explaining(&self, agent: AgentSlot, agent_id: &str, now: i64, class: &str) -> Option<Change> {
        let within = |at: i64| at <= now && now - at <= EXPLAINS_MS;
        let named = self.shown.get(&agent).and_then(|shown| shown.newest.as_ref()).filter(|named| within(named.at));
        let declared = self.declared.0.iter().filter(|record| within(record.at) && concerns(record, agent_id));
        let newest = declared.max_by_key(|record| record.at);
        match (named, newest) {
            (Some(named), declared) => Some(Change {
                kind: Some(named.kind.as_ref().into()),
                from: named.from.as_deref().map(Into::into),
                to: Some(named.to.as_ref().into()),
                at: Some(named.at),
                lag_events: Some(named.events_since),
                lag_ms: Some(now - named.at),
                approved_by: declared.and_then(|declared| declared.approved_by.clone()),
                class: class.into(),
            }),
            (None, Some(declared)) => Some(declared_change(declared, now, class)),
            (None, None) => None,
        }
    }
}

/// A declared change as a finding shows it.
#[must_use]
pub fn declared_change(record: &ChangeRecord, now: i64, class: &str) -> Change {
    Change {
        kind: Some(kind_name(record.kind).into()),
        from: record.from.clone(),
        to: record.to.clone(),
        at: Some(record.at),
        lag_events: None,
        lag_ms: Some(now - record.at),
        approved_by: record.approved_by.clone(),
        class: class.into(),
    }
}

/// The word of the message.
#[must_use]
pub fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Policy => "policy",
        ChangeKind::Prompt => "prompt",
        ChangeKind::Model => "model",
        ChangeKind::Tools => "tools",
        ChangeKind::Code => "code",
    }
}

/// Whether the record is about the agent; a scope is an agent's name, `*` may end it.
fn concerns(record: &ChangeRecord, agent_id: &str) -> bool {
    match (&record.agent_id, &record.scope) {
        (Some(agent), _) => agent == agent_id,
        (None, Some(scope)) => pattern::is_match(scope, agent_id),
        (None, None) => false,
    }
}

/// Remembers `name`; the name before, if this one is new and not the first.
fn turn_to(names: &mut Vec<Box<str>>, name: &str) -> Option<Box<str>> {
    if names.last().is_some_and(|last| **last == *name) {
        return None;
    }
    let known = names.iter().position(|known| **known == *name);
    let before = names.last().cloned();
    if let Some(known) = known {
        names.remove(known);
    } else if names.len() >= NAMES_MAX {
        names.remove(0);
    }
    names.push(name.into());
    before.filter(|_| known.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Action;

    const AGENT: AgentSlot = AgentSlot(0);

    /// The change that explains what happens at `now`, as kind, from, to; the agent names one model an hour.
    #[track_caller]
    fn check(models: &[&str], now_hours: i64, expected: Option<(&str, &str, &str)>) {
        let mut changes = ChangeLog::default();
        for (hour, model) in models.iter().enumerate() {
            let mut event = Event::bare("e", i64::try_from(hour).unwrap() * 3_600_000, "a", Action::LlmCall);
            event.model = Some((*model).into());
            changes.note(AGENT, &event, None);
        }
        let change = changes.explaining(AGENT, "a", now_hours * 3_600_000, "c");
        let actual = change.map(|change| (change.kind.unwrap(), change.from.unwrap(), change.to.unwrap()));
        assert_eq!(actual, expected.map(|(kind, from, to)| (kind.to_owned(), from.to_owned(), to.to_owned())));
    }

    #[test]
    fn a_model_never_named_before_is_a_change_for_a_day() {
        check(&["m1", "m2"], 2, Some(("model", "m1", "m2")));
        check(&["m1", "m2"], 25, Some(("model", "m1", "m2")));
        check(&["m1", "m2"], 26, None);
    }

    #[test]
    fn the_first_model_and_one_that_comes_back_are_none() {
        check(&["m1"], 1, None);
        check(&["m1", "m2", "m1", "m2"], 27, None);
    }

    #[test]
    fn a_declared_change_explains_whom_it_names() {
        let declared = |scope: &str| ChangeRecord {
            agent_id: None,
            scope: Some(scope.into()),
            kind: ChangeKind::Prompt,
            from: None,
            to: None,
            approved_by: Some("eve".into()),
            at: 1000,
        };
        let mut changes = ChangeLog::default();
        assert!(changes.declare(&declared("billing-*")));
        assert!(!changes.declare(&declared("billing-*")), "the same record again says nothing new");
        let explained = |agent: &str, now: i64| changes.explaining(AGENT, agent, now, "c").and_then(|change| change.approved_by);
        assert_eq!(explained("billing-7", 2000).as_deref(), Some("eve"));
        assert_eq!(explained("support-7", 2000), None);
        assert_eq!(explained("billing-7", 999), None, "nothing is explained by what comes later");
    }
}
