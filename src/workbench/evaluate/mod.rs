//! How well labelled misuse is found, and what it costs: DETECTION.md, section 8. Labels are read after scoring; in triage mode, where an
//! analyst's verdict is part of the run, at the end of the session concerned.

pub mod measured;
pub mod meta;
pub mod mode;
pub mod recorded;
mod summary;
pub mod table;

use std::sync::Arc;

use crate::config::EngineConfig;
use crate::workbench::metrics::Bootstrap;
use crate::workbench::peers::{PEERS, Peer, Traces};

pub use measured::Evaluation;
pub use mode::Mode;
pub use recorded::Recorded;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// End of the training stretch, epoch ms; `None`: everything is test.
    pub train_until: Option<i64>,
    /// The engine's modes.
    pub modes: Vec<Mode>,
    /// Whether peers are measured too; they need a training stretch.
    pub peers: bool,
    /// The engine's settings.
    pub config: Arc<EngineConfig>,
    /// The p below which a session counts as alarmed for its delay.
    pub alpha: f64,
    /// How intervals are drawn.
    pub bootstrap: Bootstrap,
}

/// Scores the stream in every mode and by every peer, then reads the labels and measures.
///
/// # Panics
/// If the engine does.
#[must_use]
pub fn evaluate(recorded: &Recorded, options: &Options) -> Evaluation {
    let peers: &[Peer] = if options.peers && options.train_until.is_some() { PEERS } else { &[] };
    let (runs, peer_scores) = std::thread::scope(|scope| {
        let runs: Vec<_> = options
            .modes
            .iter()
            .map(|&mode| scope.spawn(move || mode::run(recorded, mode, &options.config, options.train_until, options.alpha)))
            .collect();
        let peer_scores = if peers.is_empty() {
            Vec::new()
        } else {
            let traces = traces(recorded);
            peers.iter().map(|peer| (peer.name, (peer.score)(&traces))).collect()
        };
        let runs: Vec<_> =
            options.modes.iter().copied().zip(runs.into_iter().map(|run| run.join().expect("a run does not panic"))).collect();
        (runs, peer_scores)
    });
    summary::summarise(recorded, options, &runs, &peer_scores)
}

/// What peers see of the stream.
fn traces(recorded: &Recorded) -> Traces {
    let mut traces = Traces::default();
    for (session, event) in recorded.events() {
        traces.add(session, recorded.sessions[session].training, &event);
    }
    traces
}
