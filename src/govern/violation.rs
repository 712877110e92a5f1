//! A declared rule that an event breaks, with all that a finding and a step-up request need.

use crate::config::Policy;
use crate::event::limits::shown;
use crate::finding::step_up_request::DecisionRequired;
use crate::finding::{Decision, Kind, Reason, Severity};

/// One broken rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// What kind of finding.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// What should happen.
    pub decision: Decision,
    /// One sentence.
    pub title: String,
    /// Expected against actual.
    pub reasons: Vec<Reason>,
    /// The smallest change that would have kept the rule.
    pub normal_if: String,
    /// The rule: a key of the record, such as `limits[1]`, or of the `[policy]` table.
    pub rule: String,
    /// Version of the contract; `None` without one.
    pub contract: Option<String>,
    /// What a limit asks for.
    pub ask: Option<Ask>,
}

/// What is asked where a limit is passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who must decide.
    pub required: DecisionRequired,
    /// The limit, with its currency.
    pub limit: String,
    /// What it would come to.
    pub observed_total: String,
    /// The window, for a limit over several actions.
    pub window: Option<String>,
}

/// Texts of a violation, before severity and decision are known.
#[expect(missing_docs, reason = "the names are those of the finding and its reason")]
pub struct Draft {
    pub kind: Kind,
    pub rule: String,
    pub title: String,
    pub field: &'static str,
    pub expected: String,
    pub actual: String,
    pub normal_if: String,
}

impl Draft {
    /// The violation; `is_sensitive` as in [`Policy::verdict`].
    #[must_use]
    pub fn judged(self, contract: Option<&str>, is_sensitive: bool, policy: &Policy) -> Violation {
        let Self { kind, rule, title, field, expected, actual, normal_if } = self;
        let (severity, decision) = policy.verdict(kind, is_sensitive);
        let reason = Reason::of_fact(kind.as_str(), field, expected, actual);
        let contract = contract.map(str::to_owned);
        Violation { kind, severity, decision, title, reasons: vec![reason], normal_if, rule, contract, ask: None }
    }
}

/// A list as a message shows it: at most five entries, then how many more.
pub(super) fn listed<T: AsRef<str>>(entries: &[T]) -> String {
    const SHOWN_MAX: usize = 5;
    if entries.is_empty() {
        return "nothing".into();
    }
    let text = entries.iter().take(SHOWN_MAX).map(|entry| shown(entry.as_ref())).collect::<Vec<_>>().join(", ");
    match entries.len().saturating_sub(SHOWN_MAX) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
