//! The same misuse again and again: one finding that grows, not one a session.

use gaitkeeper::finding::{Activity, Finding};

use crate::shard::{Step, TestShard};

const AGENTS: usize = 4;
/// Ordinary sessions of each agent, enough to seal and to calibrate.
const SESSIONS: usize = 150;

pub struct Fleet {
    pub shard: TestShard,
    steps: usize,
    sessions: usize,
}

impl Fleet {
    pub fn trained() -> Self {
        let mut fleet = Self { shard: TestShard::new(), steps: 0, sessions: 0 };
        for round in 0..SESSIONS {
            for agent in 0..AGENTS {
                fleet.session(agent, &["look-up", "read", if round % 3 == 0 { "read" } else { "compare" }, "answer"]);
            }
        }
        fleet
    }

    /// One session of a call a tool; `tool>target` also names a target. Returns what it published.
    pub fn session(&mut self, agent: usize, calls: &[&str]) -> Vec<Finding> {
        let before = self.shard.findings.len();
        self.sessions += 1;
        for (place, call) in calls.iter().enumerate() {
            let (tool, target) = call.split_once('>').unwrap_or((call, "ledger"));
            let step = Step {
                agent: format!("agent-{agent}"),
                session: format!("s{}", self.sessions),
                ts: i64::try_from(self.sessions * 3_600_000 + place * 7_000 + place * place * 311).unwrap(),
                tool: tool.into(),
                target: Some(target.into()),
                bytes_out: 200 + (self.steps % 40) as u64,
            };
            self.shard.feed(&step.event(&self.steps.to_string()));
            self.steps += 1;
        }
        self.shard.findings[before..].to_vec()
    }
}

pub const MISUSE: [&str; 5] = ["look-up", "read", "export>vault-of-mallory", "export>vault-of-mallory", "answer"];

pub fn opened(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.activity == Activity::Open).collect()
}

#[test]
fn a_repeat_by_another_agent_joins_the_finding_that_is_open() {
    let mut fleet = Fleet::trained();
    let first = fleet.session(0, &MISUSE);
    let id = opened(&first).first().expect("the first time is found").finding_id.clone();
    let ordinary = fleet.session(0, &["look-up", "read", "compare", "answer"]);
    assert!(ordinary.iter().all(|finding| finding.finding_id != id || finding.activity == Activity::Update), "{ordinary:?}");
    let again = fleet.session(1, &MISUSE);
    assert!(opened(&again).iter().all(|finding| finding.kind != gaitkeeper::finding::Kind::Novelty), "{again:?}");
    let joined = again.iter().find(|finding| finding.finding_id == id).expect("the repeat is published with the first");
    assert_eq!((joined.activity, joined.agents.as_slice()), (Activity::Update, ["agent-1".to_owned()].as_slice()));
    assert!(joined.count > opened(&first)[0].count && joined.last_seen > opened(&first)[0].last_seen, "{joined:?}");
}

#[test]
fn something_new_beside_the_repeat_opens_its_own_finding() {
    let mut fleet = Fleet::trained();
    let first = fleet.session(0, &MISUSE);
    let id = opened(&first)[0].finding_id.clone();
    let worse = fleet.session(1, &["look-up", "read", "export>vault-of-mallory", "wipe>backups", "wipe>archive", "answer"]);
    assert!(opened(&worse).iter().any(|finding| finding.finding_id != id), "{worse:?}");
}

#[test]
fn the_end_of_the_input_closes_what_is_open() {
    let mut fleet = Fleet::trained();
    fleet.session(0, &MISUSE);
    fleet.session(1, &MISUSE);
    fleet.shard.finish();
    let count = |activity| fleet.shard.findings.iter().filter(|finding| finding.activity == activity).count();
    assert_eq!(count(Activity::Open), count(Activity::Close));
    assert!(count(Activity::Open) > 0);
}
