//! Names of the topics beside inputs and outputs (DESIGN.md, section 6), without the prefix.

/// The `[topics]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Native events that the ingest stage found in inputs of other forms.
    pub events: String,
    /// Step-up requests.
    pub step_up_requests: String,
    /// Answers to them.
    pub step_up_responses: String,
    /// State of agents: active, suspended, revoked.
    pub agent_state: String,
    /// What enforcement points did.
    pub enforcement_acks: String,
    /// Inventory records.
    pub inventory: String,
    /// Declared changes of agents.
    pub changes: String,
    /// Verdicts of analysts.
    pub feedback: String,
    /// The why-trail.
    pub audit: String,
    /// Records that could not be scored.
    pub dead_letters: String,
    /// Internal: state of the shards.
    pub state: String,
    /// Internal: statistics of groups and population.
    pub pools: String,
    /// Internal: which agent used which credential.
    pub sightings: String,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            events: "agent-events".into(),
            step_up_requests: "agent-stepup-requests".into(),
            step_up_responses: "agent-stepup-responses".into(),
            agent_state: "agent-state".into(),
            enforcement_acks: "agent-enforcement-acks".into(),
            inventory: "agent-inventory".into(),
            changes: "agent-changes".into(),
            feedback: "agent-feedback".into(),
            audit: "agent-audit".into(),
            dead_letters: "agent-dead-letters".into(),
            state: "gaitkeeper-state".into(),
            pools: "gaitkeeper-pools".into(),
            sightings: "gaitkeeper-sightings".into(),
        }
    }
}

impl Topics {
    /// Every key of the table with its topic.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, &str); 13] {
        let Self {
            events,
            step_up_requests,
            step_up_responses,
            agent_state,
            enforcement_acks,
            inventory,
            changes,
            feedback,
            audit,
            dead_letters,
            state,
            pools,
            sightings,
        } = self;
        [
            ("events", events),
            ("stepup_requests", step_up_requests),
            ("stepup_responses", step_up_responses),
            ("agent_state", agent_state),
            ("enforcement_acks", enforcement_acks),
            ("inventory", inventory),
            ("changes", changes),
            ("feedback", feedback),
            ("audit", audit),
            ("dead_letters", dead_letters),
            ("state", state),
            ("pools", pools),
            ("sightings", sightings),
        ]
    }
}
