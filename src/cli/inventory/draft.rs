//! `gaitkeeper inventory draft`: contracts proposed from a recorded stream.

use std::io::Write as _;
use std::path::PathBuf;

use crate::cli::{Exit, Failure, Outcome, destination, timestamp};
use crate::event::native::{self, Origin};
use crate::workbench::draft::Drafts;
use crate::workbench::recording::Recording;

/// Proposes a contract for each agent of a stream: what it did, where it sent data, whom it instructed, up to what amount
#[derive(Debug, clap::Args)]
pub struct Args {
    /// JSON lines, plain or compressed; `-` is standard input
    #[arg(value_name = "STREAM", required = true)]
    files: Vec<PathBuf>,
    /// Only from events up to then, RFC 3339 or epoch ms
    #[arg(long, value_name = "TS", value_parser = timestamp::parse)]
    until: Option<i64>,
    /// Where to write the YAML
    #[arg(long, value_name = "OUT", default_value = "-")]
    out: PathBuf,
}

pub fn run(args: &Args) -> Outcome {
    let mut recording = Recording::open(&args.files).map_err(Failure::io)?;
    let mut drafts = Drafts::default();
    let mut rejected = 0_u64;
    while let Some(line) = recording.next_line().map_err(Failure::io)? {
        match native::decode(line.bytes, Origin { partition: 0, offset: line.offset }) {
            Ok(decoded) if args.until.is_none_or(|until| decoded.event.ts <= until) => drafts.see(&decoded.event),
            Ok(_) => (),
            Err(_) => rejected += 1,
        }
    }
    let mut out = destination::open(&args.out)?;
    drafts.write(&mut out).and_then(|()| out.flush()).map_err(Failure::io)?;
    eprintln!("{} drafts; {rejected} records rejected, {} events of further agents left out", drafts.len(), drafts.not_modelled);
    Ok(Exit::Fine)
}
