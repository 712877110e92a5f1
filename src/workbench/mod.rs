//! What works on recorded streams: reading, replaying, judging against ground truth, making streams.

pub mod generate;
pub mod ground_truth;
pub mod metrics;
pub mod peers;
pub mod recording;
