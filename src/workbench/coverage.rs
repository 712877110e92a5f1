//! Which kinds of finding the fixtures show: for each kind the streams that must raise it, the near misses beside them that must
//! not, the techniques that it points at, and the pattern of misuse in a few words.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::expectation::{ExpectationError, Expectations};
use crate::finding::{Kind, techniques};

/// Fixtures that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CoverageError {
    /// A folder or file.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Expectations that are not as they should be.
    #[error("{}: {source}", path.display())]
    Expectations {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ExpectationError,
    },
}

/// What the fixtures show of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// The kind.
    pub kind: Kind,
    /// Fixtures that must raise it, without `.expect.toml`.
    pub fixtures: Vec<String>,
    /// Sessions in them that must raise nothing.
    pub near_misses: usize,
}

/// Reads every `*.expect.toml` in the folder and below.
///
/// # Errors
/// The first that cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Covered>, CoverageError> {
    let mut found: BTreeMap<Kind, Covered> =
        Kind::ALL.into_iter().map(|kind| (kind, Covered { kind, fixtures: Vec::new(), near_misses: 0 })).collect();
    for path in expectations_below(folder)? {
        let text = fs::read_to_string(&path).map_err(|source| CoverageError::Read { path: path.clone(), source })?;
        let expectations = Expectations::read(&text).map_err(|source| CoverageError::Expectations { path: path.clone(), source })?;
        let relative = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let name = relative.trim_end_matches(".expect.toml");
        for kind in expectations.raised() {
            if let Some(covered) = found.get_mut(&kind) {
                covered.fixtures.push(name.to_owned());
                covered.near_misses += expectations.quiet();
            }
        }
    }
    Ok(found.into_values().collect())
}

fn expectations_below(folder: &Path) -> Result<Vec<PathBuf>, CoverageError> {
    let failed = |source| CoverageError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(expectations_below(&path)?);
        } else if path.to_string_lossy().ends_with(".expect.toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The table, in Markdown.
#[must_use]
pub fn table(covered: &[Covered]) -> String {
    let mut text = String::from("| kind | fixtures | near misses | techniques | pattern |\n|---|---|---|---|---|\n");
    for Covered { kind, fixtures, near_misses } in covered {
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let (fixtures, ids) = (or_none(fixtures.join(", ")), or_none(techniques::of(*kind).join(" ")));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {fixtures} | {near_misses} | {ids} | {} |", kind.as_str(), pattern(*kind));
    }
    text
}

/// The misuse behind a kind, in a few words.
#[must_use]
pub fn pattern(kind: Kind) -> &'static str {
    match kind {
        Kind::Sequence => "goal hijack: an order of actions that nobody takes",
        Kind::Volume => "bulk exfiltration or collection",
        Kind::Duration => "resource exhaustion: calls that take too long",
        Kind::Cadence => "runaway loop or burst",
        Kind::Novelty => "excessive agency: something never touched before",
        Kind::Outcome => "probing: refusals and errors in a row",
        Kind::Session => "run unlike any other of the agent",
        Kind::ForbiddenAction => "policy violation: an action ruled out",
        Kind::OutsideContract => "excessive agency: an action nobody granted",
        Kind::UnapprovedDestination => "exfiltration to an undeclared place",
        Kind::UnapprovedPeer => "rogue delegation: an undeclared peer, a circle, too long a chain",
        Kind::IntentLimit => "transaction beyond what may run by itself",
        Kind::Structuring => "amounts split to stay under a limit",
        Kind::Delegation => "confused deputy: authority that the principal does not have",
        Kind::Environment => "environment isolation broken",
        Kind::ShadowAgent => "ungoverned agent",
        Kind::DormantAgent => "orphaned agent awake again",
        Kind::DecommissionedAgent => "improper offboarding",
        Kind::SuspendedAgentActive => "suspension without effect",
        Kind::CredentialShared => "credential reuse between agents",
        Kind::CredentialStale => "long-lived secret",
        Kind::CredentialNewSource => "credential used from elsewhere: leaked",
        Kind::CredentialUnknown => "credential that nobody issued to the agent",
        Kind::AnswerRefused => "approval that does not count",
        Kind::ApprovalMissing => "action without the approval that it needs",
        Kind::ApprovalMismatch => "approval of other parameters",
        Kind::ApprovalReplayed => "approval used again",
        Kind::ApprovalRefusedButExecuted => "refusal ignored",
        Kind::ActedAfterSuspension => "containment bypassed",
        Kind::EnforcementUnconfirmed => "containment unconfirmed",
        Kind::DriftAttributed => "change put down to a release",
        Kind::DriftUnexplained => "slow change without a cause: poisoning or compromise",
        Kind::SequenceGap => "telemetry lost or suppressed",
        Kind::AgentSilent => "agent fallen silent",
        Kind::Unscorable => "telemetry that cannot be judged",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_and_every_identity_kind_has_a_fixture_and_a_near_miss() {
        let covered = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).expect("readable");
        for one in covered.iter().filter(|one| (Kind::ForbiddenAction..=Kind::CredentialUnknown).contains(&one.kind)) {
            assert!(!one.fixtures.is_empty() && one.near_misses > 0, "{one:?}");
        }
        let table = table(&covered);
        assert_eq!(table.lines().count(), 2 + Kind::ALL.len());
        let row = "| structuring | declared/structuring | 3 | AML.T0048.000 T1657 ASI02 ASI09 | amounts split to stay under a limit |";
        assert!(table.contains(row), "{table}");
    }
}
