//! Contracts proposed from what agents were seen to do, for a person to ratify. A draft is not in force until somebody takes its
//! `draft: true` away.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::config::Structuring;
use crate::event::{Action, Amount, Event, Status};
use crate::govern::pattern::ActionName;

/// Entries of one list; with more than these the list says nothing and is left out.
const ENTRIES_MAX: usize = 500;
/// Agents of one draft; events of further ones are counted.
const AGENTS_MAX: usize = 100_000;

/// What one agent was seen to do.
#[derive(Debug, Clone, Default)]
struct Seen {
    events: u64,
    sessions: BTreeSet<String>,
    first_ts: i64,
    last_ts: i64,
    actions: BTreeMap<String, u64>,
    destinations: BTreeMap<String, u64>,
    peers: BTreeMap<String, u64>,
    environments: BTreeMap<String, u64>,
    tasks: BTreeMap<String, BTreeSet<String>>,
    /// By action and currency: how many amounts, and the largest.
    amounts: BTreeMap<(String, String), (u64, Decimal)>,
}

/// Contracts in the making.
#[derive(Debug, Clone, Default)]
pub struct Drafts {
    agents: BTreeMap<String, Seen>,
    /// Events of agents beyond those that are kept.
    pub not_modelled: u64,
}

impl Drafts {
    /// Takes in an event. What was denied did not run and proposes nothing.
    pub fn see(&mut self, event: &Event<'_>) {
        if event.status == Some(Status::Denied) || event.action == Action::SessionEnd {
            return;
        }
        if self.agents.len() >= AGENTS_MAX && !self.agents.contains_key(&*event.agent_id) {
            self.not_modelled += 1;
            return;
        }
        let seen = self.agents.entry(event.agent_id.to_string()).or_default();
        if seen.events == 0 {
            (seen.first_ts, seen.last_ts) = (event.ts, event.ts);
        }
        seen.events += 1;
        seen.first_ts = seen.first_ts.min(event.ts);
        seen.last_ts = seen.last_ts.max(event.ts);
        seen.sessions.extend(event.session_id.as_deref().map(str::to_owned));
        let action = ActionName::of(event).to_string();
        count(&mut seen.actions, Some(&action));
        count(&mut seen.destinations, event.destination.as_deref());
        count(&mut seen.peers, event.peer_agent_id.as_deref());
        count(&mut seen.environments, event.environment.as_deref());
        if let Some(task) = event.task_type.as_deref() {
            seen.tasks.entry(task.to_owned()).or_default().insert(action.clone());
        }
        if let Some(Amount::Exact(amount)) = &event.amount {
            let key = (action, event.currency.as_deref().unwrap_or_default().to_owned());
            let (number, largest) = seen.amounts.entry(key).or_default();
            *number += 1;
            *largest = (*largest).max(*amount);
        }
    }

    /// How many agents there is a draft for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Writes one YAML document an agent, each entry with how often it was seen.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (agent, seen) in &self.agents {
            writeln!(out, "---")?;
            writeln!(
                out,
                "# {} events in {} sessions, {} to {}",
                seen.events,
                seen.sessions.len(),
                written(seen.first_ts),
                written(seen.last_ts)
            )?;
            writeln!(out, "agent: {}\ndraft: true", quoted(agent))?;
            list(out, "allowed_actions", &seen.actions, seen.events)?;
            list(out, "destinations", &literal(&seen.destinations), seen.events)?;
            list(out, "peers", &seen.peers, seen.events)?;
            if !seen.environments.is_empty() {
                list(out, "environments", &seen.environments, seen.events)?;
            }
            if !seen.tasks.is_empty() {
                writeln!(out, "tasks:")?;
                for (task, actions) in &seen.tasks {
                    let actions: Vec<String> = actions.iter().map(|action| quoted(action)).collect();
                    writeln!(out, "  {}: [{}]", quoted(task), actions.join(", "))?;
                }
            }
            if !seen.amounts.is_empty() {
                writeln!(out, "limits:")?;
                for (action, currency, number, largest) in single_limits(&seen.amounts) {
                    let currency = if currency.is_empty() { String::new() } else { format!(" currency: {},", quoted(currency)) };
                    writeln!(
                        out,
                        "  - {{action: {}, field: amount,{currency} automatic_up_to: {}, above: human_approval}}  # the largest of {number} was {}",
                        quoted(action),
                        limit_above(largest),
                        largest.normalize()
                    )?;
                }
            }
        }
        Ok(())
    }
}

/// Amounts of an action in several currencies cannot all keep to a limit in one: such an action is left for a person.
fn single_limits(amounts: &BTreeMap<(String, String), (u64, Decimal)>) -> impl Iterator<Item = (&str, &str, u64, Decimal)> {
    let is_single = move |action: &str| amounts.keys().filter(|(other, _)| other == action).count() == 1;
    let is_code = |currency: &str| currency.is_empty() || (currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()));
    amounts
        .iter()
        .filter(move |((action, currency), (_, largest))| is_single(action) && is_code(currency) && !largest.is_sign_negative())
        .map(|((action, currency), (number, largest))| (action.as_str(), currency.as_str(), *number, *largest))
}

fn count(counts: &mut BTreeMap<String, u64>, name: Option<&str>) {
    let Some(name) = name else { return };
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() <= ENTRIES_MAX {
        counts.insert(name.to_owned(), 1);
    }
}

