//! The kinds of finding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of deviation a finding reports (DESIGN.md, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the specification's own words")]
pub enum Kind {
    Sequence,
    Volume,
    Duration,
    Cadence,
    Novelty,
    Outcome,
    Session,
    ForbiddenAction,
    OutsideContract,
    UnapprovedDestination,
    UnapprovedPeer,
    IntentLimit,
    Structuring,
    Delegation,
    Environment,
    ShadowAgent,
    DormantAgent,
    DecommissionedAgent,
    SuspendedAgentActive,
    CredentialShared,
    CredentialStale,
    CredentialNewSource,
    CredentialUnknown,
    AnswerRefused,
    ApprovalMissing,
    ApprovalMismatch,
    ApprovalReplayed,
    ApprovalRefusedButExecuted,
    ActedAfterSuspension,
    EnforcementUnconfirmed,
    DriftAttributed,
    DriftUnexplained,
    SequenceGap,
    AgentSilent,
    Unscorable,
}

impl Kind {
    /// Every kind, in the order of the specification.
    pub const ALL: [Self; 35] = [
        Self::Sequence,
        Self::Volume,
        Self::Duration,
        Self::Cadence,
        Self::Novelty,
        Self::Outcome,
        Self::Session,
        Self::ForbiddenAction,
        Self::OutsideContract,
        Self::UnapprovedDestination,
        Self::UnapprovedPeer,
        Self::IntentLimit,
        Self::Structuring,
        Self::Delegation,
        Self::Environment,
        Self::ShadowAgent,
        Self::DormantAgent,
        Self::DecommissionedAgent,
        Self::SuspendedAgentActive,
        Self::CredentialShared,
        Self::CredentialStale,
        Self::CredentialNewSource,
        Self::CredentialUnknown,
        Self::AnswerRefused,
        Self::ApprovalMissing,
        Self::ApprovalMismatch,
        Self::ApprovalReplayed,
        Self::ApprovalRefusedButExecuted,
        Self::ActedAfterSuspension,
        Self::EnforcementUnconfirmed,
        Self::DriftAttributed,
        Self::DriftUnexplained,
        Self::SequenceGap,
        Self::AgentSilent,
        Self::Unscorable,
    ];

    /// Whether it is about what became of a question or a suspension.
    #[must_use]
    pub fn is_response(self) -> bool {
        matches!(
            self,
            Self::AnswerRefused
                | Self::ApprovalMissing
                | Self::ApprovalMismatch
                | Self::ApprovalReplayed
                | Self::ApprovalRefusedButExecuted
                | Self::ActedAfterSuspension
                | Self::EnforcementUnconfirmed
        )
    }

    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Volume => "volume",
            Self::Duration => "duration",
            Self::Cadence => "cadence",
            Self::Novelty => "novelty",
            Self::Outcome => "outcome",
            Self::Session => "session",
            Self::ForbiddenAction => "forbidden_action",
            Self::OutsideContract => "outside_contract",
            Self::UnapprovedDestination => "unapproved_destination",
            Self::UnapprovedPeer => "unapproved_peer",
            Self::IntentLimit => "intent_limit",
            Self::Structuring => "structuring",
            Self::Delegation => "delegation",
            Self::Environment => "environment",
            Self::ShadowAgent => "shadow_agent",
            Self::DormantAgent => "dormant_agent",
            Self::DecommissionedAgent => "decommissioned_agent",
            Self::SuspendedAgentActive => "suspended_agent_active",
            Self::CredentialShared => "credential_shared",
            Self::CredentialStale => "credential_stale",
            Self::CredentialNewSource => "credential_new_source",
            Self::CredentialUnknown => "credential_unknown",
            Self::AnswerRefused => "answer_refused",
            Self::ApprovalMissing => "approval_missing",
            Self::ApprovalMismatch => "approval_mismatch",
            Self::ApprovalReplayed => "approval_replayed",
            Self::ApprovalRefusedButExecuted => "approval_refused_but_executed",
            Self::ActedAfterSuspension => "acted_after_suspension",
            Self::EnforcementUnconfirmed => "enforcement_unconfirmed",
            Self::DriftAttributed => "drift_attributed",
            Self::DriftUnexplained => "drift_unexplained",
            Self::SequenceGap => "sequence_gap",
            Self::AgentSilent => "agent_silent",
            Self::Unscorable => "unscorable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_and_its_word_is_the_one_it_is_written_with() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(Kind::ALL.last(), Some(&Kind::Unscorable));
    }
}
