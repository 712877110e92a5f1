//! Wall and processor time, memory, threads and descriptors as the kernel counts them, and the conditions they were taken under.

use std::fs;
use std::time::Instant;

use gaitkeeper::stream::Meters;

use crate::broker::KAFKA_VERSION;

/// Unit of processor time in `/proc`, fixed on Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// One run of one variant.
pub struct Measured {
    pub wall_s: f64,
    pub cpu_s: f64,
    /// Median and 99th percentile of the commits, ms, where there were any.
    pub commit_ms: Option<(f64, f64)>,
}

/// Runs `work` in this process and in children that it waits for; what it returns are times of commits.
pub fn measured(work: impl FnOnce() -> Option<(f64, f64)>) -> Measured {
    let (started, cpu_before) = (Instant::now(), cpu_seconds("self", 4));
    let commit_ms = work();
    Measured { wall_s: started.elapsed().as_secs_f64(), cpu_s: cpu_seconds("self", 4) - cpu_before, commit_ms }
}

/// User and system time of every thread of another process.
pub fn cpu_of(process: u32) -> f64 {
    cpu_seconds(&process.to_string(), 2)
}

/// User and system time, then the same of children that were waited for: as many of these four as asked for.
fn cpu_seconds(process: &str, times: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; the times begin with the 12th word after it.
    let words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    words.skip(11).take(times).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
}

/// A number of `/proc/PID/status`, in its own unit; `None` when the process is gone.
pub fn status(process: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Open descriptors; `None` when the process is gone.
pub fn descriptors(process: u32) -> Option<u64> {
    fs::read_dir(format!("/proc/{process}/fd")).ok().map(|entries| entries.count() as u64)
}

/// Median and 99th percentile of the commits so far, ms.
pub fn commits(meters: &Meters) -> (f64, f64) {
    (quantile_ms(meters, 0.5), quantile_ms(meters, 0.99))
}

/// A quantile of the commits so far, ms, interpolated within its bucket.
fn quantile_ms(meters: &Meters, share: f64) -> f64 {
    let families = meters.registry().gather();
    let Some(commits) = families.iter().find(|family| family.name() == "gaitkeeper_commit_seconds") else { return f64::NAN };
    let metric = &commits.get_metric()[0];
    let histogram = metric.get_histogram();
    let wanted = share * histogram.get_sample_count() as f64;
    let (mut below, mut from) = (0.0, 0.0);
    for bucket in histogram.get_bucket() {
        let (count, bound) = (bucket.cumulative_count() as f64, bucket.upper_bound());
        if count >= wanted && count > below {
            return 1_000.0 * (from + (bound - from) * (wanted - below) / (count - below));
        }
        (below, from) = (count, bound);
    }
    f64::INFINITY
}

/// The value at a share of the way through; `NaN` of nothing.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
    sorted.get((share * last).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The middle value; `NaN` of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(&values.into_iter().collect::<Vec<_>>(), 0.5)
}

/// Median and range, for a ratio of which every round gave one.
pub fn spread(values: &[f64]) -> String {
    format!("{:.2} [{:.2} {:.2}]", quantile(values, 0.5), quantile(values, 0.0), quantile(values, 1.0))
}

/// Machine, versions and load, for under a table.
pub fn conditions() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{cores} processors ({model}) shared with the broker, Kafka {KAFKA_VERSION}, librdkafka {}, gaitkeeper {}, load {}.",
        rdkafka::util::get_rdkafka_version().1,
        env!("CARGO_PKG_VERSION"),
        load.split_whitespace().next().unwrap_or("unknown")
    )
}
