//! Events, answers, acknowledgements, states, ticks and restarts in any order: whatever the order, what the engine says and keeps is
//! what a second account of the rules says, and what must never happen does not.

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::{Origin, decode};
use gaitkeeper::finding::Activity;
use gaitkeeper::finding::audit_record::{AuditRecord, What, check as check_record};
use gaitkeeper::govern::control::{Confirmation, EnforcementState};
use gaitkeeper::govern::record::parse;
use gaitkeeper::govern::{ControlRecord, ControlTopic};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use model::{Deed, Model, Said, Verdict};

const SHARD: Shard = Shard { partition: 0, partitions: 1 };
const START_MS: i64 = 1_767_225_600_000;
const REFUNDS: &str = "agent: a
limits: [{action: refund, field: amount, currency: EUR, automatic_up_to: 50, above: human_approval}]";
/// Kinds that follow from the rules here; behaviour has too little evidence to speak.
const KINDS: [&str; 6] = [
    "intent_limit",
    "approval_missing",
    "approval_mismatch",
    "approval_replayed",
    "approval_refused_but_executed",
    "acted_after_suspension",
];

/// One thing that happens, some time after the one before.
#[derive(Debug, Clone)]
enum Happening {
    Hold(Deed),
    /// It runs; under the approval of a request asked before, or of one that nobody asked.
    Run(Deed, Option<Name>),
    /// An event again that came before.
    RepeatEvent(Index),
    Answer(Name, Answering),
    /// An answer again that came before.
    RepeatAnswer(Index),
    Set(EnforcementState, &'static str),
    Acknowledge(&'static str, Whose),
    Tick,
    Restart,
}

#[derive(Debug, Clone)]
enum Name {
    Asked(Index),
    Newest,
    Unknown,
}

#[derive(Debug, Clone)]
struct Answering {
    outcome: &'static str,
    by: &'static str,
    names_parameters: bool,
    /// It says that it was decided when the request had ended.
    says_late: bool,
    valid_for: Option<i64>,
    max_uses: u32,
}

/// Which state an acknowledgement names.
#[derive(Debug, Clone, Copy)]
enum Whose {
    InForce,
    Before,
    Unnamed,
}

fn deed() -> impl Strategy<Value = Deed> {
    (0u8..4, prop_oneof![1 => Just(40), 4 => Just(80), 1 => Just(90)]).prop_map(|(order, amount)| Deed { order, amount })
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![9 => any::<Index>().prop_map(Name::Asked), 1 => Just(Name::Unknown)]
}

fn answering() -> impl Strategy<Value = Answering> {
    let outcome = prop_oneof![5 => Just("approved"), 2 => Just("denied"), 1 => Just("error")];
    let by = prop_oneof![6 => Just("eve"), 1 => Just("customer"), 1 => Just("a")];
    let valid_for = prop_oneof![3 => Just(None), 1 => Just(Some(40_000)), 1 => Just(Some(2_000_000))];
    (outcome, by, prop::bool::weighted(0.9), prop::bool::weighted(0.1), valid_for, 1u32..3).prop_map(
        |(outcome, by, names_parameters, says_late, valid_for, max_uses)| Answering {
            outcome,
            by,
            names_parameters,
            says_late,
            valid_for,
            max_uses,
        },
    )
}

fn happening() -> impl Strategy<Value = Happening> {
    let state = prop_oneof![Just(EnforcementState::Suspended), Just(EnforcementState::Active), Just(EnforcementState::StepUpRequired)];
    let effect = prop_oneof![Just("suspended"), Just("restored"), Just("held"), Just("failed"), Just("released")];
    let whose = prop_oneof![3 => Just(Whose::InForce), 1 => Just(Whose::Before), 1 => Just(Whose::Unnamed)];
    prop_oneof![
        5 => deed().prop_map(Happening::Hold),
        6 => (deed(), proptest::option::of(name())).prop_map(|(deed, name)| Happening::Run(deed, name)),
        1 => any::<Index>().prop_map(Happening::RepeatEvent),
        6 => (name(), answering()).prop_map(|(name, answering)| Happening::Answer(name, answering)),
        1 => any::<Index>().prop_map(Happening::RepeatAnswer),
        1 => (state, prop_oneof![2 => Just("eve"), 1 => Just("gaitkeeper")]).prop_map(|(state, by)| Happening::Set(state, by)),
        2 => (effect, whose).prop_map(|(effect, whose)| Happening::Acknowledge(effect, whose)),
        2 => Just(Happening::Tick),
        1 => Just(Happening::Restart),
    ]
}

/// Mostly seconds pass; now and then so much that approvals lapse and questions expire.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 1i64..10_000, 2 => 10_000i64..70_000, 1 => 800_000i64..1_000_000]
}

/// The engine, the model beside it, and what both have lived through.
struct Play {
    engine: Engine,
    config: Arc<EngineConfig>,
    tables: Tables,
    model: Model,
    now: i64,
    events: Vec<String>,
    answers: Vec<(String, Said, String)>,
    states: Vec<String>,
    said: Vec<Output>,
    trail: Vec<AuditRecord>,
    /// The newest state of each request, as the engine tells it.
    seen: BTreeMap<String, &'static str>,
    covered_events: BTreeSet<String>,
    covers: BTreeMap<String, u32>,
}

impl Play {
    fn new() -> Self {
        let config = Arc::new(EngineConfig::default());
        let mut play = Self {
            engine: Engine::new(Arc::clone(&config), SHARD),
            config,
            tables: Tables::default(),
            model: Model::default(),
            now: START_MS,
            events: Vec::new(),
            answers: Vec::new(),
            states: Vec::new(),
            said: Vec::new(),
            trail: Vec::new(),
            seen: BTreeMap::new(),
            covered_events: BTreeSet::new(),
            covers: BTreeMap::new(),
        };
        for placed in parse(REFUNDS).expect("a good record") {
            play.tables.apply(&ControlRecord::declared(placed.record));
        }
        // What is known of an agent begins with the first question about it.
        play.happen(&Happening::Hold(Deed { order: 0, amount: 80 }));
        play
    }

