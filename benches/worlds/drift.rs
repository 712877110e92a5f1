//! Slow drift: agents that send a little more with every session, so little that no session alarms by itself.

use gaitkeeper::finding::Kind;
use gaitkeeper::workbench::generate::draw;

use crate::fleet::Fleet;
use crate::lab::Said;
use crate::table::{Bound, Row, Table};

const GROWTH: [f64; 3] = [1.02, 1.05, 1.1];
/// Two agents of each kind of work.
const DRIFTING: usize = 12;
/// A drift must be found before this factor; it is followed up to twice that.
const FACTOR_MAX: f64 = 8.0;

/// How far each drift comes before a drift finding opens.
pub fn measure(seed: u64) -> Table {
    let mut rows = Vec::new();
    let (mut false_findings, mut ordinary_sessions) = (0, 0);
    let mut found_in_all = 0;
    for growth in GROWTH {
        let (factors, false_here, sessions) = follow(seed, growth);
        false_findings += false_here;
        ordinary_sessions += sessions;
        let found = factors.iter().filter(|factor| **factor < FACTOR_MAX).count() as u64;
        found_in_all += found;
        let reached = |pick: fn(f64, f64) -> f64, from: f64| factors.iter().copied().fold(from, pick);
        let range = format!("×{growth} a session, found at ×{:.1} to ×{:.1}", reached(f64::min, f64::INFINITY), reached(f64::max, 0.0));
        rows.push(Row::new(range, (found, DRIFTING as u64), None, Bound::None));
    }
    let all = (GROWTH.len() * DRIFTING) as u64;
    rows.push(Row::new(format!("found before ×{FACTOR_MAX}"), (found_in_all, all), Some(1.0), Bound::AtLeast(1.0)));
    rows.push(Row::new("false drift findings, by session", (false_findings, ordinary_sessions), Some(0.0), Bound::AtMost(0.001)));
    Table { name: "slow drift of bytes sent, live", seed, rows }
}

/// Per drifting agent the factor at which a drift finding opened (infinite: never), then false findings and sessions of the
/// agents that do not drift.
fn follow(seed: u64, growth: f64) -> (Vec<f64>, u64, u64) {
    let mut fleet = Fleet::learned(seed);
    let mut factors = vec![f64::INFINITY; DRIFTING];
    let (mut false_findings, mut ordinary_sessions) = (0, 0);
    let mut factor = 1.0;
    while factor < 2.0 * FACTOR_MAX {
        factor *= growth;
        for agent in DRIFTING..fleet.world.agents.len() {
            false_findings += u64::from(drifted(&fleet.ordinary(agent)));
            ordinary_sessions += 1;
        }
        for (agent, found_at) in factors.iter_mut().enumerate() {
            let mut run = fleet.world.run(agent, &mut fleet.rng);
            for call in &mut run.calls {
                call.bytes_out = draw::whole((call.bytes_out as f64 * factor).round());
            }
            if drifted(&fleet.session(&run)) && found_at.is_infinite() {
                *found_at = factor;
            }
        }
    }
    (factors, false_findings, ordinary_sessions)
}

fn drifted(said: &Said) -> bool {
    said.opened.iter().any(|kind| matches!(kind, Kind::DriftUnexplained | Kind::DriftAttributed))
}
