//! What the engine judges by. Everything here enters the configuration's hash; nothing here names a host, a topic or a clock.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::AnswerKeys;
use crate::finding::{Decision, Kind, Severity, verdict};

/// How many false alarms the operator accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AlarmBudget {
    /// Share of ordinary sessions that may alarm, 0 < α < 1.
    PerSession(f64),
    /// Alarms a day for the whole fleet, > 0.
    PerDay(f64),
}

/// What a new agent's first sessions may raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColdStart {
    /// Judged by group and population.
    Pool,
    /// No behavioural finding while young; its contract judges it.
    Contract,
    /// No finding at all from a new agent's first sessions.
    Quiet,
}

/// Whether gaps between events mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Switched off in a session while all its gaps agree within 2 ms.
    Auto,
    /// Always on.
    Real,
    /// Always off.
    Synthetic,
}

/// The `[alarm]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// How many false alarms the operator accepts.
    pub budget: AlarmBudget,
    /// What a new agent's first sessions may raise.
    pub cold_start: ColdStart,
}

/// When a session closes (DETECTION.md, "Sessions").
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRules {
    /// Stream time without events, ms.
    pub idle_ms: i64,
    /// Events.
    pub events_max: u32,
    /// Stream time since the first event, ms.
    pub length_ms: i64,
    /// Open sessions of one agent.
    pub open_max: usize,
}

/// The `[detect]` table: the scorer's constants (DETECTION.md, section 0.1) and the bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Detect {
    /// Whether gaps between events mean anything.
    pub clock: Clock,
    /// When a session closes.
    pub sessions: SessionRules,
    /// Group share in the sequence, γs.
    pub group_share_sequence: f64,
    /// Group share in the attributes, γa.
    pub group_share_attributes: f64,
    /// Joint weight, ω.
    pub joint_weight: f64,
    /// END factor, ξ.
    pub end_factor: f64,
    /// Cap on identity increments.
    pub identity_cap: f64,
    /// Family shares A, B, C, D, E, V; they sum to 1.
    pub family_shares: [f64; 6],
    /// Per family, the exponent on what its p claims below 1 % once calibration is frozen: 1 takes the tail as calibrated, less claims less.
    pub tail_exponents: [f64; 6],
    /// Committed sessions of an agent after which its new facts wait to be seen again; `None`: only by command.
    pub seal_after_sessions: Option<u32>,
}

/// The `[step_up]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct StepUp {
    /// Event time until an unanswered request counts as denied, ms.
    pub expires_after_ms: i64,
    /// Who may decide; empty: anyone but the principal and the agent.
    pub approvers: Vec<String>,
    /// Accepted authentication strengths; empty: not checked.
    pub acr_values: Vec<String>,
    /// Oldest accepted authentication of a decider, ms; 0: not checked.
    pub max_age_ms: i64,
    /// Whether answers must be signed.
    pub require_signature: bool,
    /// Public keys that sign answers, each a JSON Web Key (RFC 7517) as text: RSA from 2048 bits (RS256) or P-256 (ES256).
    pub keys: AnswerKeys,
    /// Open requests of one agent; further ones are withheld.
    pub open_max: usize,
    /// Event time within which an enforcement point must acknowledge a suspension, ms.
    pub ack_within_ms: i64,
}

/// The `[audit]` table.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Seeds the salts of what may be struck out of the why-trail; a secret. Without it short values can be guessed afterwards.
    pub redaction_key: String,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Audit").finish_non_exhaustive()
    }
}

/// When amounts just under a limit look split on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structuring {
    /// So many of them are a finding.
    pub amounts: u32,
    /// Amounts above this share of the limit count, up to and with the limit; percent.
    pub above_percent: u32,
    /// Stream time in which they lie, ms.
    pub window_ms: i64,
}

/// What the operator says of a kind in place of the default; absent parts stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindVerdict {
    /// How bad.
    pub severity: Option<Severity>,
    /// What should happen.
    pub decision: Option<Decision>,
}

