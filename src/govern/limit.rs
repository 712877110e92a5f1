//! A declared limit: up to an amount an action runs by itself, above it somebody is asked. Money is decimal, never a float.

use rust_decimal::Decimal;
use serde::Serialize;

use crate::config::document::Raw;
use crate::config::duration;
use crate::config::section::Section;
use crate::event::{Amount, Event};
use crate::finding::step_up_request::DecisionRequired;

/// What a limit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the event")]
pub enum Measure {
    Amount,
    Records,
    BytesIn,
    BytesOut,
    /// The number of actions.
    Count,
}

const MEASURES: [(&str, Measure); 5] = [
    ("amount", Measure::Amount),
    ("records", Measure::Records),
    ("bytes_in", Measure::BytesIn),
    ("bytes_out", Measure::BytesOut),
    ("count", Measure::Count),
];

/// Whose actions share a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the event")]
pub enum Per {
    AgentId,
    OnBehalfOf,
    SessionId,
    Target,
    Destination,
    CredentialId,
}

const PERS: [(&str, Per); 6] = [
    ("agent_id", Per::AgentId),
    ("on_behalf_of", Per::OnBehalfOf),
    ("session_id", Per::SessionId),
    ("target", Per::Target),
    ("destination", Per::Destination),
    ("credential_id", Per::CredentialId),
];

const ASKS: [(&str, DecisionRequired); 2] =
    [("human_approval", DecisionRequired::HumanApproval), ("reauthenticate", DecisionRequired::Reauthenticate)];

/// Whose window an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'e> {
    /// The agent's.
    Agent,
    /// That of whom the event names; the empty name stands for nobody.
    Named(&'e str),
}

/// What a limit says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rule {
    /// The action is never done by itself.
    Never {
        /// Always true.
        never: bool,
    },
    /// The action is done by itself up to a value.
    UpTo {
        /// What is measured.
        field: Measure,
        /// ISO 4217; an amount in any other currency, or in none, is above the limit.
        #[serde(skip_serializing_if = "Option::is_none")]
        currency: Option<String>,
        /// The largest value that passes.
        automatic_up_to: Decimal,
        /// What is asked above it.
        above: DecisionRequired,
        /// Stream time over which values add up, ms; absent: a single action.
        #[serde(skip_serializing_if = "Option::is_none")]
        window_ms: Option<i64>,
        /// Whose values add up.
        per: Per,
    },
}

/// One entry of `limits`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    /// The action, perhaps with `*` at the end.
    pub action: String,
    /// What holds for it.
    #[serde(flatten)]
    pub rule: Rule,
}

/// What an event brings to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// A value that can be compared.
    Value(Decimal),
    /// Missing, negative, unreadable, or in another currency: above every limit.
    Unknown(Why),
}

/// Why a value cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Why {
    Missing,
    Unreadable,
    Negative,
    OtherCurrency,
}

impl Limit {
    /// What the limit asks about, without the value: two limits with one question contradict each other, and a window keeps
    /// its sum when only the value changes.
    #[must_use]
    pub fn question(&self) -> String {
        match &self.rule {
            Rule::Never { .. } => format!("{} never", self.action),
            Rule::UpTo { field, currency, window_ms, per, .. } => {
                let currency = currency.as_deref().unwrap_or("-");
                format!("{} {} {currency} {} {}", self.action, field.as_str(), window_ms.unwrap_or_default(), per.as_str())
            }
        }
    }
}

impl Measure {
    /// The word in the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        MEASURES.iter().find(|(_, measure)| *measure == self).map_or("", |(word, _)| word)
    }

    /// What the event brings; `currency` is the limit's.
    #[must_use]
    pub fn of(self, event: &Event<'_>, currency: Option<&str>) -> Measured {
        let whole = |value: Option<u64>| value.map_or(Measured::Unknown(Why::Missing), |value| Measured::Value(value.into()));
        match self {
            Self::Count => Measured::Value(Decimal::ONE),
            Self::Records => whole(event.records),
            Self::BytesIn => whole(event.bytes_in),
            Self::BytesOut => whole(event.bytes_out),
            Self::Amount => match &event.amount {
                None => Measured::Unknown(Why::Missing),
                Some(Amount::Unreadable(_)) => Measured::Unknown(Why::Unreadable),
                Some(Amount::Exact(amount)) if amount.is_sign_negative() && !amount.is_zero() => Measured::Unknown(Why::Negative),
                Some(Amount::Exact(_)) if currency.is_some() && event.currency.as_deref() != currency => {
                    Measured::Unknown(Why::OtherCurrency)
                }
                Some(Amount::Exact(amount)) => Measured::Value(*amount),
            },
        }
    }
}

