//! Interleaved sessions: the same fleet and attacks, once with agents that work on one session after the other, once with
//! agents that work on three at once. No agent says that a session is over, so the engine must find out by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::{Origin, decode};
use gaitkeeper::workbench::generate::attack::SCENARIOS;
use gaitkeeper::workbench::generate::{Generator, Settings, Shape};

use crate::lab::ALARM;
use crate::table::{Bound, Row, Table};

/// What became of one session of the producer, however often it was continued.
#[derive(Default)]
struct Session {
    attacked: bool,
    alarmed: bool,
    closed: u64,
}

/// Shares found and falsely alarmed, serial beside interleaved.
pub fn measure(seed: u64) -> Table {
    let mut rows = Vec::new();
    for (name, concurrent) in [("serial", false), ("three at once", true)] {
        let sessions = run(seed, concurrent);
        let tally = |attacked: bool| {
            let kind = || sessions.values().filter(|session| session.attacked == attacked);
            (kind().filter(|session| session.alarmed).count() as u64, kind().count() as u64)
        };
        let split = sessions.values().filter(|session| session.closed > 1).count() as u64;
        rows.push(Row::new(format!("{name}: attacks found"), tally(true), None, Bound::None));
        rows.push(Row::new(format!("{name}: false alarms"), tally(false), None, Bound::AtMost(0.015)));
        rows.push(Row::new(format!("{name}: sessions split"), (split, sessions.len() as u64), None, Bound::None));
    }
    Table { name: "interleaved sessions, live", seed, rows }
}

/// Sessions that began after the quiet time, by name.
fn run(seed: u64, concurrent: bool) -> BTreeMap<String, Session> {
    let settings = Settings {
        seed,
        shape: Shape { sparse: true, ..Shape::default() },
        // Close enough for three lines of work to overlap most of the time.
        sessions_a_day: 400.0,
        quiet_until: Settings::quiet_after(Settings::default().start, 150, if concurrent { 1_200.0 } else { 400.0 }),
        concurrent_agents: if concurrent { usize::MAX } else { 0 },
        // A slow drip is made to stay below every single session's alarm; the drift table measures it.
        attacks: SCENARIOS.iter().filter(|attack| attack.sessions() == 1).copied().collect(),
        attack_rate: 0.05,
        ..Settings::default()
    };
    let quiet_until = settings.quiet_until;
    let mut config = EngineConfig::default();
    config.detect.seal_after_sessions = None;
    let mut engine = Engine::new(Arc::new(config), Shard { partition: 0, partitions: 1 });
    let (tables, mut outputs) = (Tables::default(), Vec::new());
    let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
    let mut sealed = false;
    for (offset, generated) in (0..).zip(Generator::new(settings)) {
        if generated.ts > quiet_until && !sealed {
            engine.seal();
            sealed = true;
        }
        if sealed {
            let attacked = generated.truth.session == Some(true);
            sessions.entry(generated.session_id.clone()).or_default().attacked = attacked;
        }
        let origin = Origin { partition: 0, offset };
        let decoded = decode(generated.line.as_bytes(), origin).expect("generated events are valid");
        engine.on_event(&decoded.event, &tables, &mut outputs);
        judge(&mut outputs, &mut sessions);
    }
    engine.finish(&mut outputs);
    judge(&mut outputs, &mut sessions);
    sessions
}

fn judge(outputs: &mut Vec<Output>, sessions: &mut BTreeMap<String, Session>) {
    for output in outputs.drain(..) {
        let Output::SessionEnd(end) = output else { continue };
        if let Some(session) = end.session_id.and_then(|name| sessions.get_mut(&name)) {
            session.closed += 1;
            session.alarmed |= end.session_score > ALARM;
        }
    }
}
