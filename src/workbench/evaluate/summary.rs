//! From scores and labels to figures. This is where labels are read, after all scoring is done.

use std::collections::{BTreeMap, BTreeSet};

use crate::workbench::metrics::bootstrap::Drawn;
use crate::workbench::metrics::{Bootstrap, Delay, DelayMeasures, Measures, Proportion, Ranking};

use super::measured::{Alarms, ByAge, Counts, Detector, Difference, EngineFigures, Evaluation, Figure, Figures, HistoryQuartile, Realised};
use super::mode::{Scored, SessionScore};
use super::{Mode, Options, Recorded};

/// Rates of the calibration table.
const REQUESTED: [f64; 4] = [0.001, 0.005, 0.01, 0.05];
/// Sessions of an agent, counted from 1, that count as young, and all later ones.
const AGES: [(usize, Option<usize>); 4] = [(1, Some(3)), (4, Some(10)), (11, Some(40)), (41, None)];
/// Rate at which false alarms of young agents are counted.
const YOUNG_RATE: f64 = 0.01;
/// More kinds of attack than this are told apart by the part of their name before the first colon only.
const ATTACKS_MAX: usize = 20;
/// A clock whose gaps agree so closely was made up.
const SYNTHETIC_GAP_MS: i64 = 2;

/// The test sessions with their truth.
struct Test {
    /// Session numbers in the stream.
    sessions: Vec<usize>,
    /// Whether there was misuse.
    misuse: Vec<bool>,
    /// Name of the attack, where there was one.
    attacks: Vec<Option<String>>,
    /// Quartile of the agent's history, 0 the least.
    quartiles: Vec<usize>,
}

/// Rankings that share their draws, and where each lies.
#[derive(Default)]
struct Pool {
    rankings: Vec<Ranking>,
}

impl Pool {
    fn add(&mut self, ranking: Ranking) -> usize {
        self.rankings.push(ranking);
        self.rankings.len() - 1
    }

    fn measure(self, bootstrap: Bootstrap, positive: &[bool]) -> Measured {
        let drawn = bootstrap.run(positive, &self.rankings.iter().collect::<Vec<_>>());
        let measures = self.rankings.iter().map(Ranking::measures).collect();
        Measured { rankings: self.rankings, measures, drawn }
    }
}

struct Measured {
    rankings: Vec<Ranking>,
    measures: Vec<Measures>,
    drawn: Drawn,
}

impl Measured {
    fn figures(&self, which: usize) -> Figures {
        Figures::new(self.rankings[which].totals(), &self.measures[which], &self.drawn.intervals(which))
    }

    fn difference(&self, a: usize, b: usize) -> [Figure; 6] {
        let (of_a, of_b) = (self.measures[a].figures(), self.measures[b].figures());
        let intervals = self.drawn.differences(a, b);
        std::array::from_fn(|at| Figure::new(of_a[at] - of_b[at], intervals[at]))
    }
}

/// Places of one detector's rankings in the pool.
struct Places {
    sessions: usize,
    events: usize,
    attacks: BTreeMap<String, usize>,
    quartiles: Vec<usize>,
}

pub(super) fn summarise(recorded: &Recorded, options: &Options, runs: &[(Mode, Scored)], peers: &[(&str, Vec<f64>)]) -> Evaluation {
    let (test, history) = read_truth(recorded);
    let mut pool = Pool::default();
    let places: Vec<Places> = runs.iter().map(|(_, scored)| rank(recorded, &test, scored, &mut pool)).collect();
    let peer_places: Vec<usize> = peers
        .iter()
        .map(|(_, scores)| {
            let scores: Vec<f64> = test.sessions.iter().map(|&session| scores[session]).collect();
            pool.add(Ranking::new(&scores, &test.misuse))
        })
        .collect();
    let measured = pool.measure(options.bootstrap, &test.misuse);

    let mut detectors = Vec::new();
    let mut differences = Vec::new();
    for ((mode, scored), places) in runs.iter().zip(&places) {
        detectors.push(Detector {
            name: mode.as_str().to_owned(),
            sessions: measured.figures(places.sessions),
            engine: Some(engine_figures(recorded, &test, &history, scored, places, &measured)),
        });
        for ((peer, _), &place) in peers.iter().zip(&peer_places) {
            let [roc_auc, average_precision, _, _, found_at_one_percent, _] = measured.difference(places.sessions, place);
            let (detector, against) = (mode.as_str().to_owned(), (*peer).to_owned());
            differences.push(Difference { detector, against, roc_auc, average_precision, found_at_one_percent });
        }
    }
    for ((peer, _), &place) in peers.iter().zip(&peer_places) {
        detectors.push(Detector { name: (*peer).to_owned(), sessions: measured.figures(place), engine: None });
    }
    Evaluation {
        train_until: options.train_until,
        counts: counts(recorded, &test),
        alpha: options.alpha,
        draws: options.bootstrap.draws,
        seed: options.bootstrap.seed,
        detectors,
        differences,
    }
}