impl Per {
    /// The word in the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        PERS.iter().find(|(_, per)| *per == self).map_or("", |(word, _)| word)
    }

    /// Whose window the event belongs to; all that name nobody share one.
    #[must_use]
    pub fn whose<'e>(self, event: &'e Event<'_>) -> Whose<'e> {
        let name = match self {
            Self::AgentId => return Whose::Agent,
            Self::OnBehalfOf => event.on_behalf_of.as_deref(),
            Self::SessionId => event.session_id.as_deref(),
            Self::Target => event.target.as_deref(),
            Self::Destination => event.destination.as_deref(),
            Self::CredentialId => event.credential_id.as_deref(),
        };
        Whose::Named(name.unwrap_or_default())
    }
}

/// Reads the `limits` of a record.
pub(super) fn read(tables: Vec<Section<'_>>) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    for table in tables {
        let limit = Limit { action: action(&table), rule: rule(&table) };
        if let Some(first) = limits.iter().position(|other| other.question() == limit.question()) {
            table.contradiction("action", format!("`{}` limits the same as limits[{first}]", table.full("action")));
        }
        table.finish();
        limits.push(limit);
    }
    limits
}

fn action(table: &Section<'_>) -> String {
    if table.is_absent("action") {
        table.contradiction("action", format!("`{}` is missing", table.full("action")));
    }
    let is_name = |text: &str| !text.is_empty() && !text[..text.len() - 1].contains('*');
    table.text("action", "", is_name, "the name of an action, `*` only at its end")
}

fn rule(table: &Section<'_>) -> Rule {
    let never = table.flag("never", false);
    let value = table.optional("automatic_up_to", "a decimal number, not negative", |raw| {
        let text = match raw {
            Raw::Text(text) | Raw::Untyped(text) => text.clone(),
            Raw::Whole(number) => number.to_string(),
            _ => return None,
        };
        match Amount::from_text(text.into()) {
            Amount::Exact(value) if !value.is_sign_negative() => Some(value),
            _ => None,
        }
    });
    let field = table.word("field", Measure::Amount, &MEASURES);
    let currency = table.optional("currency", "an ISO 4217 code such as EUR", |raw| {
        raw.text().filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())).map(str::to_owned)
    });
    let above = table.word("above", DecisionRequired::HumanApproval, &ASKS);
    let window_ms = table.optional("window", "a duration such as 1d", |raw| raw.text().and_then(duration::parse).filter(|ms| *ms > 0));
    let per = table.word("per", Per::AgentId, &PERS);
    if never {
        if let Some(key) = ["automatic_up_to", "above", "window", "per", "field", "currency"].iter().find(|key| !table.is_absent(key)) {
            table.contradiction(key, format!("`{}` and `never` are both there, expected one of them", table.full(key)));
        }
        return Rule::Never { never };
    }
    if table.is_absent("automatic_up_to") {
        table.contradiction("action", format!("`{}` is missing; or say `never: true`", table.full("automatic_up_to")));
    }
    if currency.is_some() && field != Measure::Amount {
        table.contradiction("currency", format!("`{}` is there, but the field is {}", table.full("currency"), field.as_str()));
    }
    if window_ms.is_none() && (!table.is_absent("per") || field == Measure::Count) {
        table.contradiction("action", format!("`{}` is missing: values of several actions add up over a window", table.full("window")));
    }
    Rule::UpTo { field, currency, automatic_up_to: value.unwrap_or_default(), above, window_ms, per }
}
