//! Named attacks; `plant` puts them into an ordinary session.
//!
//! Two lists share the code: scenarios that a reader recognises, and the kinds of DETECTION.md, section 9, "Fleet", where
//! each is one change of one size.

/// What an attack does to a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// One call, or every call, sends so many times the bytes.
    Volume {
        /// Least and most; the factor is drawn between them on a logarithmic scale.
        factor: (f64, f64),
        /// Every call.
        all: bool,
    },
    /// One call, or every call, takes so many times as long.
    Duration {
        /// Least and most; the factor is drawn between them on a logarithmic scale.
        factor: (f64, f64),
        /// Every call.
        all: bool,
    },
    /// Every call sends a little more, and more with each of the agent's successive sessions.
    Drip {
        /// Growth from one session to the next.
        factor: f64,
        /// How many sessions.
        sessions: u32,
    },
    /// The same calls in another order.
    Reorder,
    /// A call of a tool that nobody ever used.
    UnseenTool,
    /// A call of a tool that only other kinds of work use.
    OtherTaskTool,
    /// A call goes to a destination that nobody ever used.
    NewDestination,
    /// A call acts on what belongs to another kind of work.
    OtherTaskTarget,
    /// Somebody doing another kind of work acts under the agent's name.
    OtherTaskIdentity,
    /// A colleague of the same kind of work acts under the agent's name.
    SameTaskIdentity,
    /// One call is repeated in a row.
    Burst {
        /// Least and most repetitions.
        calls: (usize, usize),
    },
    /// Calls that the session makes anyway are made again elsewhere.
    Extra(usize),
    /// The agent's own calls in their usual shares, but with no order between them.
    Mimicry,
    /// Calls that are refused, one tool after the other.
    Probe(usize),
    /// Refunds to one person, each just under the limit.
    RefundSplit,
}

/// An attack with the name that ground truth gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attack {
    /// The `attack` of events.
    pub name: &'static str,
    /// What it does.
    pub change: Change,
}

const fn attack(name: &'static str, change: Change) -> Attack {
    Attack { name, change }
}

const fn volume(name: &'static str, factor: f64, all: bool) -> Attack {
    attack(name, Change::Volume { factor: (factor, factor), all })
}

const fn duration(name: &'static str, factor: f64, all: bool) -> Attack {
    attack(name, Change::Duration { factor: (factor, factor), all })
}

const fn burst(name: &'static str, calls: usize) -> Attack {
    attack(name, Change::Burst { calls: (calls, calls) })
}

/// What an operator fears, in the sizes in which it comes.
pub const SCENARIOS: &[Attack] = &[
    attack("exfiltration", Change::Volume { factor: (50.0, 500.0), all: false }),
    attack("slow_drip", Change::Drip { factor: 1.15, sessions: 16 }),
    attack("foreign_tool", Change::OtherTaskTool),
    attack("reordered", Change::Reorder),
    attack("burst", Change::Burst { calls: (8, 30) }),
    attack("slow_down", Change::Duration { factor: (5.0, 20.0), all: true }),
    attack("identity_swap", Change::OtherTaskIdentity),
    attack("new_destination", Change::NewDestination),
    attack("refund_split", Change::RefundSplit),
];

/// The kinds of the fleet measurement. The last five are our own choice; DETECTION.md names eighteen of its 23.
pub const FLEET_KINDS: &[Attack] = &[
    volume("volume_one_10", 10.0, false),
    volume("volume_one_30", 30.0, false),
    volume("volume_one_100", 100.0, false),
    volume("volume_all_3", 3.0, true),
    volume("volume_all_10", 10.0, true),
    duration("duration_one_10", 10.0, false),
    duration("duration_one_30", 30.0, false),
    attack("reorder", Change::Reorder),
    attack("unseen_tool", Change::UnseenTool),
    attack("other_task_tool", Change::OtherTaskTool),
    attack("fresh_destination", Change::NewDestination),
    attack("other_task_identity", Change::OtherTaskIdentity),
    attack("same_task_identity", Change::SameTaskIdentity),
    burst("burst_3", 3),
    burst("burst_10", 10),
    attack("extra_1", Change::Extra(1)),
    attack("extra_3", Change::Extra(3)),
    attack("mimicry", Change::Mimicry),
    duration("duration_all_3", 3.0, true),
    duration("duration_all_10", 10.0, true),
    burst("burst_30", 30),
    attack("other_task_target", Change::OtherTaskTarget),
    attack("denied_probe", Change::Probe(4)),
];

/// The attack of that name in either list.
#[must_use]
pub fn by_name(name: &str) -> Option<Attack> {
    SCENARIOS.iter().chain(FLEET_KINDS).find(|attack| attack.name == name).copied()
}

impl Attack {
    /// Over how many of the agent's successive sessions it runs.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        if let Change::Drip { sessions, .. } = self.change { sessions } else { 1 }
    }
}
