//! `gaitkeeper replay`: recorded streams through the same engine.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, anyhow};

use super::{Exit, Failure, Outcome, destination, progress, read_config, timestamp};
use crate::engine::{Counters, EventScore, Forgotten, SessionEnd, Shard};
use crate::event::Event;
use crate::finding::audit_record::AuditRecord;
use crate::finding::{Finding, StepUpRequest};
use crate::workbench::control_files::{ControlFileError, ControlFiles};
use crate::workbench::expectation::{Expectations, Seen, Verdict};
use crate::workbench::recording::Recording;
use crate::workbench::replay::{Plan, ReplayError, Sink, Summary, replay};
use crate::workbench::{junit, score_line};

/// Runs recorded streams through the same engine
///
/// Several files are one stream in the order given; gzip and zstd are known by their first bytes. Without --scores, --findings,
/// --step-ups and --audit the findings go to standard output.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// JSON lines, plain or compressed; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A line per event and per closed session
    #[arg(long, value_name = "OUT")]
    scores: Option<PathBuf>,
    /// A line per publication of a finding
    #[arg(long, value_name = "OUT")]
    findings: Option<PathBuf>,
    /// A line per step-up request
    #[arg(long, value_name = "OUT")]
    step_ups: Option<PathBuf>,
    /// The why-trail, a line per decision
    #[arg(long, value_name = "OUT")]
    audit: Option<PathBuf>,
    /// What came over the other topics, as JSON lines, or inventory records as YAML; merged with the events by time
    #[arg(long, value_name = "FILE", num_args = 1..)]
    control: Vec<PathBuf>,
    /// Learn from sessions that begin until then, RFC 3339 or epoch ms; score the later ones without learning
    #[arg(long, value_name = "TS", value_parser = timestamp::parse)]
    learn_until: Option<i64>,
    /// From then on new facts wait until they were seen again, RFC 3339 or epoch ms
    #[arg(long, value_name = "TS", value_parser = timestamp::parse)]
    seal_at: Option<i64>,
    /// Expected findings, TOML or JSON; exit code 1 when they are not met
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    #[arg(long, value_name = "OUT", requires = "expect", help = "The outcome of --expect as JUnit XML")]
    junit: Option<PathBuf>,
    /// Configuration; without it the defaults and the environment hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which partition the stream stands for
    #[arg(long, value_name = "P", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..))]
    partition: i32,
    /// How many partitions there are; a daily budget is shared among them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
}

pub fn run(args: Args) -> Outcome {
    check_paths(&args)?;
    let Args { files, control, scores, findings, step_ups, audit, learn_until, seal_at, expect, junit, config, partition, partitions } =
        args;
    if partition >= partitions && partitions > 1 {
        return Err(Failure::usage(anyhow!("--partition is {partition}, expected below --partitions {partitions}")));
    }
    let config = read_config(config.as_deref())?;
    let expectations = expect.as_deref().map(read_expectations).transpose()?;
    let control = ControlFiles::read(&control).map_err(|error| match error {
        ControlFileError::Read(_) => Failure::io(error),
        ControlFileError::Inventory(_) | ControlFileError::Text { .. } => Failure::usage(error),
    })?;
    let mut recording = Recording::open(&files).map_err(Failure::io)?;
    let findings =
        if scores.is_none() && findings.is_none() && step_ups.is_none() && audit.is_none() { Some("-".into()) } else { findings };
    let mut sink = Destinations {
        scores: scores.as_deref().map(destination::open).transpose()?,
        findings: findings.as_deref().map(destination::open).transpose()?,
        step_ups: step_ups.as_deref().map(destination::open).transpose()?,
        audit: audit.as_deref().map(destination::open).transpose()?,
        seen: expectations.is_some().then(Seen::default),
    };
    let report = junit.as_deref().map(destination::open).transpose()?;

    let bar = progress::bar(recording.bytes_total());
    recording.report_to(bar.clone());
    let started = Instant::now();
    let plan = Plan { shard: Shard { partition, partitions }, learn_until, seal_at };
    let summary = replay(&mut recording, control, &config.engine, plan, &mut sink).map_err(stopped)?;
    sink.flush().map_err(|error| stopped(error.into()))?;
    bar.finish_and_clear();
    tell(&summary, started.elapsed().as_secs_f64());

    let (Some(expectations), Some(seen), Some(path)) = (expectations, sink.seen, expect) else { return Ok(Exit::Fine) };
    let verdicts = expectations.judge(&seen);
    if let Some(mut out) = report {
        let suite = path.display().to_string();
        junit::write(&mut out, &suite, &verdicts)
            .and_then(|()| out.flush())
            .context("cannot write the JUnit report")
            .map_err(Failure::io)?;
    }
    Ok(tell_verdicts(&path, &verdicts))
}