fn counts(recorded: &Recorded, test: &Test) -> Counts {
    let training: Vec<usize> = (0..recorded.sessions.len()).filter(|&session| recorded.sessions[session].training).collect();
    Counts {
        agents: recorded.agents.len(),
        sessions: recorded.sessions.len(),
        training_sessions: training.len(),
        events: recorded.len(),
        rejected: recorded.rejected,
        test_sessions: test.sessions.len(),
        attack_sessions: test.misuse.iter().filter(|&&misuse| misuse).count(),
        training_attack_sessions: training.iter().filter(|&&session| recorded.session_truth(session).0).count(),
    }
}

/// The test sessions, and per quartile the least and greatest history of its agents.
fn read_truth(recorded: &Recorded) -> (Test, Vec<(usize, usize)>) {
    let trained = recorded.sessions.iter().any(|session| session.training);
    let history = |agent: usize| {
        let agent = &recorded.agents[agent];
        if trained { agent.training_sessions } else { agent.sessions }
    };
    let mut by_history: Vec<usize> = (0..recorded.agents.len()).collect();
    by_history.sort_by_key(|&agent| (history(agent), agent));
    let mut quartile_of = vec![0; by_history.len()];
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for (rank, &agent) in by_history.iter().enumerate() {
        let quartile = (rank * 4 / by_history.len()).min(ranges.len());
        quartile_of[agent] = quartile;
        match ranges.get_mut(quartile) {
            Some(range) => range.1 = history(agent),
            None => ranges.push((history(agent), history(agent))),
        }
    }
    let mut test = Test { sessions: Vec::new(), misuse: Vec::new(), attacks: Vec::new(), quartiles: Vec::new() };
    for (number, session) in recorded.sessions.iter().enumerate() {
        if session.training || session.records.is_empty() {
            continue;
        }
        let (misuse, attack) = recorded.session_truth(number);
        test.sessions.push(number);
        test.misuse.push(misuse);
        test.attacks.push(misuse.then(|| attack.unwrap_or_else(|| "unnamed".to_owned())));
        test.quartiles.push(quartile_of[session.agent]);
    }
    let names: BTreeSet<&String> = test.attacks.iter().flatten().collect();
    if names.len() > ATTACKS_MAX {
        for name in test.attacks.iter_mut().flatten() {
            name.truncate(name.find(':').unwrap_or(name.len()));
        }
    }
    (test, ranges)
}

