//! A steady load for long, with instances and the broker killed under it: memory, threads and descriptors of the instance that
//! stays must not grow, and the lag must return to zero.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gaitkeeper::config::Config;
use gaitkeeper::workbench::generate::Generated;
use rdkafka::producer::Producer;

use crate::broker::Broker;
use crate::contender::{self, Process};
use crate::ground::{self, Onlooker, WITHIN};
use crate::measure::{conditions, descriptors, median, quantile, status};
use crate::operations;

const AGENTS: usize = 200;
/// Taken before the first sample, so that what is learned has about its size: agents go on to learn rare things for thousands of events.
const LEARNED: usize = 2_000_000;
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
const BLOW_EVERY: Duration = Duration::from_secs(30);
/// Every so many blows hit the broker; the one in the middle between two of them makes it stand still.
const BROKER_EVERY: usize = 8;
/// Shorter than its session: a transaction that ends by time while the only broker is fenced stays open for ever (operations page).
const FREEZE: Duration = Duration::from_secs(3);
/// A broker that comes back is fenced after this, and let in again: when it has loaded what it coordinates, and before transactions that
/// were open end by time.
const SESSION: Duration = Duration::from_secs(4);
/// Within this the last event must be committed after the load has ended.
const DRAINED_WITHIN: Duration = Duration::from_mins(2);
/// An instance whose memory is still filling grows by less than this from the second quarter to the last.
const MEMORY_GROWTH: f64 = 1.10;
/// What the watchdog says before it ends a process; its exit code is that of every trouble with the brokers.
const HUNG_CALL: &str = "a call into the Kafka client does not come back";
/// Connections come and go with the partitions.
const DESCRIPTORS_MORE: f64 = 4.0;
const THREADS_MORE: f64 = 2.0;

/// What the instance that stays held at one time.
struct Sample {
    resident_mib: f64,
    threads: f64,
    descriptors: f64,
    lag: Option<u64>,
}

/// One thing that must hold.
struct Verdict {
    holds: bool,
    says: String,
}

/// The instance that stays, under a supervisor that starts it again when its watchdog ended it, and only then.
struct Steady<'c> {
    process: Process,
    config: &'c Config,
    folder: &'c Path,
    restarts: usize,
}

impl<'c> Steady<'c> {
    fn start(config: &'c Config, folder: &'c Path) -> Self {
        Self { process: start(config, folder, "steady"), config, folder, restarts: 0 }
    }

    /// Whether it runs, perhaps since just now.
    fn is_running(&mut self) -> bool {
        if self.process.is_running() {
            return true;
        }
        let last_word = self.last_word();
        let is_hung_call = last_word.contains(HUNG_CALL);
        if is_hung_call {
            println!("{last_word}");
            self.restarts += 1;
            self.process = start(self.config, self.folder, &format!("steady-{}", self.restarts));
        }
        is_hung_call
    }

    fn last_word(&self) -> String {
        self.process.said().lines().last().unwrap_or("it said nothing").to_owned()
    }
}

pub fn run(minutes: u64, rate: u64, write: bool) -> ExitCode {
    let Some(mut broker) = Broker::private("soak", SESSION) else { return ExitCode::SUCCESS };
    let conditions = conditions();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = ground::config(&broker, "");
    config.kafka.group = "soak".into();
    ground::keeper(&config).create().expect("the broker makes topics");
    let mut fleet = ground::fleet(AGENTS);
    let learned: Vec<Generated> = fleet.by_ref().take(LEARNED).collect();
    ground::produce(&config, &learned);
    let onlooker = Onlooker::new(&config.kafka.brokers, "soak", &ground::input(&config));

    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(learned.len() as u64));
    drop(learned);
    let mut steady = Steady::start(&config, folder.path());
    let (samples, blows, drained) = thread::scope(|scope| {
        let load = scope.spawn(|| offer(&config, fleet, rate, &over, &sent));
        ground::wait(|| onlooker.committed().is_some_and(|committed| committed >= LEARNED as u64));
        let (samples, blows) = storm(&mut broker, &mut steady, &config, &onlooker, folder.path(), Duration::from_secs(60 * minutes));
        over.store(true, Ordering::Relaxed);
        load.join().expect("the producer does not panic");
        (samples, blows, drain(&onlooker, sent.load(Ordering::Relaxed)))
    });
    let stayed = steady.is_running() && steady.process.end().success();
    let mut verdicts = judge(&samples);
    verdicts.push(Verdict {
        holds: drained.is_some(),
        says: match drained {
            Some(within) => format!("lag back to zero {:.1} s after the load ended", within.as_secs_f64()),
            None => format!("lag not back to zero within {DRAINED_WITHIN:?}"),
        },
    });
    verdicts.push(Verdict {
        holds: stayed,
        says: match (stayed, steady.restarts) {
            (true, 0) => "the instance that stays lived to the end and left cleanly".into(),
            (true, times) => format!("the instance that stays left cleanly; {times} times its watchdog had ended it for a call that hung"),
            (false, _) => format!("the instance that stays ended by itself: {}", steady.last_word()),
        },
    });

    let mut lines = vec![format!(
        "{minutes} minutes at {rate} events/s, {} events, {blows} blows (the second instance killed or asked to leave every {} s, every \
         {BROKER_EVERY}th time the broker killed, and in between stopped for {} s); {conditions}\n",
        sent.load(Ordering::Relaxed),
        BLOW_EVERY.as_secs(),
        FREEZE.as_secs()
    )];
    for Verdict { holds, says } in &verdicts {
        lines.push(format!("- {}: {says}", if *holds { "holds" } else { "VIOLATED" }));
    }
    operations::publish("soak", &lines.join("\n"), write);
    if verdicts.iter().all(|verdict| verdict.holds) {
        return ExitCode::SUCCESS;
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kafka/soak.log");
    fs::copy(broker.log(), &kept).expect("the target folder is writable");
    println!("what the broker said is in {}", kept.display());
    ExitCode::FAILURE
}

