//! What findings a stream must give: `exactly`, `at_least` or `at_most` so many of a kind, of an agent, in a session.
//!
//! A file is TOML or JSON of one form:
//!
//! ```toml
//! [[expect]]
//! name = "the bulk export is noticed"   # optional; for the report
//! kind = "volume"                       # optional; absent: of any kind
//! agent = "support-agent-01"            # optional; absent: of any agent
//! session = "support-agent-01/00042"    # optional; absent: in any session
//! exactly = 1                           # or at_least, at_most, or both of these
//! ```
//!
//! A finding counts once, however often it was updated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use crate::finding::{Finding, Kind};

/// Expectations that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExpectationError {
    /// Neither TOML nor JSON of the expected form.
    #[error("expectations are not valid TOML: {0}")]
    Toml(#[from] toml::de::Error),
    /// Begins like JSON and is none of the expected form.
    #[error("expectations are not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The list is empty.
    #[error("expectations are empty, expected at least one `expect`")]
    Empty,
    /// Bounds that say nothing or contradict each other.
    #[error("expectation {number} (`{what}`) has {bounds}, expected `exactly`, `at_least`, `at_most`, or the last two in order")]
    Bounds {
        /// Place in the file, from 1.
        number: usize,
        /// What it is about.
        what: String,
        /// What is wrong.
        bounds: &'static str,
    },
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    name: Option<String>,
    kind: Option<Kind>,
    agent: Option<String>,
    session: Option<String>,
    exactly: Option<u64>,
    at_least: Option<u64>,
    at_most: Option<u64>,
}

/// A checked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectations(Vec<Expectation>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    expect: Vec<Expectation>,
}

/// How one expectation came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was expected.
    pub name: String,
    /// Why it is not so; `None` when it is.
    pub failure: Option<String>,
}

/// Findings of a stream, each once.
#[derive(Debug, Clone, Default)]
pub struct Seen(BTreeMap<String, (Kind, String, Option<String>)>);

impl Seen {
    /// Notes one publication of a finding.
    pub fn note(&mut self, finding: &Finding) {
        self.0.entry(finding.finding_id.clone()).or_insert_with(|| (finding.kind, finding.agent_id.clone(), finding.session_id.clone()));
    }
}

impl Expectations {
    /// The kinds of which at least one finding must come, each once.
    #[must_use]
    pub fn raised(&self) -> BTreeSet<Kind> {
        let must_come = |one: &&Expectation| one.exactly.or(one.at_least).is_some_and(|least| least > 0);
        self.0.iter().filter(must_come).filter_map(|one| one.kind).collect()
    }

    /// How many lines say that nothing may come.
    #[must_use]
    pub fn quiet(&self) -> usize {
        self.0.iter().filter(|one| one.exactly.or(one.at_most) == Some(0)).count()
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// Says what is not as it should be, with the line where the text has one.
    pub fn read(text: &str) -> Result<Self, ExpectationError> {
        let Written { expect } = if text.trim_start().starts_with('{') { serde_json::from_str(text)? } else { toml::from_str(text)? };
        if expect.is_empty() {
            return Err(ExpectationError::Empty);
        }
        for (index, expectation) in expect.iter().enumerate() {
            if let Some(bounds) = expectation.wrong_bounds() {
                return Err(ExpectationError::Bounds { number: index + 1, what: expectation.about(), bounds });
            }
        }
        Ok(Self(expect))
    }

    /// Compares with what came, in the order of the file.
    #[must_use]
    pub fn judge(&self, seen: &Seen) -> Vec<Verdict> {
        self.0.iter().map(|expectation| expectation.judge(seen)).collect()
    }
}

impl Expectation {
    fn wrong_bounds(&self) -> Option<&'static str> {
        match (self.exactly, self.at_least, self.at_most) {
            (None, None, None) => Some("no bound"),
            (Some(_), None, None) => None,
            (Some(_), _, _) => Some("`exactly` and another bound"),
            (None, Some(least), Some(most)) if least > most => Some("`at_least` above `at_most`"),
            (None, _, _) => None,
        }
    }

    /// Kind, agent and session in words.
    fn about(&self) -> String {
        let mut about = self.kind.map_or("any kind", Kind::as_str).to_owned();
        if let Some(agent) = &self.agent {
            about.push_str(" of ");
            about.push_str(agent);
        }
        if let Some(session) = &self.session {
            about.push_str(" in ");
            about.push_str(session);
        }
        about
    }

