//! Our metrics against scikit-learn's and scipy's, on random rankings full of ties. Skipped where no Python has both.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gaitkeeper::workbench::metrics::{Measures, Proportion, Ranking};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// The Python of the virtual environment that `.ci/run` makes, else the system's, whichever has scikit-learn.
fn python_with_sklearn() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    [target.join("venv/bin/python"), PathBuf::from("python3")].into_iter().find(|python| {
        let asked = Command::new(python).args(["-c", "import scipy, sklearn"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    })
}

/// One ranking of `count` items with scores in `levels` steps, weighted or not, with what we measure on it.
fn case(random: &mut ChaCha8Rng, count: usize, levels: u32, weighted: bool) -> Value {
    let mut positive: Vec<bool> = (0..count).map(|_| random.random_bool(0.1)).collect();
    positive[0] = true;
    positive[1] = false;
    let scores: Vec<f64> =
        positive.iter().map(|&positive| f64::from(random.random_range(0..levels) + u32::from(positive) * levels / 3) / 7.0).collect();
    let weights: Vec<u16> = (0..count).map(|at| if weighted && at > 1 { random.random_range(0..4) } else { 1 }).collect();
    let ranking = Ranking::new(&scores, &positive);
    let Measures { roc_auc, average_precision, found } = if weighted { ranking.measures_weighted(&weights) } else { ranking.measures() };
    json!({
        "scores": scores, "positive": positive, "weights": weights,
        "roc_auc": roc_auc, "average_precision": average_precision, "found": found,
    })
}

#[test]
fn scikit_learn_agrees_on_random_rankings_with_ties() {
    let Some(python) = python_with_sklearn() else {
        println!("skipped: no Python with scikit-learn (pip install scikit-learn)");
        return;
    };
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut rankings = Vec::new();
    for count in [2, 3, 20, 101, 1000, 5000] {
        for levels in [1, 3, 40, 1_000_000] {
            for weighted in [false, true] {
                rankings.push(case(&mut random, count, levels, weighted));
            }
        }
    }
    let mut proportions = Vec::new();
    for (count, of) in [(0, 1), (1, 1), (0, 5910), (1, 5910), (59, 5910), (300, 5910), (5909, 5910), (5910, 5910), (500_000, 1_000_000)] {
        proportions.push(serde_json::to_value(Proportion::new(count, of)).expect("numbers"));
    }
    let ours = json!({"rankings": rankings, "proportions": proportions}).to_string();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evaluate/metrics_sklearn.py");
    let mut checker = Command::new(python).arg(script).stdin(Stdio::piped()).spawn().expect("Python starts");
    checker.stdin.take().expect("piped").write_all(ours.as_bytes()).expect("read to the end");
    assert!(checker.wait().expect("it was started").success(), "the script printed where it disagrees");
}
