//! A record made ready for judging: names compiled to sets, and a version by which findings name it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::pattern::{ActionName, ActionSet, DestinationSet, NameSet};
use super::record::{Authority, Credential, InventoryRecord};
use crate::event::Event;
use crate::stats::hash;

/// What one agent may do.
#[derive(Debug, Clone)]
pub struct Contract {
    record: InventoryRecord,
    version: String,
    pub(super) allowed: Option<ActionSet>,
    pub(super) forbidden: ActionSet,
    pub(super) systems: Option<NameSet>,
    pub(super) destinations: Option<DestinationSet>,
    pub(super) peers: Option<NameSet>,
    pub(super) environments: Option<NameSet>,
    pub(super) tasks: BTreeMap<String, ActionSet>,
    pub(super) principals: Option<BTreeMap<String, ActionSet>>,
    /// The actions of `record.limits`, in the same order.
    pub(super) limited: Vec<ActionSet>,
    /// A number for each of them that outlives a reload: the hash of its question.
    pub(super) questions: Vec<u64>,
}

impl Contract {
    /// Compiles a record.
    #[must_use]
    pub fn new(record: InventoryRecord) -> Self {
        let actions = |names: &[String]| ActionSet::new(names.iter().map(String::as_str));
        let names = |names: &Option<Vec<String>>| names.as_ref().map(|names| NameSet::new(names.iter().map(String::as_str)));
        let principals = record.delegation.as_ref().and_then(|delegation| delegation.principals.as_ref());
        Self {
            version: version(&record),
            allowed: record.allowed_actions.as_deref().map(actions),
            forbidden: actions(record.forbidden_actions.as_deref().unwrap_or_default()),
            systems: names(&record.systems),
            destinations: record.destinations.as_deref().map(DestinationSet::new),
            peers: names(&record.peers),
            environments: names(&record.environments),
            tasks: record.tasks.iter().map(|(task, names)| (task.clone(), actions(names))).collect(),
            principals: principals.map(|lists| lists.iter().map(|(name, names)| (name.clone(), actions(names))).collect()),
            limited: record.limits.iter().map(|limit| ActionSet::new([limit.action.as_str()])).collect(),
            questions: record.limits.iter().map(|limit| hash::keyed(limit.question().as_bytes(), 0)).collect(),
            record,
        }
    }

    /// What was declared.
    #[must_use]
    pub fn record(&self) -> &InventoryRecord {
        &self.record
    }

    /// 16 hex digits that change with what was declared.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// On whose authority the agent acts; `None`: not declared.
    #[must_use]
    pub fn authority(&self) -> Option<Authority> {
        self.record.delegation.as_ref().map(|delegation| delegation.mode)
    }

    /// The first limit that speaks of an event's action, by its place.
    #[must_use]
    pub fn limit_on(&self, event: &Event<'_>) -> Option<usize> {
        let action = ActionName::of(event);
        self.limited.iter().position(|actions| actions.holds(action))
    }

    /// The declared credential of that id.
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<&Credential> {
        self.record.credentials.iter().flatten().find(|credential| credential.id == id)
    }
}

fn version(record: &InventoryRecord) -> String {
    // Fields are written in the order of the structure and maps in the order of their keys: one record, one text.
    let text = serde_json::to_string(record).expect("a record is made of texts, numbers, lists and maps with text keys");
    let mut hex = String::new();
    for byte in Sha256::digest(text).iter().take(8) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
