//! Groups and population shared between shards: what a new agent borrows, and that a restart repeats what was adopted.

use std::collections::BTreeMap;
use std::sync::Arc;

use gaitkeeper::baseline::Attribute;
use gaitkeeper::baseline::sequence::order_1;
use gaitkeeper::config::{ColdStart, EngineConfig};
use gaitkeeper::engine::part::{Part, PartName};
use gaitkeeper::engine::pools::Peers;
use gaitkeeper::engine::{Engine, Shard};
use gaitkeeper::workbench::generate::{Generated, Generator, Settings};
use proptest::prelude::*;

use crate::shard::TestShard;

fn config(share: bool) -> EngineConfig {
    let mut config = EngineConfig::default();
    config.detect.sessions.idle_ms = 600_000;
    config.alarm.cold_start = ColdStart::Pool;
    // What the gate lets in depends on what the group is known for, which is the very thing that differs.
    config.detect.seal_after_sessions = None;
    config.pools.share = share;
    config
}

/// A shard with what a store holds of it.
struct Stored {
    name: &'static str,
    shard: TestShard,
    parts: BTreeMap<PartName, Part>,
    fed: usize,
}

impl Stored {
    fn new(name: &'static str) -> Self {
        Self { name, shard: TestShard::with(config(true)), parts: BTreeMap::new(), fed: 0 }
    }

    /// A snapshot with what the others have told by now; tells them what is its own.
    fn take_epoch(&mut self, peers: &mut Peers) {
        let mut gathering = peers.gathering(self.name);
        while gathering.go_on(peers) {}
        self.shard.engine.offer_pools(gathering, peers);
        self.shard.engine.begin_epoch();
        while let Some(part) = self.shard.engine.next_part() {
            if part.name.is_told() {
                peers.take(self.name, 0, &part).expect("its own part");
            }
            self.parts.insert(part.name, part);
        }
    }

    /// Adopts all that the snapshot offers; true if that is anything.
    fn adopt(&mut self) -> bool {
        let is_offered = self.shard.engine.is_offered_pools();
        while self.shard.engine.adopt_pool() {}
        is_offered
    }

    fn feed(&mut self, event: &Generated) {
        self.shard.feed_line(&event.line);
        self.fed += 1;
    }

    fn restored(&self, share: bool) -> Engine {
        let only = Shard { partition: 0, partitions: 1 };
        Engine::restore(&Arc::new(config(share)), only, self.parts.values().cloned()).expect("its own parts")
    }
}

/// Ordinary work of a fleet.
fn events(seed: u64, count: usize) -> Vec<Generated> {
    Generator::new(Settings { seed, attack_rate: 0.0, ..Settings::default() }).take(count).collect()
}

fn is_first(event: &Generated) -> bool {
    event.agent_id.bytes().map(usize::from).sum::<usize>().is_multiple_of(2)
}

/// How often each tool followed each in the groups, by name, and in the population.
fn transitions(engine: &Engine) -> BTreeMap<(String, String, String), u32> {
    let model = &engine.detector().model;
    let mut counts = BTreeMap::new();
    let groups = model.groups.iter().map(|group| (&*group.name, &group.counts));
    for (level, shared) in groups.chain([("(population)", &model.population.counts)]) {
        for last in 0..1_000 {
            let Some(node) = shared.sequence.get(order_1(last)) else { continue };
            for (tool, count) in node.iter() {
                let names = (level.to_owned(), model.tools.name(last).to_owned(), model.tools.name(tool).to_owned());
                counts.insert(names, count.into());
            }
        }
    }
    counts
}

/// The fleet's work, divided by agent.
fn two_shards(events: impl IntoIterator<Item = Generated>) -> (Stored, Stored) {
    let (mut one, mut two) = (Stored::new("one"), Stored::new("two"));
    for event in events {
        if is_first(&event) { one.feed(&event) } else { two.feed(&event) }
    }
    (one, two)
}

