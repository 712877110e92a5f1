//! `gaitkeeper demo`: in-process Kafka, a sample fleet with injected misuse, live findings. The service is the one of `run`.

mod cluster;
mod producer;
mod show;
mod tally;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::anyhow;

use self::cluster::Cluster;
use self::producer::Feed;
use self::show::Screen;
use self::tally::Tally;
use super::{Exit, Failure, Outcome, interrupt, logging, run};
use crate::stream::{Meters, Service, Stop};
use crate::workbench::generate::{Generated, Generator, Settings};

/// How long the last records may take after the last was produced.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);
/// Longest wait for a finding before the end is looked for.
const WAIT: Duration = Duration::from_millis(100);

const WEEK_MS: i64 = 7 * 86_400_000;

/// Shows it all at work on an in-process Kafka; no set-up
#[derive(Debug, clap::Args)]
pub struct Args {
    /// About how long it takes
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=3600))]
    seconds: u64,
    /// A real Kafka instead of the in-process one; topics of its own are made and removed
    #[arg(long, value_name = "HOST:PORT,…")]
    brokers: Option<String>,
    /// Another fleet, other attacks
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: Args) -> Outcome {
    let Args { seconds, brokers, seed } = args;
    logging::start_at("warn");
    let stop = Stop::new();
    interrupt::stop_on_signal(&stop).map_err(Failure::io)?;

    let (events, generator, quiet_until) = fleet(seed);
    let mut tally = Tally::new(&events, generator.campaigns());
    let screen = Screen::start(&events, quiet_until, seconds);

    let cluster = Cluster::start(brokers.as_deref(), &stop)?;
    let meters = Meters::new();
    let Some(service) =
        Service::launch(cluster.config(), cluster.check(), meters.clone(), &stop, run::end_hung_process).map_err(Failure::io)?
    else {
        return Ok(Exit::Failed);
    };
    screen.connected(&cluster.brokers());
    let feed = Feed::start(&cluster, events, quiet_until, Duration::from_secs(seconds), meters.clone(), &stop).map_err(Failure::io)?;

    let reader = cluster.reader()?;
    let mut ended_at = None;
    loop {
        if let Some(seen) = reader.next(WAIT)? {
            screen.show(&seen, &tally);
            tally.count(seen);
            continue;
        }
        let Some(produced) = feed.finished() else { continue };
        let all_scored = meters.records.get() >= produced;
        let all_seen = tally.publications() >= meters.findings.get() + meters.step_up_requests.get();
        if all_scored && all_seen {
            break;
        }
        if ended_at.get_or_insert_with(Instant::now).elapsed() > DRAIN_WITHIN {
            break;
        }
    }
    let elapsed = feed.elapsed();
    let is_interrupted = stop.is_requested();
    stop.request();
    let ended = service.wait();
    let produced = feed.finished().unwrap_or_else(|| feed.produced.load(Ordering::Relaxed));
    screen.summary(&tally, produced, &meters, elapsed);
    drop(reader);
    cluster.remove()?;
    ended.map_err(Failure::io)?;
    if is_interrupted {
        // Whoever stops it in the middle leaves events on their way.
        return Ok(Exit::Fine);
    }

    let scored = meters.events.get();
    if scored != produced {
        return Err(Failure::io(anyhow!("{produced} events went in, {scored} were scored")));
    }
    if tally.findings() == 0 || tally.publications() != meters.findings.get() + meters.step_up_requests.get() {
        return Err(Failure::io(anyhow!("{} findings were published, {} came back", meters.findings.get(), tally.findings())));
    }
    Ok(Exit::Fine)
}

/// The fleet's weeks end not long before now: a real Kafka removes records that claim to be old, and events of the future are
/// refused. Moved by whole weeks it has the same days.
fn fleet(seed: u64) -> (Vec<Generated>, Generator, i64) {
    let unmoved = Settings { seed, ..Settings::default() };
    let last = Generator::new(unmoved.clone()).last().map_or(unmoved.start, |event| event.ts);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let moved_by = (now - last).div_euclid(WEEK_MS) * WEEK_MS;
    let settings = Settings { start: unmoved.start + moved_by, quiet_until: unmoved.quiet_until + moved_by, ..unmoved };
    let quiet_until = settings.quiet_until;
    let mut generator = Generator::new(settings);
    let events = generator.by_ref().collect();
    (events, generator, quiet_until)
}
