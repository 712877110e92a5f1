//! `gaitkeeper inventory report`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;

use super::read;
use crate::cli::kafka_source::{Source, now_ms};
use crate::cli::{Exit, Failure, Outcome, destination, timestamp};
use crate::event::native::{self, Origin};
use crate::govern::record::{self, InventoryRecord};
use crate::workbench::inventory_report::{self, Activity, Ages};
use crate::workbench::recording::Recording;

/// Lists agents with owner, status, credential ages, last review, silence, unused grants and OWASP NHI ids
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Inventory records, YAML or JSON; without any, those of the inventory topic
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the agents did, JSON lines: shows unused grants, silence and shadow agents
    #[arg(long, value_name = "STREAM", num_args = 1..)]
    stream: Vec<PathBuf>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Ages are counted up to then, RFC 3339 or epoch ms; else up to the newest event, else to now
    #[arg(long, value_name = "TS", value_parser = timestamp::parse)]
    at: Option<i64>,
    /// Where to write it
    #[arg(long, value_name = "OUT", default_value = "-")]
    out: PathBuf,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Html,
}

pub fn run(args: &Args) -> Outcome {
    let config = args.source.config()?;
    let records: Vec<InventoryRecord> = if args.files.is_empty() {
        let cluster = args.source.connect()?;
        let found = cluster.newest(&config.topics.inventory)?;
        found.values().filter_map(|value| record::from_json(value).ok()).collect()
    } else {
        let read = read::records(&args.files)?.map_err(|problems| Failure::usage(anyhow!("{problems}")))?;
        read.into_iter().map(|placed| placed.record).collect()
    };
    let activity = if args.stream.is_empty() { None } else { Some(activity(&args.stream)?) };
    let newest = activity.as_ref().and_then(Activity::newest);
    let now = args.at.or(newest).unwrap_or_else(now_ms);
    let policy = &config.engine.policy;
    let ages = Ages { credential_max_ms: policy.credential_max_age_ms, dormant_after_ms: policy.dormant_after_ms };
    let rows = inventory_report::rows(&records, activity.as_ref(), ages, now);
    let text = match args.format {
        Format::Text => inventory_report::text(&rows),
        Format::Html => inventory_report::html(&rows),
        Format::Json => serde_json::to_string_pretty(&rows).map_err(Failure::io)? + "\n",
    };
    let mut out = destination::open(&args.out)?;
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::io)?;
    Ok(Exit::Fine)
}

fn activity(files: &[PathBuf]) -> Result<Activity, Failure> {
    let mut recording = Recording::open(files).map_err(Failure::io)?;
    let mut activity = Activity::default();
    while let Some(line) = recording.next_line().map_err(Failure::io)? {
        if let Ok(decoded) = native::decode(line.bytes, Origin { partition: 0, offset: line.offset }) {
            activity.see(&decoded.event);
        }
    }
    Ok(activity)
}
