//! What must not change a score: names, whole weeks, and doing it again.

use proptest::prelude::*;

use crate::shard::{Step, run};

const WEEK: i64 = 7 * 24 * 3_600_000;

prop_compose! {
    /// Some hundred events of three agents over six tools; sessions follow one another.
    fn stream()(choices in prop::collection::vec((0usize..3, 0usize..6, 0usize..12, 1u64..100_000, any::<bool>()), 50..300)) -> Vec<Step> {
        let mut session = [0usize; 3];
        choices
            .into_iter()
            .zip(0i64..)
            .map(|( (agent, tool, target, bytes_out, ends), at)| {
                session[agent] += usize::from(ends);
                Step {
                    agent: format!("agent-{agent}"),
                    session: format!("{agent}-{}", session[agent]),
                    ts: at * 7_000,
                    tool: format!("tool{tool}"),
                    target: (target > 0).then(|| format!("item{target}")),
                    bytes_out,
                }
            })
            .collect()
    }
}

/// The scores alone: session ids may be names as well.
fn scores(steps: &[Step]) -> Vec<String> {
    run(steps).lines.into_iter().filter(|line| line.starts_with("score")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn other_names_give_the_same_scores(steps in stream()) {
        let renamed: Vec<Step> = steps
            .iter()
            .map(|step| Step {
                agent: format!("{} of another house", step.agent),
                tool: format!("crm_{}", step.tool),
                target: step.target.as_ref().map(|target| format!("kept in drawer {target}")),
                session: format!("x{}", step.session),
                ..step.clone()
            })
            .collect();
        prop_assert_eq!(scores(&steps), scores(&renamed));
    }

    #[test]
    fn whole_weeks_later_the_scores_are_the_same(steps in stream(), weeks in 1i64..200) {
        let later: Vec<Step> = steps.iter().map(|step| Step { ts: step.ts + weeks * WEEK, ..step.clone() }).collect();
        prop_assert_eq!(scores(&steps), scores(&later));
    }

    #[test]
    fn the_same_stream_gives_the_same_lines(steps in stream()) {
        prop_assert_eq!(run(&steps).lines, run(&steps).lines);
    }

    #[test]
    fn every_number_that_leaves_is_finite_and_no_score_is_below_zero(steps in stream()) {
        let shard = run(&steps);
        for line in shard.lines.iter().filter(|line| line.starts_with("score")) {
            for bits in line.split(' ').skip(1).take(2) {
                let number = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
                prop_assert!(number.is_finite() && number >= 0.0, "{line}");
            }
        }
        for finding in &shard.findings {
            // serde_json writes what is not finite as null.
            prop_assert!(!serde_json::to_string(finding).unwrap().contains("null"));
        }
    }
}
