//! Whole streams: each event's channels, fusion and families, each close's bookkeeping.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use gaitkeeper::baseline::agent::AgentBaseline;
use gaitkeeper::baseline::agent::Stratum;
use gaitkeeper::baseline::group::GroupBaseline;
use gaitkeeper::baseline::pins::{Fact, Owner};
use gaitkeeper::baseline::tools::START;
use gaitkeeper::baseline::{AgentIndex, Attribute, GroupIndex};
use gaitkeeper::config::Detect;
use gaitkeeper::detect::channel::Channel;
use gaitkeeper::detect::family::Family;
use gaitkeeper::detect::{Closed, Detector, EventReading, OpenSession, observe::observe};
use gaitkeeper::event::Event;
use gaitkeeper::event::native::{Origin, decode};
use serde_json::Value;

const KEY: u64 = 7;
const TOLERANCE: f64 = 1e-9;

pub fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no ../shared/vectors here");
    None
}

fn lines(name: &str) -> Option<Vec<String>> {
    let file = File::open(folder()?.join(name)).expect("a vector file");
    Some(BufReader::new(GzDecoder::new(file)).lines().map(|line| line.expect("a line")).collect())
}

/// One serial run over a stream, compared line by line.
struct Run {
    detector: Detector,
    agents: Vec<String>,
    groups: Vec<String>,
    session: Option<(String, OpenSession)>,
    expected: std::vec::IntoIter<Value>,
    closed: u64,
    compared: usize,
    long: bool,
}

#[test]
fn the_short_stream_is_reproduced_in_every_quantity() {
    check("stream.jsonl.gz", "expected.jsonl.gz", false);
}

#[test]
fn the_long_stream_is_reproduced_in_its_scores() {
    check("long_stream.jsonl.gz", "long_expected.jsonl.gz", true);
}

fn check(stream: &str, expected: &str, long: bool) {
    let (Some(stream), Some(expected)) = (lines(stream), lines(expected)) else { return };
    let expected: Vec<Value> = expected.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let total = expected.len();
    let detect = Detect { seal_after_sessions: None, ..Detect::default() };
    let mut run = Run {
        detector: Detector::new(detect, KEY),
        agents: Vec::new(),
        groups: Vec::new(),
        session: None,
        expected: expected.into_iter(),
        closed: 0,
        compared: 0,
        long,
    };
    for line in &stream {
        let decoded = decode(line.as_bytes(), Origin { partition: 0, offset: 0 }).expect("a valid event");
        run.event(&decoded.event);
    }
    run.close();
    assert_eq!(run.compared, total, "lines compared");
}

impl Run {
    fn next(&mut self) -> Value {
        self.compared += 1;
        self.expected.next().expect("an expected line")
    }

    fn event(&mut self, event: &Event<'_>) {
        let id = event.session_id.as_deref().expect("a session").to_owned();
        if self.session.as_ref().is_some_and(|(open, _)| *open != id) {
            self.close();
        }
        if self.session.is_none() {
            let agent = self.agent(&event.agent_id);
            let group = event.task_type.as_deref().map(|task| self.group(task));
            self.session = Some((id, self.detector.open(agent, group)));
        }
        let observation = observe(event, None, &mut self.detector.model.tools, KEY);
        let (_, session) = self.session.as_mut().expect("open");
        let reading = self.detector.score(session, &observation, event.bytes_out);
        let expected = self.next();
        assert_eq!(expected["event_id"], *event.event_id);
        self.compare(&expected, &reading, &event.event_id);
    }

    fn close(&mut self) {
        let Some((id, mut session)) = self.session.take() else { return };
        let (agent, stratum, events) = (session.agent, session.stratum, session.events());
        let (reading, end) = self.detector.score_end(&mut session);
        let expected = self.next();
        assert_eq!(expected["close"], *id);
        assert_eq!(expected["events"], events, "{id}");
        assert_eq!(expected["stratum"], stratum_number(stratum), "{id}");
        let weights = session.weights;
        self.session = Some((id.clone(), session));
        self.compare(&expected, &reading, &id);
        let (_, session) = self.session.take().expect("just put there");
        let closed = self.detector.close(session, end, self.closed);
        self.closed += 1;
        self.compare_bookkeeping(&expected, &closed, agent, &id);
        if let Some(expected) = expected.get("weights").and_then(Value::as_array) {
            for (actual, expected) in weights.iter().zip(expected) {
                near(*actual, expected, 1.0, &format!("{id} weights"));
            }
        }
        if self.closed == if self.long { 600 } else { 150 } {
            self.detector.learning.seal();
            assert_eq!(self.next()["seal"], true);
        }
    }

