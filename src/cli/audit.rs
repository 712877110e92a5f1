//! `gaitkeeper audit verify|show|redact`: the why-trail, from files or from the topic.

use std::path::PathBuf;

use anyhow::anyhow;

use super::kafka_source::Source;
use super::{Exit, Failure, Outcome, timestamp};
use crate::finding::audit_record::{self, AuditRecord, REDACTABLE};
use crate::stats::canonical;
use crate::workbench::audit::story;
use crate::workbench::audit::verify::{Extent, records, verify};
use crate::workbench::recording;

/// Checks and reads the why-trail
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Names the first record that is altered, missing, out of order or does not follow; exit code 1 when there is one
    Verify(Verify),
    /// Tells the trail in sentences
    Show(Show),
    /// Strikes out members; the chain stays verifiable
    Redact(Redact),
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// Saved trails, a record a line, plain or compressed; several are one trail in the order given. With --topic, the topic
    #[arg(value_name = "FILE", required_unless_present = "topic")]
    files: Vec<PathBuf>,
    /// The trail need not begin with its first record nor end with its last: it was saved from a topic
    #[arg(long)]
    part: bool,
    /// Check the audit topic, as it is now, instead of files
    #[arg(long, conflicts_with_all = ["files", "part"])]
    topic: bool,
    #[command(flatten)]
    source: Source,
    /// A hash that the trail must hold, kept elsewhere since; may be given several times
    #[arg(long, value_name = "HASH")]
    anchor: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Saved trails, a record a line, plain or compressed. With --topic, the topic
    #[arg(value_name = "FILE", required_unless_present = "topic")]
    files: Vec<PathBuf>,
    /// Tell the audit topic, as it is now, instead of files
    #[arg(long, conflicts_with = "files")]
    topic: bool,
    #[command(flatten)]
    source: Source,
    /// Of this agent only
    #[arg(long, value_name = "A")]
    agent: Option<String>,
    /// From then on, RFC 3339 or epoch ms
    #[arg(long, value_name = "TS", value_parser = timestamp::parse)]
    from: Option<i64>,
    /// Up to then, RFC 3339 or epoch ms
    #[arg(long, value_name = "TS", value_parser = timestamp::parse)]
    to: Option<i64>,
}

#[derive(Debug, clap::Args)]
struct Redact {
    /// Saved trail, a record a line
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Members to strike out
    #[arg(long = "member", value_name = "NAME", required = true, value_parser = clap::builder::PossibleValuesParser::new(REDACTABLE))]
    members: Vec<String>,
    /// Of this agent only
    #[arg(long, value_name = "A")]
    agent: Option<String>,
}

pub fn run(args: Args) -> Outcome {
    match args.task {
        Task::Verify(args) => check(&args),
        Task::Show(args) => show(&args),
        Task::Redact(args) => redact(&args),
    }
}

/// All lines that hold something, in the order of the files.
fn read(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut lines = Vec::new();
    for file in files {
        let content = recording::read_whole(file).map_err(Failure::io)?;
        lines.extend(records(&content).map(<[u8]>::to_vec));
    }
    Ok(lines)
}

/// The records of the topic, chain by chain: a chain may lie on several partitions, whose order among each other says nothing.
fn read_topic(source: &Source) -> Result<Vec<Vec<u8>>, Failure> {
    let cluster = source.connect()?;
    let entries = cluster.read(&cluster.config.topics.audit)?;
    let mut lines: Vec<Vec<u8>> = entries.into_iter().filter_map(|entry| entry.value).collect();
    lines.sort_by_cached_key(|record| {
        let value: serde_json::Value = serde_json::from_slice(record).unwrap_or_default();
        let number = |name: &str| value.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
        (number("partition"), number("sequence"))
    });
    Ok(lines)
}

fn check(args: &Verify) -> Outcome {
    let lines = if args.topic { read_topic(&args.source)? } else { read(&args.files)? };
    let extent = if args.part || args.topic { Extent::Part } else { Extent::Whole };
    match verify(lines.iter().map(Vec::as_slice), extent) {
        Ok(heads) => {
            let holds =
                |anchor: &String| lines.iter().any(|line| String::from_utf8_lossy(line).contains(&format!("\"hash\":\"{anchor}\"")));
            if let Some(lost) = args.anchor.iter().find(|anchor| !holds(anchor)) {
                println!("no record has the hash {lost}: the trail is not the one that was anchored");
                return Ok(Exit::Failed);
            }
            for (partition, head) in heads {
                println!("partition {partition}: fine up to sequence {}, {}", head.sequence, head.hash);
            }
            Ok(Exit::Fine)
        }
        Err(fault) => {
            println!("{fault}");
            Ok(Exit::Failed)
        }
    }
}

fn show(args: &Show) -> Outcome {
    let mut day = None;
    let lines = if args.topic { read_topic(&args.source)? } else { read(&args.files)? };
    let read = (1..).zip(&lines).map(|(number, line)| {
        serde_json::from_slice::<AuditRecord>(line).map_err(|error| Failure::io(anyhow!("record {number}: {error}")))
    });
    let mut told = read.collect::<Result<Vec<_>, _>>()?;
    if args.topic {
        // Chains of several partitions become one story; within a chain the order stays.
        told.sort_by_key(|record| record.at);
    }
    for record in told {
        let is_asked = args.agent.as_ref().is_none_or(|agent| *agent == record.agent_id)
            && args.from.is_none_or(|from| record.at >= from)
            && args.to.is_none_or(|to| record.at <= to);
        if !is_asked {
            continue;
        }
        let today = record.at.div_euclid(86_400_000);
        if day.replace(today) != Some(today) {
            println!("{}", timestamp::day(record.at));
        }
        println!("  {}", story::sentence(&record));
    }
    Ok(Exit::Fine)
}

fn redact(args: &Redact) -> Outcome {
    let members: Vec<&str> = args.members.iter().map(String::as_str).collect();
    for (number, line) in (1..).zip(read(std::slice::from_ref(&args.file))?) {
        let mut value = audit_record::check(&line)
            .map_err(|error| Failure::io(anyhow!("record {number} {error}; nothing is struck out of a trail that does not hold")))?;
        if args.agent.as_ref().is_none_or(|agent| value.get("agent_id").and_then(|id| id.as_str()) == Some(agent)) {
            audit_record::redact(&mut value, &members);
        }
        println!("{}", String::from_utf8_lossy(&canonical::bytes(&value)));
    }
    Ok(Exit::Fine)
}
