//! Questions, answers and what ran, over the topics of a real broker, with the binary as an operator has it: a refund above its limit
//! is held, approved, executed and consumed; whatever goes wrong on the way ends as STANDARDS.md, section 8, says.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::admin::{address_in, get};
use crate::broker::Broker;
use crate::commands::{run, write};
use crate::process::{Process, config_file_with};
use crate::stand::{Stand, wait_until};

pub const AGENT: &str = "refund-agent";
pub const PRINCIPAL: &str = "customer 4821";
const INVENTORY: &str = "agent: refund-agent
owner: payments
audit_log: required
limits: [{action: issue_refund, field: amount, currency: EUR, automatic_up_to: 50, above: human_approval}]
";

pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before year 292,000,000")
}

/// A service, and what people and enforcement points do around it.
pub struct Office {
    pub stand: Stand,
    pub folder: TempDir,
    pub config: String,
    service: Option<Process>,
    starts: usize,
}

impl Office {
    /// `settings` are further lines of the configuration.
    pub fn open(broker: &Broker, test: &str, settings: &str) -> Self {
        let mut stand = Stand::new(broker, test, 2);
        stand.config.admin_listen = "127.0.0.1:0".into();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config_file_with(&stand, folder.path(), settings);
        let mut office = Self { stand, folder, config, service: None, starts: 0 };
        let inventory = write(office.folder.path(), "inventory.yaml", INVENTORY);
        office.tell(&["inventory", "apply", &inventory], 0, "published to");
        office.start();
        office
    }

    fn start(&mut self) {
        self.starts += 1;
        let name = format!("service-{}", self.starts);
        self.service = Some(Process::start(self.folder.path(), &name, &["run", "--config", &self.config]));
    }

    /// Kills the service in the middle of whatever it does, and starts it again.
    fn restart(&mut self) {
        self.service = None;
        self.start();
    }

    /// Ends the service as a supervisor does.
    pub fn close(&mut self) {
        let mut service = self.service.take().expect("started");
        service.signal("TERM");
        assert!(service.wait().success(), "{}", service.said());
    }

    /// What the service counts.
    fn metrics(&self) -> String {
        let service = self.service.as_ref().expect("started");
        get(&address_in(&service.said()), "/metrics")
    }

    /// Runs a command; it must end with `exit` and say `expected`.
    #[track_caller]
    pub fn tell(&self, arguments: &[&str], exit: i32, expected: &str) -> String {
        let (said, code) = run(&self.config, arguments);
        assert!(code == exit && said.contains(expected), "{arguments:?} ended with {code}: {said}");
        said
    }

    /// Publishes what the agent wants to do, or did.
    pub fn act(&self, event_id: &str, order: u32, amount: &str, status: &str, approval: Option<&str>) {
        let mut event = refund(event_id, order, amount);
        event["status"] = status.into();
        if let Some(approval) = approval {
            event["approval_id"] = approval.into();
        }
        self.stand.produce([(AGENT, event.to_string().as_bytes())]);
    }

    /// The records of a topic that are there now.
    pub fn all(&self, topic: &str) -> Vec<Value> {
        let records = self.stand.committed(topic).into_values().flatten();
        records.map(|record| serde_json::from_slice(&record.value).expect("JSON")).collect()
    }

    /// Waits for the first record of a topic that has all of `members`.
    #[track_caller]
    pub fn wait_for(&self, topic: &str, members: &Value) -> Value {
        let members = members.as_object().expect("an object");
        let found = || self.all(topic).into_iter().find(|record| members.iter().all(|(name, value)| record.get(name) == Some(value)));
        wait_until(&format!("{topic} has {members:?}"), || found().is_some());
        found().expect("just seen")
    }

    pub fn audited(&self, members: &Value) -> Value {
        self.wait_for(&self.stand.names.audit, members)
    }

    /// Holds a refund of 80 EUR; returns the id of the request that asks about it.
    pub fn hold(&self, order: u32) -> String {
        let event_id = format!("held-{order}");
        self.act(&event_id, order, "80", "denied", None);
        let request = self.wait_for(&self.stand.names.step_up_requests, &json!({"event_id": event_id}));
        request["request_id"].as_str().expect("an id").to_owned()
    }

    /// Holds a refund of 80 EUR and has it approved.
    fn hold_approved(&self, order: u32) -> String {
        let id = self.hold(order);
        self.tell(&["stepup", "answer", &id, "approved", "--by", "eve"], 0, "approved by eve");
        self.audited(&json!({"what": "request", "request_id": id, "outcome": "approved", "by": "eve"}));
        id
    }

    /// Waits for a finding of that kind in the session of an order; the rule that it names must be `rule`.
    #[track_caller]
    fn found(&self, kind: &str, order: u32, rule: &str) -> Value {
        let finding = self.wait_for(&self.stand.names.outputs[0], &json!({"kind": kind, "session_id": session(order), "activity": "open"}));
        assert_eq!(finding["policy"]["rule"], rule, "{finding}");
        finding
    }
}

fn session(order: u32) -> String {
    format!("session-{order}")
}