    fn happen(&mut self, happening: &Happening) {
        self.said.clear();
        match happening {
            Happening::Hold(deed) => {
                let expected = self.model.hold(*deed, self.now);
                self.act(*deed, "denied", None, &expected);
            }
            Happening::Run(deed, name) => {
                let approval = name.as_ref().map(|name| self.id(name));
                let expected = self.model.run(*deed, approval.as_deref(), self.now);
                self.act(*deed, "ok", approval.as_deref(), &expected);
            }
            Happening::RepeatEvent(which) => {
                let line = which.get(&self.events).clone();
                self.feed(&line);
                assert!(self.said.iter().all(|output| matches!(output, Output::Score(_))), "an event again says nothing: {:?}", self.said);
            }
            Happening::Answer(name, answering) => self.answer(name, answering),
            Happening::RepeatAnswer(which) => {
                if !self.answers.is_empty() {
                    let (id, said, payload) = which.get(&self.answers).clone();
                    self.give(&id, &said, &payload);
                }
            }
            Happening::Set(state, by) => self.set(*state, by),
            Happening::Acknowledge(effect, whose) => self.acknowledge(effect, *whose),
            Happening::Tick => {
                self.model.pass(self.now);
                self.engine.on_tick(self.now, &self.tables, &mut self.said);
            }
            Happening::Restart => {
                let digest = self.engine.digest();
                self.engine = Engine::restore(&self.config, SHARD, self.engine.parts().collect::<Vec<_>>()).expect("its own parts");
                assert_eq!(self.engine.digest(), digest);
            }
        }
        self.keep();
        self.compare();
    }

    fn id(&self, name: &Name) -> String {
        match name {
            Name::Asked(which) => which.get(&self.model.questions).id.clone(),
            Name::Newest => self.model.questions.last().expect("one was asked").id.clone(),
            Name::Unknown => format!("0-{:032x}", 0),
        }
    }