/// The `[policy]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whether the program may suspend an agent by itself.
    pub auto_suspend: bool,
    /// Patterns over tool, tool server, target and destination.
    pub sensitive: Vec<String>,
    /// How long an agent may act before its inventory record must be there, ms.
    pub shadow_grace_ms: i64,
    /// Age from which a credential is stale, unless its own rotation is declared, ms.
    pub credential_max_age_ms: i64,
    /// Stream time without events after which an agent that acts again was dormant, ms.
    pub dormant_after_ms: i64,
    /// When amounts just under a limit look split on purpose.
    pub structuring: Structuring,
    /// Agents that may stand in a row, each instructed by the one before; one more is a finding.
    pub delegation_depth: u32,
    /// The table `policy.kinds`.
    pub kinds: BTreeMap<Kind, KindVerdict>,
}

impl Policy {
    /// Severity and decision of a kind that is not behaviour; `is_sensitive`: it touched what the operator called sensitive.
    #[must_use]
    pub fn verdict(&self, kind: Kind, is_sensitive: bool) -> (Severity, Decision) {
        let (severity, decision) = verdict::of(kind, is_sensitive, self.auto_suspend).unwrap_or((Severity::Medium, Decision::Alert));
        // What is said of shadow agents is said of those that touch nothing sensitive.
        let own = self.kinds.get(&kind).filter(|_| !is_sensitive).copied().unwrap_or_default();
        (own.severity.unwrap_or(severity), own.decision.unwrap_or(decision))
    }
}

/// The `[pools]` table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pools {
    /// Whether groups and population are one across partitions.
    pub share: bool,
}

/// The `[memory]` table: how much a shard remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Agents known at one time; further ones cost the agent its memory that has been idle longest.
    pub agents: usize,
    /// Agents whose step-up requests are remembered; further ones cost the agent its ended requests that was asked longest ago. While
    /// something is open of all of them, further questions are withheld.
    pub asked: usize,
    /// What they taught, in units of 2^20 bytes; by the layout of it, without the allocator's share.
    pub megabytes: u64,
}

/// All that the engine needs to know.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EngineConfig {
    /// The `[alarm]` table.
    pub alarm: Alarm,
    /// The `[pools]` table.
    pub pools: Pools,
    /// The `[memory]` table.
    pub memory: Memory,
    /// The `[detect]` table.
    pub detect: Detect,
    /// The `[step_up]` table.
    pub step_up: StepUp,
    /// The `[policy]` table.
    pub policy: Policy,
    /// The `[audit]` table.
    pub audit: Audit,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { budget: AlarmBudget::PerSession(0.01), cold_start: ColdStart::Pool }
    }
}

impl Default for Memory {
    fn default() -> Self {
        // Fleets are far smaller. Requests are written down whole with every epoch, and nobody answers ten thousand.
        Self { agents: 1_000_000, asked: 10_000, megabytes: 16_384 }
    }
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { idle_ms: 30 * 60_000, events_max: 512, length_ms: 6 * 3_600_000, open_max: 64 }
    }
}

impl Default for Detect {
    fn default() -> Self {
        Self {
            clock: Clock::Auto,
            sessions: SessionRules::default(),
            group_share_sequence: 0.0,
            group_share_attributes: 0.1,
            joint_weight: 0.9,
            end_factor: 0.2,
            identity_cap: 3.0,
            family_shares: [0.55, 0.10, 0.05, 0.04, 0.10, 0.16],
            // New benign work reaches far into the tails of all families but the first; measured by `evaluate` on streams of their own.
            tail_exponents: [1.0, 0.3, 0.6, 0.1, 0.3, 0.6],
            seal_after_sessions: Some(40),
        }
    }
}

impl Default for StepUp {
    fn default() -> Self {
        Self {
            expires_after_ms: 15 * 60_000,
            approvers: Vec::new(),
            acr_values: Vec::new(),
            max_age_ms: 0,
            require_signature: false,
            keys: AnswerKeys::default(),
            open_max: 3,
            ack_within_ms: 60_000,
        }
    }
}

impl Structuring {
    /// `above_percent` as a share.
    #[must_use]
    pub fn above_share(&self) -> Decimal {
        Decimal::new(self.above_percent.into(), 2)
    }
}

impl Default for Structuring {
    fn default() -> Self {
        Self { amounts: 3, above_percent: 90, window_ms: 86_400_000 }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            auto_suspend: false,
            sensitive: Vec::new(),
            shadow_grace_ms: 0,
            credential_max_age_ms: 90 * 86_400_000,
            dormant_after_ms: 30 * 86_400_000,
            structuring: Structuring::default(),
            delegation_depth: 5,
            kinds: BTreeMap::new(),
        }
    }
}