fn start(config: &Config, folder: &Path, name: &str) -> Process {
    Process::of(&mut contender::service(config), folder.join(name))
}

/// Samples the instance that stays while others come and go beside it and the broker is killed; how many blows there were.
fn storm(
    broker: &mut Broker,
    steady: &mut Steady<'_>,
    config: &Config,
    onlooker: &Onlooker,
    folder: &Path,
    length: Duration,
) -> (Vec<Sample>, usize) {
    let began = Instant::now();
    let (mut samples, mut blows) = (Vec::new(), 0_usize);
    let mut guest = start(config, folder, "guest-0");
    while began.elapsed() < length && steady.is_running() {
        thread::sleep(SAMPLE_EVERY);
        samples.extend(sample(steady.process.id(), onlooker));
        if began.elapsed() < BLOW_EVERY * u32::try_from(blows + 1).expect("small") {
            continue;
        }
        blows += 1;
        if blows.is_multiple_of(BROKER_EVERY) {
            broker.restart();
        } else if (blows + BROKER_EVERY / 2).is_multiple_of(BROKER_EVERY) {
            broker.freeze(FREEZE);
        } else {
            if blows.is_multiple_of(2) && guest.is_running() {
                guest.end();
            }
            // What was not asked to leave is killed here.
            drop(guest);
            guest = start(config, folder, &format!("guest-{blows}"));
        }
        let Some(Sample { resident_mib, threads, descriptors, lag }) = samples.last() else { continue };
        let lag = lag.map_or("unknown".into(), |lag| lag.to_string());
        let seconds = began.elapsed().as_secs();
        println!("{seconds} s: blow {blows}, {resident_mib:.1} MiB, {threads} threads, {descriptors} descriptors, lag {lag}");
    }
    if guest.is_running() {
        guest.end();
    }
    (samples, blows)
}

fn sample(process: u32, onlooker: &Onlooker) -> Option<Sample> {
    Some(Sample {
        resident_mib: status(process, "VmRSS")? as f64 / 1024.0,
        threads: status(process, "Threads")? as f64,
        descriptors: descriptors(process)? as f64,
        // A broker that is starting says nothing.
        lag: onlooker.offered().zip(onlooker.committed()).map(|(offered, committed)| offered.saturating_sub(committed)),
    })
}

/// Sends the fleet's events at a rate until it is over.
fn offer(config: &Config, fleet: impl Iterator<Item = Generated>, rate: u64, over: &AtomicBool, sent: &AtomicU64) {
    let producer = ground::producer(config, 20);
    let (topic, began) = (ground::input(config), Instant::now());
    for (number, event) in (0_u64..).zip(fleet) {
        ground::keep_pace(&producer, began, number, rate, Duration::from_millis(10));
        if over.load(Ordering::Relaxed) {
            break;
        }
        ground::send(&producer, &topic, &event.agent_id, event.line.as_bytes());
        sent.fetch_add(1, Ordering::Relaxed);
    }
    producer.flush(WITHIN).expect("the broker takes the events");
}

/// How long until all that was sent is there and committed; `None` when it takes too long.
fn drain(onlooker: &Onlooker, sent: u64) -> Option<Duration> {
    let since = Instant::now();
    while since.elapsed() < DRAINED_WITHIN {
        if (onlooker.offered(), onlooker.committed()) == (Some(sent), Some(sent)) {
            return Some(since.elapsed());
        }
        thread::sleep(Duration::from_millis(100));
    }
    None
}

/// The last quarter of the time against the second one; the first is for filling up.
fn judge(samples: &[Sample]) -> Vec<Verdict> {
    let quarter = samples.len() / 4;
    let (early, late) = (&samples[quarter..2 * quarter], &samples[samples.len() - quarter..]);
    let memory = |samples: &[Sample]| median(samples.iter().map(|sample| sample.resident_mib));
    let (before, after) = (memory(early), memory(late));
    let flat = Verdict {
        holds: after <= before * MEMORY_GROWTH,
        says: format!("memory {before:.1} MiB in the second quarter, {after:.1} MiB in the last, at most {MEMORY_GROWTH} times as much"),
    };
    let grows_not = |name: &str, more: f64, of: fn(&Sample) -> f64| {
        let most = |samples: &[Sample]| quantile(&samples.iter().map(of).collect::<Vec<_>>(), 1.0);
        let (before, after) = (most(early), most(late));
        Verdict {
            holds: after <= before + more,
            says: format!("{name} at most {before} in the second quarter, {after} in the last, at most {more} more"),
        }
    };
    vec![
        flat,
        grows_not("threads", THREADS_MORE, |sample| sample.threads),
        grows_not("descriptors", DESCRIPTORS_MORE, |sample| sample.descriptors),
    ]
}
