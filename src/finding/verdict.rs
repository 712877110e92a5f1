//! How bad a finding is that follows from its kind alone, and what should happen (DESIGN.md, section 5). Behaviour has no entry:
//! there both follow from the score.

use super::{Decision, Kind, Severity};

/// Severity and decision of a kind; `None` for behaviour.
///
/// `is_sensitive`: it touched what the operator called sensitive, which makes a shadow agent critical. Nobody is stopped without
/// `auto_suspend`; then what would suspend asks.
#[must_use]
pub fn of(kind: Kind, is_sensitive: bool, auto_suspend: bool) -> Option<(Severity, Decision)> {
    let stop = if auto_suspend { Decision::Suspend } else { Decision::StepUp };
    Some(match kind {
        Kind::Sequence | Kind::Volume | Kind::Duration | Kind::Cadence | Kind::Novelty | Kind::Outcome | Kind::Session => return None,
        Kind::ForbiddenAction
        | Kind::DecommissionedAgent
        | Kind::SuspendedAgentActive
        | Kind::ActedAfterSuspension
        | Kind::ApprovalReplayed
        | Kind::ApprovalRefusedButExecuted => (Severity::Critical, stop),
        Kind::ShadowAgent if is_sensitive => (Severity::Critical, stop),
        Kind::OutsideContract
        | Kind::UnapprovedDestination
        | Kind::UnapprovedPeer
        | Kind::Delegation
        | Kind::ApprovalMissing
        | Kind::ApprovalMismatch
        | Kind::CredentialShared
        | Kind::Structuring
        | Kind::Environment => (Severity::High, Decision::StepUp),
        Kind::IntentLimit | Kind::ShadowAgent => (Severity::Medium, Decision::StepUp),
        Kind::CredentialStale
        | Kind::CredentialNewSource
        | Kind::CredentialUnknown
        | Kind::DormantAgent
        | Kind::AnswerRefused
        | Kind::EnforcementUnconfirmed => (Severity::Medium, Decision::Alert),
        Kind::DriftAttributed | Kind::DriftUnexplained | Kind::SequenceGap | Kind::AgentSilent | Kind::Unscorable => {
            (Severity::Low, Decision::Alert)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_stopped_unless_the_operator_says_so() {
        assert!(Kind::ALL.iter().all(|kind| of(*kind, true, false).is_none_or(|(_, decision)| decision < Decision::Suspend)));
        assert_eq!(of(Kind::ForbiddenAction, false, true), Some((Severity::Critical, Decision::Suspend)));
    }

    #[test]
    fn a_shadow_agent_is_critical_only_where_it_is_sensitive() {
        assert_eq!(of(Kind::ShadowAgent, false, true), Some((Severity::Medium, Decision::StepUp)));
        assert_eq!(of(Kind::ShadowAgent, true, true), Some((Severity::Critical, Decision::Suspend)));
    }

    #[test]
    fn only_behaviour_has_no_entry() {
        let without: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| of(*kind, false, false).is_none()).collect();
        assert_eq!(without, Kind::ALL[..7]);
    }
}