    fn judge(&self, seen: &Seen) -> Verdict {
        let fits = |(kind, agent, session): &(Kind, String, Option<String>)| {
            self.kind.is_none_or(|wanted| wanted == *kind)
                && self.agent.as_ref().is_none_or(|wanted| wanted == agent)
                && self.session.as_ref().is_none_or(|wanted| Some(wanted) == session.as_ref())
        };
        let found = seen.0.values().filter(|finding| fits(finding)).count() as u64;
        let name = match &self.name {
            Some(name) => format!("{name} ({}: {self})", self.about()),
            None => format!("{}: {self}", self.about()),
        };
        let least = self.exactly.or(self.at_least).unwrap_or(0);
        let most = self.exactly.or(self.at_most).unwrap_or(u64::MAX);
        let failure = (!(least..=most).contains(&found)).then(|| format!("expected {self}, found {found}{}", self.nearby(seen)));
        Verdict { name, failure }
    }

    /// The findings that share the agent or the session, so that a reader sees what came instead.
    fn nearby(&self, seen: &Seen) -> String {
        const SHOWN_MAX: usize = 10;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (kind, agent, session) in seen.0.values() {
            let near = self.agent.as_ref().is_none_or(|wanted| wanted == agent) || self.session.is_some() && self.session == *session;
            if near {
                let place = session.as_ref().map_or_else(String::new, |session| format!(" in {session}"));
                *counts.entry(format!("{} of {agent}{place}", kind.as_str())).or_default() += 1;
            }
        }
        if counts.is_empty() {
            return "; there are no findings like it".into();
        }
        let mut lines: Vec<String> = counts.iter().take(SHOWN_MAX).map(|(what, count)| format!("\n    {count} {what}")).collect();
        if counts.len() > SHOWN_MAX {
            lines.push(format!("\n    and {} more", counts.len() - SHOWN_MAX));
        }
        format!("; findings there:{}", lines.concat())
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.exactly, self.at_least, self.at_most) {
            (Some(exactly), _, _) => write!(formatter, "exactly {exactly}"),
            (None, Some(least), Some(most)) => write!(formatter, "{least} to {most}"),
            (None, Some(least), None) => write!(formatter, "at least {least}"),
            (None, None, Some(most)) => write!(formatter, "at most {most}"),
            (None, None, None) => formatter.write_str("any number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(findings: &[(Kind, &str, &str)]) -> Seen {
        let findings = findings.iter().enumerate();
        Seen(findings.map(|(id, (kind, agent, session))| (id.to_string(), (*kind, (*agent).into(), Some((*session).into())))).collect())
    }

    /// Reads `text` and says for each expectation whether it is met.
    #[track_caller]
    fn check(text: &str, met: &[bool]) {
        let seen = seen(&[(Kind::Volume, "a", "s1"), (Kind::Volume, "a", "s2"), (Kind::Sequence, "b", "s3")]);
        let verdicts = Expectations::read(text).expect(text).judge(&seen);
        let outcomes: Vec<bool> = verdicts.iter().map(|verdict| verdict.failure.is_none()).collect();
        assert_eq!(outcomes, met, "{verdicts:?}");
    }

    #[test]
    fn counts_are_per_kind_agent_and_session() {
        check("[[expect]]\nkind = 'volume'\nexactly = 2\n[[expect]]\nkind = 'volume'\nexactly = 1", &[true, false]);
        check("[[expect]]\nagent = 'a'\nat_least = 2\nat_most = 2\n[[expect]]\nagent = 'b'\nat_least = 2", &[true, false]);
        check("[[expect]]\nsession = 's1'\nexactly = 1\n[[expect]]\nsession = 's9'\nat_most = 0", &[true, true]);
        check("[[expect]]\nat_most = 2", &[false]);
    }

    #[test]
    fn json_says_the_same() {
        check(r#"{"expect":[{"kind":"sequence","agent":"b","exactly":1},{"kind":"novelty","at_least":1}]}"#, &[true, false]);
    }

    #[test]
    fn a_failure_shows_what_came_instead() {
        let seen = seen(&[(Kind::Volume, "a", "s1")]);
        let text = "[[expect]]\nname = 'slow'\nkind = 'duration'\nagent = 'a'\nexactly = 1";
        let verdict = Expectations::read(text).expect(text).judge(&seen).remove(0);
        assert_eq!(verdict.name, "slow (duration of a: exactly 1)");
        assert_eq!(verdict.failure.as_deref(), Some("expected exactly 1, found 0; findings there:\n    1 volume of a in s1"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "expect = []",
            "[[expect]]\nkind = 'volume'",
            "[[expect]]\nkind = 'volumes'\nexactly = 1",
            "[[expect]]\nexactly = 1\nat_least = 1",
            "[[expect]]\nat_least = 3\nat_most = 2",
            "[[expect]]\nexactly = -1",
            "[[expect]]\ncount = 1",
            "{\"expect\":[{\"exactly\":1,\"agents\":\"a\"}]}",
        ] {
            assert!(Expectations::read(text).is_err(), "{text}");
        }
    }
}
