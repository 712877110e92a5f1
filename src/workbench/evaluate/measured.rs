//! What `evaluate` reports, as it is written to `--json`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::workbench::metrics::bootstrap::Intervals;
use crate::workbench::metrics::{DelayMeasures, FALSE_ALARM_PERMILLE, Interval, Measures, Proportion};

/// A figure with its bootstrap interval; absent where it has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Over all items, each counted once.
    pub value: Option<f64>,
    /// Lower bound of the 95 % interval.
    pub low: Option<f64>,
    /// Upper bound of the 95 % interval.
    pub high: Option<f64>,
}

impl Figure {
    /// A NaN is a figure without meaning.
    pub(super) fn new(value: f64, interval: Option<Interval>) -> Self {
        Self {
            value: Some(value).filter(|value| !value.is_nan()),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
        }
    }
}

/// Share of attacks found where a given share of benign items scores at least as high.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FoundAt {
    /// Share of benign items.
    pub false_alarms: f64,
    /// Share of attacks.
    pub found: Figure,
}

/// The figures of one ranking.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Items with misuse.
    pub attacks: u64,
    /// Items without.
    pub benign: u64,
    /// Share of attacks: the average precision of guessing.
    pub base_rate: Option<f64>,
    /// Area under the ROC curve.
    pub roc_auc: Figure,
    /// Average precision, the area under the precision-recall curve.
    pub average_precision: Figure,
    /// Share found at .1, .5, 1 and 5 % of benign items.
    pub found: Vec<FoundAt>,
}

impl Figures {
    pub(super) fn new((attacks, benign): (u64, u64), measures: &Measures, intervals: &Intervals) -> Self {
        let values = measures.figures();
        let figure = |at: usize| Figure::new(values[at], intervals[at]);
        let items = attacks + benign;
        let found = FALSE_ALARM_PERMILLE.iter().enumerate();
        Self {
            attacks,
            benign,
            base_rate: (items > 0).then(|| attacks as f64 / items as f64),
            roc_auc: figure(0),
            average_precision: figure(1),
            found: found.map(|(at, &permille)| FoundAt { false_alarms: permille as f64 / 1000.0, found: figure(2 + at) }).collect(),
        }
    }
}

/// One row of the calibration table: sessions whose p lies below a requested rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Realised {
    /// Rate asked for.
    pub requested: f64,
    /// Share of benign sessions below it.
    pub false_alarms: Proportion,
    /// Share of attack sessions below it.
    pub found: Proportion,
}

/// What the engine itself did at its budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Alarms {
    /// Benign sessions in which a finding opened.
    pub benign_opened: Proportion,
    /// Benign sessions with any decision but `allow`, repeats of a pinned fact included.
    pub benign_alarmed: Proportion,
    /// Attack sessions in which a finding opened.
    pub attack_opened: Proportion,
    /// Attack sessions with any decision but `allow`.
    pub attack_alarmed: Proportion,
}

/// Sessions of agents with about as much history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryQuartile {
    /// Fewest and most training sessions (without a training stretch: sessions) of the agents in the quartile.
    pub sessions: (usize, usize),
    /// Figures over their test sessions.
    pub figures: Figures,
}

/// False alarms at 1 % by how young the agent was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByAge {
    /// First and last of the agent's sessions meant, from 1; no last one: all later ones.
    pub sessions: (usize, Option<usize>),
    /// Benign test sessions with p < .01.
    pub false_alarms: Proportion,
}

/// One detector: the engine in one mode, or a peer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detector {
    /// `frozen`, `live`, `triage` or a peer's name.
    pub name: String,
    /// Over test sessions.
    pub sessions: Figures,
    /// What only the engine has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineFigures>,
}

/// Figures of the engine that a bare score does not have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EngineFigures {
    /// Over events of test sessions with ground truth of their own.
    pub events: Figures,
    /// Requested against realised.
    pub calibration: Vec<Realised>,
    /// Findings and decisions at the engine's budget.
    pub alarms: Alarms,
    /// Events and seconds from the first labelled event to the first alarm.
    pub delay: DelayMeasures,
    /// By name of the attack: its sessions against all benign ones.
    pub attacks: BTreeMap<String, Figures>,
    /// By amount of history.
    pub history: Vec<HistoryQuartile>,
    /// By age of the agent.
    pub young: Vec<ByAge>,
    /// Test sessions that never closed; they rank last.
    pub unclosed: u64,
}

/// Two detectors on the same draws.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The engine in a mode.
    pub detector: String,
    /// The peer.
    pub against: String,
    /// ROC-AUC of the first minus that of the second.
    pub roc_auc: Figure,
    /// The same for average precision.
    pub average_precision: Figure,
    /// The same for the share found at 1 %.
    pub found_at_one_percent: Figure,
}

/// How much of what was in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Agents.
    pub agents: usize,
    /// Sessions.
    pub sessions: usize,
    /// Sessions of the training stretch.
    pub training_sessions: usize,
    /// Events.
    pub events: usize,
    /// Lines that are no event.
    pub rejected: u64,
    /// Test sessions.
    pub test_sessions: usize,
    /// Test sessions with misuse.
    pub attack_sessions: usize,
    /// Training sessions labelled as misuse: the training stretch should have none.
    pub training_attack_sessions: usize,
}

/// Everything that one evaluation found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// End of the training stretch, epoch ms.
    pub train_until: Option<i64>,
    /// What the stream holds.
    pub counts: Counts,
    /// The p below which a session counts as alarmed for its delay.
    pub alpha: f64,
    /// Draws behind each interval.
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Modes first, then peers.
    pub detectors: Vec<Detector>,
    /// Each mode against each peer.
    pub differences: Vec<Difference>,
}