#[test]
fn what_two_shards_have_adopted_is_what_both_know_together() {
    let (mut one, mut two) = two_shards(events(3, 6_000));
    let mut peers = Peers::default();
    let mut together = transitions(&one.shard.engine);
    for (transition, count) in transitions(&two.shard.engine) {
        *together.entry(transition).or_default() += count;
    }
    for shard in [&mut one, &mut two] {
        shard.take_epoch(&mut peers);
    }
    for shard in [&mut one, &mut two] {
        let alone = transitions(&shard.shard.engine);
        assert!(alone.len() > 100 && alone != together);
        shard.take_epoch(&mut peers);
        assert!(transitions(&shard.shard.engine) == alone, "an offer alone changes nothing");
        assert!(shard.adopt());
        assert!(transitions(&shard.shard.engine) == together);
        assert!(!shard.adopt(), "once");
    }
    let (one, two) = (&one.shard.engine.detector().model, &two.shard.engine.detector().model);
    assert_eq!(one.tools.known(), two.tools.known());
    let most_used = one.population.counts.any[Attribute::Target as usize].most_frequent(1)[0].0;
    assert!(one.texts.get(most_used).is_some() && one.texts.get(most_used) == two.texts.get(most_used), "explanations can name it");
}

#[test]
fn a_new_agent_is_judged_by_those_who_do_its_work_on_another_shard() {
    let all = events(3, 6_000);
    let newcomer = &all[5_000].agent_id;
    let (mut elsewhere, mut here, mut alone) = (Stored::new("elsewhere"), Stored::new("here"), TestShard::with(config(false)));
    for event in all.iter().filter(|event| event.agent_id != *newcomer) {
        elsewhere.feed(event);
    }
    let mut peers = Peers::default();
    elsewhere.take_epoch(&mut peers);
    here.take_epoch(&mut peers);
    assert!(here.adopt());
    let ordinary: Vec<&Generated> = all.iter().filter(|event| event.agent_id == *newcomer).take(8).collect();
    let mut odd = [Generated::clone(ordinary[7]), Generated::clone(ordinary[7])];
    for (number, event) in (0..).zip(&mut odd) {
        let mut fields: serde_json::Value = serde_json::from_str(&event.line).expect("JSON");
        fields["event_id"] = format!("odd-{number}").into();
        fields["tool"] = "wipe_backups".into();
        event.line = fields.to_string();
    }
    for event in ordinary.into_iter().chain(&odd) {
        here.feed(event);
        alone.feed_line(&event.line);
    }
    let last = |shard: &TestShard| {
        let scores = shard.lines.iter().filter_map(|line| line.strip_prefix("score ")?.split(' ').next());
        let scores: Vec<f64> = scores.map(|bits| f64::from_bits(u64::from_str_radix(bits, 16).expect("hex"))).collect();
        scores[8]
    };
    let (borrowed, unknown) = (last(&here.shard), last(&alone));
    assert!(borrowed > 1.0 && unknown < 0.1, "{borrowed} and {unknown}");
}

#[test]
fn what_came_from_others_is_not_told_to_them_again() {
    let (mut one, mut two) = two_shards(events(5, 3_000));
    let mut peers = Peers::default();
    let mut adopted = Vec::new();
    for _ in 0..4 {
        for shard in [&mut one, &mut two] {
            shard.take_epoch(&mut peers);
            shard.adopt();
        }
        adopted.push((transitions(&one.shard.engine), transitions(&two.shard.engine)));
    }
    assert!(adopted[2] == adopted[3] && adopted[3].0 == adopted[3].1);
}

