//! When agents work: by day more than by night, one session after the other or several at once, and attacks among them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

use super::attack::Attack;
use super::draw;
use super::record::{self, Place};
use super::run::Run;
use super::world::World;
use super::{Campaign, Generated, Settings};
use crate::workbench::ground_truth::Truth;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 1970 began on a Thursday.
const EPOCH_WEEKDAY: i64 = 3;
/// Tries to plant one kind before the session stays ordinary.
const PLANT_TRIES: usize = 3;

/// One line of sessions: one after the other, all of one agent.
struct Lane {
    agent: usize,
    name: String,
    rng: ChaCha8Rng,
    /// End of the newest call, epoch ms.
    clock: i64,
    sessions_left: usize,
    session_number: usize,
    open: Option<Open>,
    campaign: Option<Ongoing>,
}

/// The session under way.
struct Open {
    run: Run,
    session_id: String,
    next: usize,
    campaign: Option<usize>,
}

/// An attack over several sessions.
struct Ongoing {
    attack: Attack,
    index: usize,
    done: u32,
}

/// The stream of a fleet in the order of its events: an iterator of lines with their ground truth.
pub struct Generator {
    settings: Settings,
    world: World,
    lanes: Vec<Lane>,
    upcoming: BinaryHeap<Reverse<(i64, usize)>>,
    campaigns: Vec<Campaign>,
}

impl Generator {
    /// A fleet drawn from `settings.seed`. Every agent draws from a stream of its own, so more agents change nothing for the
    /// ones before.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        let world = World::new(settings.shape, &mut rng);
        let mut generator = Self { settings, world, lanes: Vec::new(), upcoming: BinaryHeap::new(), campaigns: Vec::new() };
        for agent in 0..generator.world.agents.len() {
            let several = agent < generator.settings.concurrent_agents;
            let lanes = if several { 3 } else { 1 };
            for lane in 0..lanes {
                generator.add_lane(agent, lane, lanes);
            }
        }
        generator
    }

    /// The fleet behind the stream.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The attacks so far; complete once the iterator is at its end.
    #[must_use]
    pub fn campaigns(&self) -> &[Campaign] {
        &self.campaigns
    }

    fn add_lane(&mut self, agent: usize, lane: usize, lanes: usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.settings.seed);
        let index = self.lanes.len();
        rng.set_stream(1 + (agent * 4 + lane) as u64);
        let letter = if lanes == 1 { String::new() } else { format!("{}-", ["a", "b", "c"][lane]) };
        self.lanes.push(Lane {
            agent,
            name: format!("{}/{letter}", self.world.agents[agent].name),
            rng,
            clock: self.settings.start,
            sessions_left: self.settings.sessions / lanes + usize::from(lane < self.settings.sessions % lanes),
            session_number: 0,
            open: None,
            campaign: None,
        });
        self.open_next(index);
    }

    /// Draws the lane's next session, if it has one left.
    fn open_next(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        if lane.sessions_left == 0 {
            return;
        }
        lane.sessions_left -= 1;
        lane.session_number += 1;
        lane.clock = next_start(lane.clock, self.settings.sessions_a_day, &mut lane.rng);
        let session_id = format!("{}{:05}", lane.name, lane.session_number);
        let ordinary = self.world.run(lane.agent, &mut lane.rng);
        let (run, campaign) = if lane.clock <= self.settings.quiet_until {
            (ordinary, None)
        } else {
            perhaps_attack(lane, ordinary, &self.settings, &self.world, &mut self.campaigns)
        };
        if let Some(number) = campaign {
            self.campaigns[number].sessions.push(session_id.clone());
        }
        lane.open = Some(Open { run, session_id, next: 0, campaign });
        self.upcoming.push(Reverse((lane.clock, index)));
    }
}

