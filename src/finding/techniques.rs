//! Which techniques and risks of the field each kind points at: MITRE ATLAS 5.6.0, MITRE ATT&CK, and OWASP's lists for agentic
//! applications (2026), non-human identities (2025) and MCP (2025). Which kind points where is this project's judgement.

use super::Kind;

/// What is known beyond the kind and points elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refinement {
    /// `novelty`: what is new is a destination.
    NewDestination,
    /// `outcome`: denials came before something was allowed.
    DeniedThenAllowed,
    /// `drift_attributed` and `drift_unexplained`: nobody approved the change.
    UnapprovedChange,
}

/// ATLAS, ATT&CK, OWASP ASI, NHI and MCP ids of a kind, in that order.
#[must_use]
pub fn of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Sequence | Kind::Session | Kind::DriftUnexplained => &["AML.T0053", "T1078.004", "ASI01", "ASI02", "ASI10", "MCP06:2025"],
        Kind::Novelty | Kind::Outcome | Kind::ForbiddenAction | Kind::OutsideContract => {
            &["AML.T0053", "T1078.004", "ASI02", "ASI03", "NHI5:2025", "MCP02:2025"]
        }
        Kind::Volume => &["AML.T0085.001", "AML.T0086", "T1530", "T1119", "ASI02", "NHI5:2025", "MCP10:2025"],
        Kind::UnapprovedDestination => &["AML.T0086", "T1567", "ASI01", "ASI02", "MCP10:2025"],
        Kind::Duration | Kind::Cadence => &["AML.T0034.002", "AML.T0029", "T1496", "ASI08"],
        Kind::UnapprovedPeer | Kind::Delegation => &["AML.T0053", "T1199", "ASI03", "ASI07", "MCP07:2025"],
        Kind::IntentLimit | Kind::Structuring => &["AML.T0048.000", "T1657", "ASI02", "ASI09"],
        Kind::Environment => &["AML.T0012", "T1078.004", "ASI03", "NHI8:2025"],
        Kind::ShadowAgent => &["AML.T0103", "T1136", "ASI10", "NHI1:2025", "MCP09:2025"],
        Kind::DormantAgent | Kind::DecommissionedAgent | Kind::SuspendedAgentActive | Kind::ActedAfterSuspension => {
            &["AML.T0012", "T1078.004", "ASI10", "NHI1:2025"]
        }
        Kind::CredentialShared => &["AML.T0012", "T1078.004", "ASI03", "NHI9:2025", "MCP01:2025"],
        Kind::CredentialStale => &["AML.T0012", "T1078.004", "ASI03", "NHI7:2025", "MCP01:2025"],
        Kind::CredentialUnknown => &["AML.T0012", "T1078.004", "ASI03", "NHI4:2025", "MCP01:2025"],
        Kind::CredentialNewSource => &["AML.T0091.000", "T1550.001", "ASI03", "NHI2:2025", "MCP01:2025"],
        Kind::AnswerRefused
        | Kind::ApprovalMissing
        | Kind::ApprovalMismatch
        | Kind::ApprovalReplayed
        | Kind::ApprovalRefusedButExecuted => &["AML.T0053", "T1562", "ASI09", "MCP06:2025"],
        Kind::SequenceGap | Kind::AgentSilent | Kind::EnforcementUnconfirmed => &["T1562", "ASI10", "MCP08:2025"],
        Kind::DriftAttributed | Kind::Unscorable => &[],
    }
}

/// Ids of a kind where more is known than the kind; a refinement of another kind changes nothing.
#[must_use]
pub fn refined(kind: Kind, refinement: Option<Refinement>) -> &'static [&'static str] {
    match (kind, refinement) {
        (Kind::Novelty, Some(Refinement::NewDestination)) => of(Kind::UnapprovedDestination),
        (Kind::Outcome, Some(Refinement::DeniedThenAllowed)) => &["AML.T0084", "T1580", "ASI03", "MCP07:2025"],
        (Kind::DriftAttributed | Kind::DriftUnexplained, Some(Refinement::UnapprovedChange)) => {
            &["AML.T0081", "T1562", "ASI10", "MCP04:2025"]
        }
        _ => of(kind),
    }
}

