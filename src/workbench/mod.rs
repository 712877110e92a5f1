//! What works on recorded streams: reading, replaying, judging against ground truth, making streams.

pub mod audit;
pub mod control_files;
pub mod coverage;
pub mod draft;
pub mod evaluate;
pub mod expectation;
pub mod generate;
pub mod ground_truth;
pub mod inventory_report;
pub mod junit;
pub mod metrics;
pub mod peers;
pub mod recording;
pub mod replay;
pub mod score_line;