pub fn hash(order: u32) -> String {
    format!("sha256:{order:064x}")
}

/// A refund as the agent wants to make it now.
pub fn refund(event_id: &str, order: u32, amount: &str) -> Value {
    json!({
        "event_id": event_id, "ts": now_ms(), "agent_id": AGENT, "session_id": session(order), "action": "tool_call",
        "tool": "issue_refund", "target": format!("order/{order}"), "on_behalf_of": PRINCIPAL, "credential_id": "key-1",
        "amount": amount, "currency": "EUR", "params_hash": hash(order),
    })
}

#[test]
fn a_refund_above_its_limit_is_held_approved_executed_and_consumed_once() {
    let Some(broker) = Broker::shared() else { return };
    let mut office = Office::open(broker, "refund", "");

    let id = office.hold(1);
    let held = office.audited(&json!({"what": "decision", "event_id": "held-1"}));
    assert_eq!((&held["outcome"], &held["decision"]), (&json!("held"), &json!("step_up")));
    let asked = office.found("intent_limit", 1, "limits[0]");
    assert_eq!(asked["reasons"][0]["actual"], "80 EUR");
    let listed = office.tell(&["stepup", "list"], 0, &id);
    assert!(listed.contains("refund-agent wants to do issue_refund with 80 EUR on order/1 for customer 4821"), "{listed}");

    office.tell(&["stepup", "answer", &id, "approved", "--by", "eve", "--reason", "the goods came back"], 0, "approved by eve");
    office.audited(&json!({"what": "request", "request_id": id, "outcome": "approved", "by": "eve"}));
    assert!(!office.tell(&["stepup", "list"], 0, "").contains(&id), "what is answered waits no longer");
    // An approval outlives the instance that took it.
    office.restart();
    office.act("done-1", 1, "80", "ok", Some(&id));
    let done = office.audited(&json!({"what": "decision", "event_id": "done-1"}));
    assert_eq!((&done["outcome"], &done["decision"], &done["request_id"]), (&json!("covered"), &json!("allow"), &json!(id)));
    office.audited(&json!({"what": "request", "request_id": id, "outcome": "consumed"}));

    office.act("again-1", 1, "80", "ok", Some(&id));
    let replayed = office.found("approval_replayed", 1, "limits[0]");
    assert_eq!((&replayed["severity"], &replayed["decision"]), (&json!("critical"), &json!("step_up")));

    let other = office.hold_approved(2);
    office.act("ninety-2", 2, "90", "ok", Some(&other));
    let mismatch = office.found("approval_mismatch", 2, "limits[0]");
    assert_eq!((&mismatch["reasons"][0]["field"], &mismatch["reasons"][0]["actual"]), (&json!("amount"), &json!("90")));
    // The mismatch spent nothing: what was approved may still run.
    office.act("eighty-2", 2, "80", "ok", Some(&other));
    office.audited(&json!({"what": "request", "request_id": other, "outcome": "consumed"}));

    let own = office.hold(3);
    for by in [PRINCIPAL, AGENT] {
        office.tell(&["stepup", "answer", &own, "approved", "--by", by], 0, "approved by");
        office.audited(&json!({"what": "answer", "request_id": own, "outcome": "not_independent"}));
    }
    office.found("answer_refused", 3, "not_independent");
    let listed = office.tell(&["stepup", "list"], 0, &own);
    for by in [PRINCIPAL, AGENT] {
        assert!(listed.contains(&format!("approved by {by} was refused: not_independent")), "{listed}");
    }
    office.act("done-3", 3, "80", "ok", Some(&own));
    office.found("approval_missing", 3, "limits[0]");
    assert_trail(&office, &asked, &id);
    office.close();
}

/// The commands on the topics that this left: the trail holds and tells the story, a verdict reaches the service, and a trail that
/// was tampered with is refused.
fn assert_trail(office: &Office, asked: &Value, id: &str) {
    let finding_id = asked["finding_id"].as_str().expect("an id");
    office.tell(&["feedback", finding_id, "benign_true_positive", "--by", "eve", "--reason-code", "goodwill"], 0, "by eve");
    let verdict = office.wait_for(&feedback_topic(office), &json!({"finding_id": finding_id}));
    assert_eq!((&verdict["disposition"], &verdict["by"]), (&json!("benign_true_positive"), &json!("eve")));

    let verified = office.tell(&["audit", "verify", "--topic"], 0, ": fine up to sequence ");
    let audit = &office.stand.names.audit;
    let records = office.all(audit);
    let newest = records.iter().map(|record| record["sequence"].as_u64().expect("a number")).max().expect("records");
    assert!(verified.contains(&format!("fine up to sequence {newest}")), "{verified}");
    let told = office.tell(&["audit", "show", "--topic", "--agent", AGENT], 0, "");
    let mut expected = String::new();
    for (before, after) in [
        ("wanted to do this and was held: issued a refund of 80 EUR on order/1", "limits[0]"),
        ("eve answered approved to", "accepted"),
        ("agent refund-agent, for customer 4821, issued a refund of 80 EUR on order/1", "allowed under"),
        ("customer 4821 answered approved to", "refused as not_independent"),
    ] {
        let is_told = told.lines().any(|line| line.find(before).is_some_and(|place| line[place..].contains(after)));
        if !is_told {
            writeln!(expected, "{before} … {after}").expect("a String takes everything");
        }
    }
    assert!(expected.is_empty(), "not told: {expected}in: {told}");
    assert!(told.contains(id), "{told}");
    let later = (now_ms() + 3_600_000).to_string();
    assert!(office.tell(&["audit", "show", "--topic", "--from", &later], 0, "").is_empty(), "nothing happened yet");

    let copy = records[0].to_string();
    office.stand.produce_to(audit, [(AGENT, copy.as_bytes())]);
    office.tell(&["audit", "verify", "--topic"], 1, "record ");
}