#[test]
fn a_shard_that_shares_with_nobody_says_what_one_says_that_does_not_share() {
    let (mut sharing, mut apart) = (Stored::new("one"), TestShard::with(config(false)));
    let settings = Settings { seed: 9, quiet_until: 0, attack_rate: 0.2, ..Settings::default() };
    let mut peers = Peers::default();
    for (number, event) in Generator::new(settings).take(12_000).enumerate() {
        sharing.feed(&event);
        apart.feed_line(&event.line);
        if number % 1_500 == 0 {
            sharing.take_epoch(&mut peers);
            assert!(!sharing.adopt(), "nobody else has told anything");
        }
    }
    assert_eq!(sharing.shard.lines, apart.lines);
    assert!(!apart.findings.is_empty());
    let told = |shard: &TestShard| shard.findings.iter().map(|finding| finding.finding_id.clone()).collect::<Vec<_>>();
    assert_eq!(told(&sharing.shard), told(&apart));
}

#[test]
fn findings_name_what_was_adopted() {
    let (mut one, mut two) = (Stored::new("one"), Stored::new("two"));
    let settings = Settings { seed: 9, quiet_until: 0, attack_rate: 0.2, ..Settings::default() };
    let mut peers = Peers::default();
    for (number, event) in Generator::new(settings).take(30_000).enumerate() {
        if is_first(&event) {
            one.feed(&event);
        } else {
            two.feed(&event);
        }
        if number == 15_000 {
            one.take_epoch(&mut peers);
            two.take_epoch(&mut peers);
            two.adopt();
        }
    }
    let versions = |shard: &Stored| {
        let shown = shard.shard.findings.iter().filter_map(|finding| finding.baseline.as_ref());
        shown.map(|shown| shown.pool_version.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(versions(&one), [None].into(), "it has adopted nothing");
    let two = versions(&two);
    assert_eq!(two.len(), 2, "before and after");
    assert_eq!(two.last().and_then(Option::as_ref).map(String::len), Some(16));
}

#[test]
fn sharing_may_begin_and_end_with_what_is_known() {
    let mut one = Stored::new("one");
    one.shard = TestShard::with(config(false));
    for event in events(5, 3_000) {
        one.feed(&event);
    }
    let mut peers = Peers::default();
    one.take_epoch(&mut peers);
    let known = transitions(&one.shard.engine);
    one.shard.engine = one.restored(true);
    one.take_epoch(&mut peers);
    let mut two = Stored::new("two");
    two.take_epoch(&mut peers);
    assert!(two.adopt());
    assert!(transitions(&two.shard.engine) == known, "all that was learned before is told");
    two.take_epoch(&mut peers);
    assert!(!two.restored(false).shares_pools());
    assert!(transitions(&two.restored(false)) == known, "what was borrowed stays known");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_restart_repeats_what_was_adopted(seed in 0u64..1000, adopt_after in 0usize..400, crash_after in 0usize..900) {
        let all = events(seed, 4_000);
        let (mut one, mut two) = two_shards(all[..2_000].iter().cloned());
        let mut peers = Peers::default();
        one.take_epoch(&mut peers);
        two.take_epoch(&mut peers);
        let mine: Vec<&Generated> = all[2_000..].iter().filter(|event| !is_first(event)).take(crash_after).collect();
        // The others go on telling: what they say later is not what was adopted.
        for event in &all[2_000..] {
            if is_first(event) {
                one.feed(event);
            }
        }
        for (number, event) in mine.iter().enumerate() {
            if number == adopt_after {
                one.take_epoch(&mut peers);
            }
            // One pool between two events: a crash may come with some of them adopted.
            if number >= adopt_after {
                let is_adopted = two.shard.engine.adopt_pool();
                prop_assert!(is_adopted || number > adopt_after);
            }
            two.feed(event);
        }
        let mut again = TestShard::with(config(true));
        again.engine = two.restored(true);
        for (number, event) in mine.iter().enumerate() {
            if number >= adopt_after {
                again.engine.adopt_pool();
            }
            again.feed_line(&event.line);
        }
        prop_assert_eq!(again.engine.digest(), two.shard.engine.digest());
    }
}
