//! What is remembered of a request: what answers and actions are held against, and what the trail says of it. In stored state its
//! members have the names of the published request, of which it is a part.

use serde::{Deserialize, Serialize};

use crate::finding::step_up_request::DecisionRequired;
use crate::finding::{PolicyShown, StepUpRequest};

/// A request without what only its reader needs: reasons, strengths in words, the trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the request")]
pub struct Question {
    pub request_id: String,
    pub finding_id: String,
    pub event_id: String,
    pub decision_required: DecisionRequired,
    pub agent: Asker,
    pub principal: Option<String>,
    pub action: Acted,
    pub params_hash: Option<String>,
    pub acr_values: Vec<String>,
    pub approvers: Vec<String>,
    pub policy: PolicyShown,
    pub created_at: i64,
    pub expires_at: i64,
    pub dedupe_key: String,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the request")]
pub struct Asker {
    pub id: String,
    pub session_id: Option<String>,
    pub credential_id: Option<String>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the request")]
pub struct Acted {
    pub tool: Option<String>,
    pub tool_server: Option<String>,
    pub target: Option<String>,
    pub destination: Option<String>,
    pub amount: Option<String>,
    pub currency: Option<String>,
}

impl From<&StepUpRequest> for Question {
    fn from(request: &StepUpRequest) -> Self {
        let StepUpRequest { agent, action, policy, .. } = request;
        Self {
            request_id: request.request_id.clone(),
            finding_id: request.finding_id.clone(),
            event_id: request.event_id.clone(),
            decision_required: request.decision_required,
            agent: Asker { id: agent.id.clone(), session_id: agent.session_id.clone(), credential_id: agent.credential_id.clone() },
            principal: request.principal.clone(),
            action: Acted {
                tool: action.tool.clone(),
                tool_server: action.tool_server.clone(),
                target: action.target.clone(),
                destination: action.destination.clone(),
                amount: action.amount.clone(),
                currency: action.currency.clone(),
            },
            params_hash: request.params_hash.clone(),
            acr_values: request.acr_values.clone(),
            approvers: request.approvers.clone(),
            policy: PolicyShown { id: policy.id.clone(), version: policy.version.clone(), rule: policy.rule.clone() },
            created_at: request.created_at,
            expires_at: request.expires_at,
            dedupe_key: request.dedupe_key.clone(),
        }
    }
}