impl Iterator for Generator {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        let Reverse((ts, index)) = self.upcoming.pop()?;
        let lane = &mut self.lanes[index];
        let open = lane.open.as_mut().expect("a lane that is due has a session open");
        let event_id = format!("{}#{}", open.session_id, open.next);
        let place = Place { event_id: &event_id, ts, session_id: &open.session_id };
        let call = open.run.calls.get(open.next);
        let planted = call.is_some_and(|call| call.planted);
        let text = match call {
            Some(call) => record::call(&self.world, &open.run, call, place),
            None => record::session_end(&self.world, &open.run, place),
        };
        if let Some(campaign) = open.campaign.filter(|_| planted).map(|number| &mut self.campaigns[number]) {
            campaign.onset.get_or_insert(ts);
            campaign.end = Some(ts);
            campaign.events += 1;
        }
        let generated = Generated {
            ts,
            agent_id: self.world.agents[lane.agent].name.clone(),
            session_id: open.session_id.clone(),
            line: text,
            truth: Truth { event: Some(planted), session: Some(open.run.attack.is_some()), attack: open.run.attack.map(str::to_owned) },
        };
        lane.clock = ts + call.map_or(0, |call| draw::whole_ms(call.duration_ms.ceil()));
        open.next += 1;
        let due = match open.run.calls.get(open.next) {
            Some(call) => Some(lane.clock + call.gap_ms),
            None => (self.settings.session_ends && open.next == open.run.calls.len()).then_some(lane.clock),
        };
        match due {
            Some(ts) => self.upcoming.push(Reverse((ts, index))),
            None => self.open_next(index),
        }
        Some(generated)
    }
}

/// Goes on with the attack under way, or begins one at the configured rate.
fn perhaps_attack(
    lane: &mut Lane,
    ordinary: Run,
    settings: &Settings,
    world: &World,
    campaigns: &mut Vec<Campaign>,
) -> (Run, Option<usize>) {
    if let Some(mut ongoing) = lane.campaign.take() {
        if let Some(run) = ongoing.attack.plant(world, &ordinary, ongoing.done, &mut lane.rng) {
            let index = ongoing.index;
            ongoing.done += 1;
            lane.campaign = (ongoing.done < ongoing.attack.sessions()).then_some(ongoing);
            return (run, Some(index));
        }
        return (ordinary, None);
    }
    if !lane.rng.random_bool(settings.attack_rate.clamp(0.0, 1.0)) {
        return (ordinary, None);
    }
    for _ in 0..PLANT_TRIES {
        let Some(&attack) = draw::one_of(&mut lane.rng, &settings.attacks) else { break };
        if let Some(run) = attack.plant(world, &ordinary, 0, &mut lane.rng) {
            let index = campaigns.len();
            campaigns.push(Campaign {
                attack: attack.name,
                agent_id: world.agents[lane.agent].name.to_string(),
                sessions: Vec::new(),
                onset: None,
                end: None,
                events: 0,
            });
            lane.campaign = (attack.sessions() > 1).then_some(Ongoing { attack, index, done: 1 });
            return (run, Some(index));
        }
    }
    (ordinary, None)
}

/// Draws when the next session begins: exponential gaps, thinned by the time of day and week.
fn next_start(after: i64, sessions_a_day: f64, rng: &mut ChaCha8Rng) -> i64 {
    let mean_ms = DAY_MS as f64 / sessions_a_day.max(1e-3) * mean_activity();
    let mut ts = after as f64;
    loop {
        let gap: f64 = Exp1.sample(rng);
        ts += gap * mean_ms;
        let start = draw::whole_ms(ts);
        if rng.random::<f64>() < activity(start) {
            return start;
        }
    }
}

/// Share of the busiest hour's work that is done at this time.
fn activity(ts: i64) -> f64 {
    const WEEKEND: f64 = 0.3;
    let hour = ts.rem_euclid(DAY_MS) as f64 / HOUR_MS as f64;
    let weekday = (ts.div_euclid(DAY_MS) + EPOCH_WEEKDAY).rem_euclid(7);
    let day = if weekday < 5 { 1.0 } else { WEEKEND };
    // Busiest at 14:00, quietest at 02:00.
    day * (0.55 - 0.45 * ((hour - 2.0) / 24.0 * std::f64::consts::TAU).cos())
}

/// Mean of [`activity`] over a week.
fn mean_activity() -> f64 {
    const MEAN_OF_A_DAY: f64 = 0.55;
    MEAN_OF_A_DAY * (5.0 + 2.0 * 0.3) / 7.0
}