/// The official name behind an id, for renderers; of a sub-technique its own name without the parent's.
#[must_use]
pub fn name(id: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// Every id that a finding may carry, and the parents of its sub-techniques.
pub const NAMES: &[(&str, &str)] = &[
    ("AML.T0012", "Valid Accounts"),
    ("AML.T0029", "Denial of AI Service"),
    ("AML.T0034", "Cost Harvesting"),
    ("AML.T0034.002", "Agentic Resource Consumption"),
    ("AML.T0048", "External Harms"),
    ("AML.T0048.000", "Financial Harm"),
    ("AML.T0053", "AI Agent Tool Invocation"),
    ("AML.T0081", "Modify AI Agent Configuration"),
    ("AML.T0084", "Discover AI Agent Configuration"),
    ("AML.T0085", "Data from AI Services"),
    ("AML.T0085.001", "AI Agent Tools"),
    ("AML.T0086", "Exfiltration via AI Agent Tool Invocation"),
    ("AML.T0091", "Use Alternate Authentication Material"),
    ("AML.T0091.000", "Application Access Token"),
    ("AML.T0103", "Deploy AI Agent"),
    ("T1078", "Valid Accounts"),
    ("T1078.004", "Cloud Accounts"),
    ("T1119", "Automated Collection"),
    ("T1136", "Create Account"),
    ("T1199", "Trusted Relationship"),
    ("T1496", "Resource Hijacking"),
    ("T1530", "Data from Cloud Storage"),
    ("T1550", "Use Alternate Authentication Material"),
    ("T1550.001", "Application Access Token"),
    ("T1562", "Impair Defenses"),
    ("T1567", "Exfiltration Over Web Service"),
    ("T1580", "Cloud Infrastructure Discovery"),
    ("T1657", "Financial Theft"),
    ("ASI01", "Agent Goal Hijack"),
    ("ASI02", "Tool Misuse and Exploitation"),
    ("ASI03", "Identity and Privilege Abuse"),
    ("ASI07", "Insecure Inter-Agent Communication"),
    ("ASI08", "Cascading Failures"),
    ("ASI09", "Human-Agent Trust Exploitation"),
    ("ASI10", "Rogue Agents"),
    ("NHI1:2025", "Improper Offboarding"),
    ("NHI2:2025", "Secret Leakage"),
    ("NHI4:2025", "Insecure Authentication"),
    ("NHI5:2025", "Overprivileged NHI"),
    ("NHI7:2025", "Long-Lived Secrets"),
    ("NHI8:2025", "Environment Isolation"),
    ("NHI9:2025", "NHI Reuse"),
    ("MCP01:2025", "Token Mismanagement & Secret Exposure"),
    ("MCP02:2025", "Privilege Escalation via Scope Creep"),
    ("MCP04:2025", "Software Supply Chain Attacks & Dependency Tampering"),
    ("MCP06:2025", "Intent Flow Subversion"),
    ("MCP07:2025", "Insufficient Authentication & Authorization"),
    ("MCP08:2025", "Lack of Audit and Telemetry"),
    ("MCP09:2025", "Shadow MCP Servers"),
    ("MCP10:2025", "Context Injection & Over-Sharing"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every list of ids that this table can give.
    fn all() -> Vec<&'static [&'static str]> {
        let refinements = [Refinement::NewDestination, Refinement::DeniedThenAllowed, Refinement::UnapprovedChange];
        let kinds = Kind::ALL.into_iter();
        kinds.flat_map(|kind| refinements.map(|refinement| refined(kind, Some(refinement))).into_iter().chain([of(kind)])).collect()
    }

    #[test]
    fn every_id_has_a_name_and_every_parent_too() {
        for id in all().concat() {
            assert!(name(id).is_some(), "{id}");
            if let Some((parent, _)) = id.rsplit_once('.').filter(|(parent, _)| *parent != "AML") {
                assert!(name(parent).is_some(), "parent of {id}");
            }
        }
    }

    #[test]
    fn every_name_is_used() {
        let used = all().concat();
        for (known, _) in NAMES {
            let is_parent = used.iter().any(|id| id.strip_prefix(known).is_some_and(|rest| rest.starts_with('.')));
            assert!(used.contains(known) || is_parent, "{known}");
        }
    }

    #[test]
    fn ids_come_in_the_order_of_the_frameworks() {
        let rank = |id: &&str| ["AML.", "T", "ASI", "NHI", "MCP"].iter().position(|prefix| id.starts_with(prefix));
        for ids in all() {
            assert!(ids.is_sorted_by_key(rank), "{ids:?}");
            assert!(ids.iter().all(|id| rank(id).is_some()), "{ids:?}");
        }
    }

    #[test]
    fn a_new_destination_points_at_exfiltration() {
        assert!(refined(Kind::Novelty, Some(Refinement::NewDestination)).contains(&"AML.T0086"));
        assert!(!of(Kind::Novelty).contains(&"AML.T0086"));
        assert_eq!(refined(Kind::Volume, Some(Refinement::NewDestination)), of(Kind::Volume));
    }
}