/// Opening an output empties it, and two outputs in one file would cut each other's lines.
fn check_paths(args: &Args) -> Result<(), Failure> {
    let outputs: Vec<&PathBuf> = [&args.scores, &args.findings, &args.step_ups, &args.audit, &args.junit].into_iter().flatten().collect();
    let regular = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
    for (index, output) in outputs.iter().enumerate() {
        let same = |other: &PathBuf| other == *output || regular(other).is_some_and(|other| Some(other) == regular(output));
        let device = output.as_os_str() != "-" && output.exists() && !output.is_file();
        if !device && outputs[..index].iter().any(|other| same(other)) {
            return Err(Failure::usage(anyhow!("{} is named for two outputs", output.display())));
        }
        let inputs = args.files.iter().chain(&args.control).chain(&args.expect);
        if output.as_os_str() != "-" && inputs.filter_map(|input| regular(input)).any(|input| Some(input) == regular(output)) {
            return Err(Failure::usage(anyhow!("{} is an input and would be overwritten", output.display())));
        }
    }
    Ok(())
}

fn read_expectations(path: &Path) -> Result<Expectations, Failure> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display())).map_err(Failure::io)?;
    Expectations::read(&text).with_context(|| path.display().to_string()).map_err(Failure::usage)
}

fn stopped(error: ReplayError) -> Failure {
    Failure::io(error)
}

/// What happened, on standard error.
fn tell(summary: &Summary, seconds: f64) {
    let Summary {
        events,
        counters,
        budget_unreachable,
        findings,
        step_ups,
        unknown_fields,
        rejected,
        control,
        forgotten: Forgotten { agents, asked },
    } = summary;
    let Counters { duplicates, late, sessions, withheld, insufficient, quiet, .. } = counters;
    let rate = *events as f64 / seconds.max(1e-9);
    eprintln!("{events} events, {sessions} sessions, {findings} publications of findings, {step_ups} step-up requests; {rate:.0} events/s");
    let remarks = [
        (*control, "control records"),
        (*duplicates, "duplicates skipped"),
        (*late, "late events scored without learning"),
        (*unknown_fields, "unknown fields ignored"),
        (*insufficient, "sessions odd, but on too little evidence for a finding"),
        (*quiet, "broken rules of new agents kept quiet"),
        (*agents, "agents forgotten, since there was no room for more (`memory.agents`, `memory.megabytes`)"),
        (*asked, "agents whose ended requests were forgotten, since there was no room for more (`memory.asked`)"),
        (*withheld, "step-up requests withheld because too many were open"),
    ];
    for (count, what) in remarks {
        if count > 0 {
            eprintln!("{count} {what}");
        }
    }
    if *budget_unreachable {
        eprintln!("warning: the alarm budget is out of reach on this stream; its clamp was in force");
    }
    for (reason, rejected) in rejected {
        eprintln!("rejected as {reason}: {} records, first {}", rejected.count, rejected.first);
    }
}

fn tell_verdicts(path: &Path, verdicts: &[Verdict]) -> Exit {
    let mut failed = 0;
    for Verdict { name, failure } in verdicts {
        if let Some(failure) = failure {
            failed += 1;
            eprintln!("FAILED {name}\n  {failure}");
        }
    }
    eprintln!("{}: {} of {} expectations met", path.display(), verdicts.len() - failed, verdicts.len());
    if failed == 0 { Exit::Fine } else { Exit::Failed }
}

type Out = BufWriter<Box<dyn Write>>;

/// The files that were asked for.
struct Destinations {
    scores: Option<Out>,
    findings: Option<Out>,
    step_ups: Option<Out>,
    audit: Option<Out>,
    seen: Option<Seen>,
}

impl Destinations {
    fn flush(&mut self) -> io::Result<()> {
        [&mut self.scores, &mut self.findings, &mut self.step_ups, &mut self.audit].into_iter().flatten().try_for_each(Write::flush)
    }
}

impl Sink for Destinations {
    fn score(&mut self, event: &Event<'_>, score: &EventScore) -> io::Result<()> {
        self.scores.as_mut().map_or(Ok(()), |out| score_line::write_score(out, event, score))
    }

    fn session_end(&mut self, end: &SessionEnd) -> io::Result<()> {
        self.scores.as_mut().map_or(Ok(()), |out| score_line::write_session_end(out, end))
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        if let Some(seen) = &mut self.seen {
            seen.note(finding);
        }
        self.findings.as_mut().map_or(Ok(()), |out| score_line::write_line(out, finding))
    }

    fn step_up(&mut self, request: &StepUpRequest) -> io::Result<()> {
        self.step_ups.as_mut().map_or(Ok(()), |out| score_line::write_line(out, request))
    }

    fn audit(&mut self, record: &AuditRecord) -> io::Result<()> {
        let Some(out) = &mut self.audit else { return Ok(()) };
        out.write_all(&record.to_bytes())?;
        out.write_all(b"\n")
    }
}
