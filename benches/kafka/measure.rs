//! Wall and processor time of a piece of work, and the table.

use std::fs;
use std::time::Instant;

use gaitkeeper::stream::Meters;

/// Unit of processor time in `/proc`, fixed on Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// One run of one variant.
pub struct Measured {
    wall_s: f64,
    cpu_s: f64,
    extra: Vec<(&'static str, f64)>,
}

/// Runs `work`; what it returns goes into the table as milliseconds.
pub fn measured(work: impl FnOnce() -> Vec<(&'static str, f64)>) -> Measured {
    let (started, cpu_before) = (Instant::now(), cpu_seconds());
    let extra = work();
    Measured { wall_s: started.elapsed().as_secs_f64(), cpu_s: cpu_seconds() - cpu_before, extra }
}

/// User and system time of every thread of this process.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th word after it.
    let words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    words.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
}

/// A quantile of the commits so far, ms, interpolated within its bucket.
pub fn quantile_ms(meters: &Meters, share: f64) -> f64 {
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

/// The median run of each variant by wall time.
pub fn report(count: u64, rows: &[(&str, Vec<Measured>)]) {
    println!("{count} events, median of {} rounds, load {}", rows[0].1.len(), load());
    println!("{:<26} {:>10} {:>16}", "", "events/s", "CPU s per 1M");
    for (name, runs) in rows {
        let mut order: Vec<&Measured> = runs.iter().collect();
        order.sort_by(|one, other| one.wall_s.total_cmp(&other.wall_s));
        let Some(median) = order.get(order.len() / 2) else { continue };
        let extra: String = median.extra.iter().map(|(what, ms)| format!("  {what} {ms:.1} ms")).collect::<Vec<_>>().concat();
        println!("{name:<26} {:>10.0} {:>16.2}{extra}", count as f64 / median.wall_s, median.cpu_s * 1e6 / count as f64);
    }
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").map_or_else(|_| "unknown".into(), |text| text.split_whitespace().next().unwrap_or("?").to_owned())
}