    /// Feeds an action, and compares what was said of it.
    fn act(&mut self, deed: Deed, status: &str, approval: Option<&str>, expected: &Verdict) {
        let number = self.events.len();
        let Deed { order, amount } = deed;
        let mut event = json!({
            "event_id": format!("e{number}"), "ts": self.now, "agent_id": "a", "session_id": format!("s{number}"), "tool": "refund",
            "target": format!("order/{order}"), "on_behalf_of": "customer", "amount": amount.to_string(), "currency": "EUR",
            "status": status, "params_hash": format!("sha256:{order:032x}{amount:032x}"),
        });
        if let Some(approval) = approval {
            event["approval_id"] = approval.into();
        }
        let line = event.to_string();
        self.events.push(line.clone());
        self.feed(&line);

        let mut told = Verdict::default();
        let mut asked_ids = Vec::new();
        for output in &self.said {
            match output {
                Output::Finding(finding) if finding.activity == Activity::Open => {
                    told.kinds.extend(KINDS.iter().find(|kind| **kind == finding.kind.as_str()));
                }
                Output::StepUp(request) => asked_ids.push(request.request_id.clone()),
                Output::Audit(record) if record.what == What::Decision && record.outcome == "covered" => {
                    told.covered_by.clone_from(&record.request_id);
                }
                Output::Audit(record) if record.what == What::Request => match &*record.outcome {
                    "pending" => told.asked = Some("new"),
                    "merged" => told.asked = Some("merged"),
                    "withheld" => told.asked = Some("withheld"),
                    _ => (),
                },
                _ => (),
            }
        }
        assert_eq!(&told, expected, "{line}");
        if expected.asked == Some("new") {
            assert_eq!(asked_ids.len(), 1);
            self.model.questions.last_mut().expect("just asked").id = asked_ids.remove(0);
        }
        assert!(asked_ids.is_empty());
        if let Some(id) = told.covered_by {
            assert!(self.covered_events.insert(format!("e{number}")), "no execution is covered twice");
            *self.covers.entry(id).or_default() += 1;
        }
    }

    fn feed(&mut self, line: &str) {
        let decoded = decode(line.as_bytes(), Origin { partition: 0, offset: 0 }).expect("a good event");
        self.engine.on_event(&decoded.event, &self.tables, &mut self.said);
    }

    fn control(&mut self, topic: ControlTopic, key: &str, value: &str) {
        let record = ControlRecord::from_payload(topic, self.now, key, Some(value.as_bytes())).expect("a good record");
        self.tables.apply(&record);
        self.engine.on_control(&record, &self.tables, &mut self.said);
    }

    fn answer(&mut self, name: &Name, answering: &Answering) {
        let id = self.id(name);
        let question = self.model.questions.iter().find(|question| question.id == id);
        let decided_at = question.filter(|_| answering.says_late).map_or(self.now, |question| question.expires_at);
        let Deed { order, amount } = question.map_or(Deed { order: 0, amount: 0 }, |question| question.deed);
        let said = Said {
            number: u32::try_from(self.answers.len()).expect("few"),
            outcome: answering.outcome,
            is_independent: answering.by == "eve",
            names_parameters: answering.names_parameters,
            decided_at,
            valid_for: answering.valid_for,
            max_uses: answering.max_uses,
        };
        let hash = if answering.names_parameters { format!("sha256:{order:032x}{amount:032x}") } else { "sha256:other".to_owned() };
        let mut value = json!({
            "request_id": id, "outcome": said.outcome, "decided_by": {"sub": answering.by}, "decided_at": decided_at, "params_hash": hash,
            "max_uses": said.max_uses, "reason": format!("answer {}", said.number),
        });
        if let Some(valid_for) = said.valid_for {
            value["valid_until"] = (decided_at + valid_for).into();
        }
        let payload = value.to_string();
        self.answers.push((id.clone(), said, payload.clone()));
        self.give(&id, &said, &payload);
    }

    fn give(&mut self, id: &str, said: &Said, payload: &str) {
        let expected = self.model.answer(id, said, self.now);
        self.control(ControlTopic::StepUpResponses, id, payload);
        let told = self.said.iter().find_map(|output| match output {
            Output::Audit(record) if record.what == What::Answer => Some(record.outcome.clone()),
            _ => None,
        });
        assert_eq!(told.as_deref(), expected, "{payload}");
    }

    fn set(&mut self, state: EnforcementState, by: &str) {
        let id = format!("state-{}", self.states.len());
        self.states.push(id.clone());
        self.model.set(state.as_str(), id.clone(), by == "eve", self.now);
        let value = json!({"agent_id": "a", "state": state.as_str(), "state_id": id, "set_by": by, "since": self.now});
        self.control(ControlTopic::AgentState, "a", &value.to_string());
    }