fn rank(recorded: &Recorded, test: &Test, run: &Scored, pool: &mut Pool) -> Places {
    let scores: Vec<f64> = test.sessions.iter().map(|&session| run.sessions[session].score).collect();
    let sessions = pool.add(Ranking::new(&scores, &test.misuse));
    let names: BTreeSet<&String> = test.attacks.iter().flatten().collect();
    let of_attack =
        |name: &String| Ranking::of_subset(&scores, &test.misuse, |at| test.attacks[at].as_ref().is_none_or(|attack| attack == name));
    let attacks = names.into_iter().map(|name| (name.clone(), pool.add(of_attack(name)))).collect();
    let quartiles = test.quartiles.iter().max().map_or(0, |last| last + 1);
    let of_quartile = |quartile| Ranking::of_subset(&scores, &test.misuse, |at| test.quartiles[at] == quartile);
    let quartiles = (0..quartiles).map(|quartile| pool.add(of_quartile(quartile))).collect();

    let (mut event_scores, mut event_misuse, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    for (owner, &session) in test.sessions.iter().enumerate() {
        for &record in &recorded.sessions[session].records {
            if let Some(misuse) = recorded.truth(record as usize).event {
                // What could not be judged is as ordinary as can be.
                event_scores.push(run.events[record as usize].unwrap_or(0.0));
                event_misuse.push(misuse);
                owners.push(owner);
            }
        }
    }
    let events = pool.add(Ranking::of_owned(&event_scores, &event_misuse, &owners));
    Places { sessions, events, attacks, quartiles }
}

fn engine_figures(
    recorded: &Recorded,
    test: &Test,
    history: &[(usize, usize)],
    scored: &Scored,
    places: &Places,
    measured: &Measured,
) -> EngineFigures {
    let session = |at: usize| &scored.sessions[test.sessions[at]];
    let share = |misuse: bool, wanted: &dyn Fn(usize, &SessionScore) -> bool| {
        let members = (0..test.sessions.len()).filter(|&at| test.misuse[at] == misuse);
        let (mut hits, mut of) = (0, 0);
        for at in members {
            of += 1;
            hits += u64::from(wanted(at, session(at)));
        }
        Proportion::new(hits, of)
    };
    let below = |rate: f64, score: &SessionScore| score.score > -rate.log10();
    let calibration = REQUESTED.map(|requested| Realised {
        requested,
        false_alarms: share(false, &|_, score| below(requested, score)),
        found: share(true, &|_, score| below(requested, score)),
    });
    let alarms = Alarms {
        benign_opened: share(false, &|_, score| score.opened),
        benign_alarmed: share(false, &|_, score| score.alarmed),
        attack_opened: share(true, &|_, score| score.opened),
        attack_alarmed: share(true, &|_, score| score.alarmed),
    };
    let of_age = |at: usize, (first, last): (usize, Option<usize>)| {
        let ordinal = recorded.sessions[test.sessions[at]].ordinal + 1;
        first <= ordinal && last.is_none_or(|last| ordinal <= last)
    };
    let young = AGES.map(|age| {
        let members: Vec<usize> = (0..test.sessions.len()).filter(|&at| !test.misuse[at] && of_age(at, age)).collect();
        let hits = members.iter().filter(|&&at| below(YOUNG_RATE, session(at))).count();
        ByAge { sessions: age, false_alarms: Proportion::new(hits as u64, members.len() as u64) }
    });
    let delays: Vec<Delay> =
        (0..test.sessions.len()).filter_map(|at| delay(recorded, test.sessions[at], session(at).first_alarm)).collect();
    let quartiles = places.quartiles.iter().zip(history);
    EngineFigures {
        events: measured.figures(places.events),
        calibration: calibration.to_vec(),
        alarms,
        delay: DelayMeasures::of(&delays),
        attacks: places.attacks.iter().map(|(name, &place)| (name.clone(), measured.figures(place))).collect(),
        history: quartiles.map(|(&place, &sessions)| HistoryQuartile { sessions, figures: measured.figures(place) }).collect(),
        young: young.to_vec(),
        unclosed: (0..test.sessions.len()).filter(|&at| session(at).closes == 0).count() as u64,
    }
}

/// From the first labelled event of a session to its first alarm; `None` where no event is labelled as misuse.
fn delay(recorded: &Recorded, session: usize, alarm: Option<(usize, i64)>) -> Option<Delay> {
    let records = &recorded.sessions[session].records;
    let onset = records.iter().position(|&record| recorded.truth(record as usize).event == Some(true))?;
    let Some((place, alarm_ts)) = alarm else { return Some(Delay { events: None, seconds: None }) };
    let times: Vec<i64> = records.iter().map(|&record| recorded.ts(record as usize)).collect();
    let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let spread = gaps.iter().max().unwrap_or(&0) - gaps.iter().min().unwrap_or(&0);
    // A single gap cannot tell a made-up clock from a real one.
    let real = gaps.len() >= 2 && spread > SYNTHETIC_GAP_MS;
    let seconds = real.then(|| (alarm_ts - times[onset]) as f64 / 1000.0);
    #[expect(clippy::cast_possible_wrap, reason = "places in a session held in memory")]
    let events = Some(place as i64 - onset as i64);
    Some(Delay { events, seconds })
}