    fn compare(&self, expected: &Value, reading: &EventReading, place: &str) {
        if let Some(channels) = expected.get("ch").and_then(Value::as_object) {
            for channel in Channel::ALL {
                let name = vector_name(channel);
                match (reading.channels.get(channel), channels.get(name)) {
                    (None, None) => {}
                    (Some(actual), Some(expected)) => {
                        near(actual.raw, &expected[0], actual.raw.abs().max(1.0), &format!("{place} {name} raw"));
                        near(actual.p, &expected[1], actual.p, &format!("{place} {name} p"));
                        near(actual.e, &expected[2], actual.e, &format!("{place} {name} e"));
                    }
                    (actual, expected) => panic!("{place} {name}: {actual:?} against {expected:?}"),
                }
            }
            near(reading.joint_p, &expected["p_J"], reading.joint_p, &format!("{place} p_J"));
            near(reading.mean, &expected["M"], reading.mean, &format!("{place} M"));
            near(reading.evidence, &expected["E"], reading.evidence, &format!("{place} E"));
        }
        let joint = expected.get("J").unwrap_or(&expected["J_end"]);
        near(reading.joint, joint, reading.joint.abs().max(1.0), &format!("{place} J"));
        if let Some(families) = expected.get("fam").and_then(Value::as_object) {
            let (_, session) = self.session.as_ref().expect("open");
            let actual: Vec<(Family, f64)> = session.families.maxima().collect();
            assert_eq!(actual.len(), families.len(), "{place} families {actual:?} against {families:?}");
            for (family, maximum) in actual {
                let expected = &families[family.letter()];
                let expected = if self.long { expected } else { &expected[0] };
                near(maximum, expected, maximum.abs().max(1.0), &format!("{place} family {}", family.letter()));
            }
        }
        near(reading.session_p, &expected["p"], reading.session_p, &format!("{place} p"));
    }

    fn compare_bookkeeping(&self, expected: &Value, closed: &Closed, agent: AgentIndex, id: &str) {
        let Detector { model, learning, .. } = &self.detector;
        let actual = [
            ("committed", Value::from(closed.committed)),
            ("calibrated", Value::from(closed.calibrated)),
            ("pin_hit", Value::from(closed.pin_hit)),
            ("pins", Value::from(learning.pins.len())),
            ("candidates", Value::from(model.agents.iter().map(|agent| agent.candidates.len()).sum::<usize>())),
            ("agent_sessions", Value::from(model.agent(agent).sessions)),
            ("known_tools", Value::from(model.tools.known())),
        ];
        for (name, actual) in actual {
            if let Some(expected) = expected.get(name) {
                assert_eq!(*expected, actual, "{id} {name}, closed {closed:?}");
            }
        }
        if let Some(tokens) = expected.get("tokens") {
            near(learning.tokens(), tokens, 1.0, &format!("{id} tokens"));
        }
        if let Some(pins) = expected.get("new_pins").and_then(Value::as_array) {
            assert_eq!(pins.len(), closed.new_pins.len(), "{id}: {:?} against {pins:?}", closed.new_pins);
            for (owner, fact) in &closed.new_pins {
                assert!(pins.iter().any(|pin| self.is_pin(pin, *owner, *fact)), "{id}: {fact:?} is not among {pins:?}");
            }
        }
    }

    fn is_pin(&self, pin: &Value, owner: Owner, fact: Fact) -> bool {
        let tools = &self.detector.model.tools;
        let owner = match owner {
            Owner::Group(group) => &self.groups[group.0 as usize],
            Owner::Agent(agent) => &self.agents[agent.0 as usize],
        };
        if pin[1] != **owner {
            return false;
        }
        match fact {
            Fact::Transition(last, tool) => {
                let last = if last == START { "START" } else { tools.name(last) };
                pin[0] == "transition" && pin[2] == *last && pin[3] == *tools.name(tool)
            }
            Fact::Tool(tool) => pin[0] == "tool" && pin[2] == *tools.name(tool),
            Fact::Value(attribute, value) => {
                let hash = |text: &str| gaitkeeper::stats::hash::value(text.as_bytes(), KEY);
                pin[0] == "value" && pin[2] == *vector_name(Channel::from(attribute)) && pin[3].as_str().map(hash) == Some(value)
            }
        }
    }

    fn agent(&mut self, id: &str) -> AgentIndex {
        let at = self.agents.iter().position(|known| known == id).unwrap_or_else(|| {
            self.agents.push(id.to_owned());
            self.detector.model.agents.push(AgentBaseline::default());
            self.agents.len() - 1
        });
        AgentIndex(u32::try_from(at).expect("few agents"))
    }

    fn group(&mut self, name: &str) -> GroupIndex {
        let at = self.groups.iter().position(|known| known == name).unwrap_or_else(|| {
            self.groups.push(name.to_owned());
            self.detector.model.groups.push(GroupBaseline::default());
            self.groups.len() - 1
        });
        GroupIndex(u32::try_from(at).expect("few groups"))
    }
}

#[track_caller]
fn near(actual: f64, expected: &Value, scale: f64, place: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{place}: no number in {expected}"));
    assert!((actual - expected).abs() <= TOLERANCE * scale, "{place}: {actual} is not {expected}");
}

fn vector_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Sequence => "seq",
        Channel::Status => "stat",
        Channel::Target => "target",
        Channel::TargetClass => "tclass",
        Channel::BytesOut => "bytes_out",
        Channel::BytesIn => "bytes_in",
        Channel::Duration => "dur",
        Channel::Gap => "gap",
        _ => channel.attribute().map_or("?", Attribute::field),
    }
}

fn stratum_number(stratum: Stratum) -> Value {
    match stratum {
        Stratum::New => 0.into(),
        Stratum::Young => 1.into(),
        Stratum::Settled => 2.into(),
        Stratum::Mature => 3.into(),
        Stratum::NewVersion => "v".into(),
    }
}