fn feedback_topic(office: &Office) -> String {
    format!("{}agent-feedback", office.stand.config.kafka.topic_prefix)
}

#[test]
fn no_answer_in_time_is_a_no_and_stays_one() {
    let Some(broker) = Broker::shared() else { return };
    let mut office = Office::open(broker, "unanswered", "[step_up]\nexpires_after = \"3s\"\n");
    let id = office.hold(1);
    // Nothing more comes over the topics: the clock alone ends it.
    office.audited(&json!({"what": "request", "request_id": id, "outcome": "expired"}));
    assert!(!office.tell(&["stepup", "list"], 0, "").contains(&id), "what expired waits no longer");
    office.tell(&["stepup", "answer", &id, "approved", "--by", "eve"], 2, "which is a no");
    // Somebody answers all the same, and claims to have done it in time.
    let answer = json!({
        "request_id": id, "outcome": "approved", "decided_by": {"sub": "eve"}, "decided_at": now_ms() - 10_000, "params_hash": hash(1),
    });
    office.stand.produce_to(
        &format!("{}agent-stepup-responses", office.stand.config.kafka.topic_prefix),
        [(id.as_str(), answer.to_string().as_bytes())],
    );
    office.found("answer_refused", 1, "late");
    office.act("done-1", 1, "80", "ok", Some(&id));
    let executed = office.found("approval_refused_but_executed", 1, "limits[0]");
    assert_eq!(executed["severity"], "critical");
    let states: Vec<Value> = office.all(&office.stand.names.audit).into_iter().filter(|record| record["what"] == "request").collect();
    let of_it = states.iter().filter(|record| record["request_id"] == id.as_str() && record["outcome"] != "merged");
    let outcomes: Vec<&str> = of_it.map(|record| record["outcome"].as_str().expect("a word")).collect();
    assert_eq!(outcomes, ["pending", "expired"]);
    office.close();
}

#[test]
fn a_suspension_is_unconfirmed_until_an_enforcement_point_says_so() {
    let Some(broker) = Broker::shared() else { return };
    let mut office = Office::open(broker, "suspended", "");
    office.act("before", 1, "10", "ok", None);
    office.audited(&json!({"what": "decision", "event_id": "before", "outcome": "allowed"}));
    let said = office.tell(&["agent", "suspend", AGENT, "--by", "eve", "--reason", "odd"], 0, "unconfirmed; state ");
    let state_id = said.trim().rsplit(' ').next().expect("an id").to_owned();
    office.audited(&json!({"what": "state", "state_id": state_id, "outcome": "suspended"}));

    office.act("after", 2, "10", "ok", None);
    let acted = office.found("acted_after_suspension", 2, "agent-state");
    assert_eq!(acted["severity"], "critical");
    office.tell(&["agent", "state", AGENT], 0, "unconfirmed: odd");

    let prefix = &office.stand.config.kafka.topic_prefix;
    let ack = json!({"agent_id": AGENT, "state_id": state_id, "enforced_by": "gate-1", "effect": "suspended", "enforced_at": now_ms()});
    office.stand.produce_to(&format!("{prefix}agent-enforcement-acks"), [(AGENT, ack.to_string().as_bytes())]);
    let confirmed = office.audited(&json!({"what": "ack", "state_id": state_id, "by": "gate-1"}));
    assert!(confirmed["state_to_ack_ms"].as_i64().is_some_and(|ms| ms >= 0), "{confirmed}");
    office.wait_for(&format!("{prefix}agent-state"), &json!({"state_id": state_id, "confirmation": "confirmed"}));
    let metrics = office.metrics();
    for line in ["gaitkeeper_finding_to_state_seconds_count 1\n", "gaitkeeper_state_to_ack_seconds_count 1\n"] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(office.tell(&["agent", "state", AGENT], 0, "suspended").contains("confirmed: odd"));

    office.tell(&["agent", "restore", AGENT, "--by", "eve"], 0, "is active by eve");
    office.audited(&json!({"what": "state", "outcome": "active", "by": "eve"}));
    office.act("restored", 3, "10", "ok", None);
    let restored = office.audited(&json!({"what": "decision", "event_id": "restored"}));
    assert_eq!(restored["outcome"], "allowed");
    office.close();
}
