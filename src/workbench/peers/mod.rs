//! The detectors one would otherwise use, as yardsticks for `evaluate`: learnt on the training stretch alone, then only scoring.
//!
//! Each gives one score a session, greater meaning odder; unless a peer says otherwise it is the greatest score of the session's steps.

mod combo;
mod isolation_forest;
mod markov;
mod stide;
mod trace;
mod zscore;

pub use trace::{Step, Trace, Traces};

/// A yardstick: its name in tables and how it scores the test sessions of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Name in tables.
    pub name: &'static str,
    /// One score a session; sessions of the training stretch get one too, which means nothing.
    pub score: fn(&Traces) -> Vec<f64>,
}

/// All peers, in the order of the tables.
pub const PEERS: &[Peer] = &[
    Peer { name: "stide-3", score: |traces| stide::score(traces, 3) },
    Peer { name: "stide-6", score: |traces| stide::score(traces, 6) },
    Peer { name: "markov-1", score: markov::score },
    Peer { name: "robust-z", score: zscore::robust },
    Peer { name: "ewma-z", score: zscore::ewma },
    Peer { name: "isolation-forest", score: isolation_forest::score },
    Peer { name: "combo", score: |traces| combo::score(traces, |trace| trace.agent) },
    Peer { name: "combo-pooled", score: |traces| combo::score(traces, |trace| trace.group) },
];