/// Destinations whose text would be read as a pattern are left out.
fn literal(destinations: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    destinations.iter().filter(|(name, _)| !name.contains('*')).map(|(name, count)| (name.clone(), *count)).collect()
}

fn list(out: &mut impl Write, key: &str, counts: &BTreeMap<String, u64>, of: u64) -> io::Result<()> {
    if counts.len() > ENTRIES_MAX {
        return writeln!(out, "# more than {ENTRIES_MAX} {key}: not limited");
    }
    let entries: Vec<(&String, &u64)> = counts.iter().filter(|(name, _)| !name.is_empty() && !name.contains('*')).collect();
    if entries.is_empty() {
        return writeln!(out, "{key}: []");
    }
    writeln!(out, "{key}:")?;
    entries.into_iter().try_for_each(|(name, count)| writeln!(out, "  - {}  # {count} of {of}", quoted(name)))
}

/// A text as YAML: in the double quotes of JSON, which YAML reads the same; what could hide in a terminal is escaped.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.chars().fold(String::with_capacity(json.len()), |mut quoted, character| {
        use std::fmt::Write as _;
        let code = u32::from(character);
        if matches!(code, 0x7f..=0x9f | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x2069 | 0xfeff) {
            let _ = write!(quoted, "\\u{code:04x}");
        } else {
            quoted.push(character);
        }
        quoted
    })
}

/// The largest amount that was seen, rounded up far enough that amounts like it do not lie just under the limit: that would be
/// structuring.
fn limit_above(largest: Decimal) -> Decimal {
    rounded_up(largest.checked_div(Structuring::default().above_share()).unwrap_or(largest))
}

/// Up to the next value with two leading digits.
fn rounded_up(value: Decimal) -> Decimal {
    let mut unit = Decimal::ONE;
    while value / unit >= Decimal::ONE_HUNDRED {
        unit *= Decimal::TEN;
    }
    ((value / unit).ceil() * unit).normalize()
}

fn written(ts: i64) -> String {
    Timestamp::from_millisecond(ts).map_or_else(|_| ts.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Origin, decode};
    use crate::govern::record::parse;

    /// The draft of these events of agent `a`, each given by its further members.
    fn draft(events: &[&str]) -> String {
        let mut drafts = Drafts::default();
        for members in events {
            let line = format!(r#"{{"ts":1767225600000,"agent_id":"a","session_id":"s",{members}}}"#);
            drafts.see(&decode(line.as_bytes(), Origin { partition: 0, offset: 0 }).expect("valid").event);
        }
        let mut out = Vec::new();
        drafts.write(&mut out).expect("memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_draft_says_what_was_seen_and_how_often_and_is_a_valid_record() {
        let text = draft(&[
            r#""tool":"lookup","tool_server":"shop","task_type":"t","destination":"api.example.com""#,
            r#""tool":"refund","task_type":"t","amount":"48.20","currency":"EUR""#,
            r#""tool":"refund","task_type":"t","amount":"1234","currency":"EUR","status":"ok""#,
            r#""tool":"export","status":"denied""#,
            r#""action":"message","peer_agent_id":"b""#,
        ]);
        for expected in [
            "# 4 events in 1 sessions, 2026-01-01T00:00:00Z to 2026-01-01T00:00:00Z",
            "draft: true",
            r#"- "shop/lookup"  # 1 of 4"#,
            r#"- "refund"  # 2 of 4"#,
            r#"- "message"  # 1 of 4"#,
            r#"- "api.example.com"  # 1 of 4"#,
            r#"- "b"  # 1 of 4"#,
            r#""t": ["refund", "shop/lookup"]"#,
            "automatic_up_to: 1400, above: human_approval}  # the largest of 2 was 1234",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("export"));
        let record = parse(&text).unwrap_or_else(|problems| panic!("{problems:?}: {text}")).remove(0).record;
        assert!(record.draft && record.destinations == Some(vec!["api.example.com".into()]));
    }

    #[test]
    fn hostile_names_stay_names() {
        let text = draft(&[r#""tool":"x\"]\nagent: evil\u202e","destination":"*.evil.test""#]);
        let record = parse(&text).unwrap_or_else(|problems| panic!("{problems:?}: {text}")).remove(0).record;
        assert_eq!(record.agent, "a");
        assert_eq!(record.allowed_actions, Some(vec!["x\"]\nagent: evil\u{202e}".to_owned()]));
        assert_eq!(record.destinations, Some(vec![]));
        assert!(!text.contains('\u{202e}'));
    }

    #[test]
    fn ordinary_amounts_do_not_lie_just_under_the_drafted_limit() {
        for largest in ["0.01", "0.9", "9", "48.20", "90", "90.01", "99.99", "1234", "89999"] {
            let largest: Decimal = largest.parse().expect("a decimal");
            let limit = limit_above(largest);
            assert!(largest * Decimal::ONE_HUNDRED <= limit * Decimal::from(90), "{largest} under {limit}");
            assert!(limit <= largest.max(Decimal::ONE) * Decimal::TWO, "{limit} is no limit for {largest}");
        }
    }

    #[test]
    fn limits_are_rounded_up_to_two_digits() {
        for (value, expected) in [("0", "0"), ("0.5", "1"), ("48.20", "49"), ("99.01", "100"), ("100", "100"), ("1201", "1300")] {
            assert_eq!(rounded_up(value.parse().expect("a decimal")).to_string(), expected, "{value}");
        }
    }
}