    fn acknowledge(&mut self, effect: &str, whose: Whose) {
        let id = match whose {
            Whose::InForce => self.model.standing.as_ref().map(|standing| standing.id.clone()),
            Whose::Before => self.states.first().cloned(),
            Whose::Unnamed => None,
        };
        self.model.acknowledge(effect, id.as_deref());
        let mut value = json!({"agent_id": "a", "enforced_by": "gate", "effect": effect, "enforced_at": self.now});
        if let Some(id) = id {
            value["state_id"] = id.into();
        }
        self.control(ControlTopic::EnforcementAcks, "a", &value.to_string());
    }

    /// Keeps what was said for the trail; what goes to the table of states comes back from there.
    fn keep(&mut self) {
        let mut back = Vec::new();
        for output in self.said.drain(..) {
            match output {
                Output::Audit(record) => self.trail.push(*record),
                Output::State(state) => back.push(serde_json::to_string(&state).expect("JSON")),
                _ => (),
            }
        }
        for value in back {
            self.control(ControlTopic::AgentState, "a", &value);
            assert!(self.said.is_empty(), "its own record again says nothing: {:?}", self.said);
        }
    }

    /// What the engine keeps is what the model keeps; and whatever either may think, some things never happen.
    fn compare(&mut self) {
        let response = self.engine.response();
        for question in &self.model.questions {
            let (_, tracked) = response.find(&question.id).expect("it is remembered");
            assert_eq!(tracked.state().as_str(), question.state, "{}", question.id);
            let before = self.seen.insert(question.id.clone(), tracked.state().as_str());
            let is_final = before.is_some_and(|before| !matches!(before, "pending" | "approved"));
            assert!(!is_final || before == Some(question.state), "{} was {before:?} and is {}", question.id, question.state);
            let covered = self.covers.get(&question.id).copied().unwrap_or(0);
            assert!(covered <= question.max_uses, "{} covers {covered} executions of {}", question.id, question.max_uses);
        }
        let standing = response.desk("a").and_then(|desk| desk.standing.as_ref());
        let told = standing.map(|standing| model::Standing {
            state: standing.record.state.as_str(),
            id: standing.record.state_id.clone().unwrap_or_default(),
            since: standing.since,
            confirmation: standing.record.confirmation.unwrap_or(Confirmation::Unconfirmed).as_str(),
            is_overdue: standing.is_overdue,
        });
        assert_eq!(told, self.model.standing);
        if let Some(standing) = told.filter(|standing| standing.confirmation == "confirmed") {
            assert!(self.model.confirmed_ids.contains(&standing.id), "no state is done before somebody says so");
        }
    }

    /// The trail of it all is one chain.
    fn end(&self) {
        let mut previous = None;
        for record in &self.trail {
            let value: Value = check_record(&record.to_bytes()).expect("as it was sealed");
            assert!(previous.is_none_or(|previous| value["previous"] == previous), "{value}");
            previous = Some(value["hash"].clone());
        }
    }
}

/// Too rare in any order to leave it to chance.
#[test]
fn no_approval_hides_that_an_agent_acts_that_was_stopped_since() {
    let mut play = Play::new();
    let deed = Deed { order: 1, amount: 40 };
    let approval = Answering { outcome: "approved", by: "eve", names_parameters: true, says_late: false, valid_for: None, max_uses: 1 };
    for happening in [
        Happening::Set(EnforcementState::StepUpRequired, "eve"),
        Happening::Hold(deed),
        Happening::Answer(Name::Newest, approval),
        Happening::Set(EnforcementState::Suspended, "eve"),
        Happening::Run(deed, Some(Name::Newest)),
    ] {
        play.now += 1_000;
        play.happen(&happening);
    }
    assert_eq!(play.covered_events.len(), 1, "the approval was used");
    play.end();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_the_rules_hold(happenings in prop::collection::vec((pause(), happening()), 1..60)) {
        let mut play = Play::new();
        for (pause, happening) in &happenings {
            play.now += pause;
            play.happen(happening);
        }
        play.end();
    }
}
