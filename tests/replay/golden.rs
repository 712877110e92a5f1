//! Golden files of our own: what the detector says of the ordinary stream with the novelty fixture behind it, session by session.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{EventScore, SessionEnd, Shard};
use gaitkeeper::event::Event;
use gaitkeeper::finding::{Finding, StepUpRequest};
use gaitkeeper::workbench::control_files::ControlFiles;
use gaitkeeper::workbench::recording::Recording;
use gaitkeeper::workbench::replay::{Plan, Sink, replay};

/// Scores may differ by this much times their size (at least 1): the last digits of an exponential differ between processors.
const TOLERANCE: f64 = 1e-9;

#[derive(Default)]
struct Lines {
    scores: Vec<(String, f64)>,
    findings: Vec<String>,
}

impl Sink for Lines {
    fn score(&mut self, _: &Event<'_>, _: &EventScore) -> io::Result<()> {
        Ok(())
    }

    fn session_end(&mut self, end: &SessionEnd) -> io::Result<()> {
        self.scores.push((end.session_id.clone().unwrap_or_default(), end.session_score));
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        let Finding { finding_id, activity, kind, severity, count, title, .. } = finding;
        self.findings.push(format!("{finding_id} {activity:?} {kind:?} {severity:?} {count} {title}"));
        Ok(())
    }

    fn step_up(&mut self, _: &StepUpRequest) -> io::Result<()> {
        Ok(())
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn replayed() -> Lines {
    let mut recording = Recording::open(&[fixture("ordinary.jsonl.zst"), fixture("novelty.jsonl")]).expect("streams");
    let plan = Plan { shard: Shard { partition: 0, partitions: 1 }, learn_until: None, seal_at: None };
    let mut lines = Lines::default();
    replay(&mut recording, ControlFiles::default(), &EngineConfig::default(), plan, &mut lines).expect("readable");
    lines
}

/// The kept text; `GAITKEEPER_WRITE_GOLDEN=1` writes it anew.
fn golden(name: &str, now: impl FnOnce() -> Vec<String>) -> String {
    let path = fixture("golden").join(format!("{name}.zst"));
    if std::env::var_os("GAITKEEPER_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(fixture("golden")).expect("writable");
        fs::write(&path, zstd::encode_all(now().join("\n").as_bytes(), 19).expect("in memory")).expect("writable");
    }
    let packed = fs::read(&path).expect("a golden file");
    String::from_utf8(zstd::decode_all(&packed[..]).expect("zstd")).expect("UTF-8")
}

#[test]
fn session_scores_are_those_of_the_golden_file() {
    let now = replayed().scores;
    let kept = golden("scores.txt", || now.iter().map(|(session, score)| format!("{session} {score:?}")).collect());
    assert_eq!(kept.lines().count(), now.len());
    for (line, (session, score)) in kept.lines().zip(&now) {
        let (kept_session, kept_score) = line.rsplit_once(' ').expect("a session and its score");
        let kept_score: f64 = kept_score.parse().expect("a number");
        assert_eq!(kept_session, session);
        assert!((score - kept_score).abs() <= TOLERANCE * kept_score.max(1.0), "{session}: {score} is not {kept_score}");
    }
}

#[test]
fn findings_are_those_of_the_golden_file() {
    let now = replayed().findings;
    let kept = golden("findings.txt", || now.clone());
    assert_eq!(kept.lines().collect::<Vec<_>>(), now);
    assert!(!now.is_empty());
}
