//! `gaitkeeper feedback`: an analyst's verdict on a finding.

use super::kafka_source::Source;
use super::{Exit, Outcome};
use crate::event::limits::shown;

/// Publishes an analyst's verdict on a finding
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Id of the finding
    #[arg(value_name = "FINDING")]
    finding_id: String,
    /// The verdict
    #[arg(value_parser = ["true_positive", "false_positive", "benign_true_positive"])]
    disposition: String,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, in the operator's own code
    #[arg(long, value_name = "CODE")]
    reason_code: Option<String>,
}

pub fn run(args: Args) -> Outcome {
    let cluster = args.source.connect()?;
    let Args { finding_id, disposition, by, reason_code, .. } = args;
    let mut value = serde_json::json!({"finding_id": finding_id, "disposition": disposition, "by": by});
    if let Some(code) = reason_code {
        value["reason_code"] = code.into();
    }
    cluster.send(&cluster.config.topics.feedback, &finding_id, &value)?;
    println!("{}: {disposition} by {}", shown(&finding_id), shown(&by));
    Ok(Exit::Fine)
}
