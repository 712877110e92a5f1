//! Questions, answers and what ran, each as a table of cases.

use serde_json::{Value, json};

use super::{Answered, Asked, Asking, Because, Cover, Requests, State, Wish};
use crate::config::StepUp;
use crate::event::{Action, Amount, Event, Status};
use crate::finding::step_up_request::DecisionRequired;
use crate::finding::{PolicyShown, Severity};
use crate::govern::control::{Answer, ControlRecord, ControlTopic, ControlValue};

const HASH: &str = "sha256:aaaa";
const PARTITION: i32 = 2;

fn refund(id: &'static str, ts: i64) -> Event<'static> {
    let mut event = Event::bare(id, ts, "billing", Action::ToolCall);
    event.tool = Some("issue_refund".into());
    event.target = Some("order/1".into());
    event.on_behalf_of = Some("customer".into());
    event.credential_id = Some("key".into());
    event.amount = Some(Amount::from_text("80".into()));
    event.currency = Some("EUR".into());
    event.params_hash = Some(HASH.into());
    event.status = Some(Status::Denied);
    event
}

#[track_caller]
fn ask(requests: &mut Requests, event: &Event<'_>, required: Option<DecisionRequired>, rules: &StepUp) -> Asked {
    let policy = PolicyShown { id: "contract".into(), version: "v".into(), rule: "limits[0]".into() };
    let because = Because { finding_id: "f", policy: &policy, score: None, severity: Severity::Medium, reasons: &[] };
    let asking = required.map(|required| Asking { required, limit: None });
    requests.ask(&Wish { event, because, writes: true, asking }, PARTITION, event.ts, rules)
}

/// One open question, asked at 0, and its id.
fn asked(rules: &StepUp) -> (Requests, String) {
    let mut requests = Requests::default();
    let Asked::New(request, None) = ask(&mut requests, &refund("e", 0), Some(DecisionRequired::HumanApproval), rules) else {
        panic!("the first question is asked")
    };
    assert!(request.request_id.starts_with("2-") && request.expires_at == 900_000);
    (requests, request.request_id)
}

/// An approval by eve at 1,000 with some members changed; `null` takes one away.
fn answer(request_id: &str, changes: &Value) -> Box<Answer> {
    let mut value = json!({
        "request_id": request_id, "outcome": "approved", "decided_by": {"sub": "eve", "acr": "mfa", "auth_time": 900},
        "decided_at": 1_000, "params_hash": HASH, "valid_until": 500_000
    });
    let members = value.as_object_mut().expect("an object");
    for (name, change) in changes.as_object().expect("an object") {
        if change.is_null() {
            members.remove(name)
        } else {
            members.insert(name.clone(), change.clone())
        };
    }
    let payload = value.to_string();
    let record = ControlRecord::from_payload(ControlTopic::StepUpResponses, 1_000, request_id, Some(payload.as_bytes()));
    match record.expect(&payload).value {
        ControlValue::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn words(answered: &Answered) -> String {
    match answered {
        Answered::Decided(transitions) => transitions.iter().map(|transition| transition.to.as_str()).collect::<Vec<_>>().join(" "),
        Answered::Undecided => "undecided".into(),
        Answered::Repeated => "repeated".into(),
        Answered::Refused(refusal) => refusal.as_str().into(),
    }
}

/// Gives one answer, which arrives at 1,000, to one open question.
#[track_caller]
fn check_answer(rules: &StepUp, changes: &Value, expected: &str) {
    let (mut requests, id) = asked(rules);
    assert_eq!(words(&requests.answer(&answer(&id, changes), 1_000, rules)), expected, "{changes}");
}

#[test]
fn an_answer_decides() {
    let rules = StepUp::default();
    check_answer(&rules, &json!({}), "approved");
    check_answer(&rules, &json!({"outcome": "denied"}), "denied");
    check_answer(&rules, &json!({"outcome": "error", "decided_by": null, "params_hash": null}), "undecided");
    check_answer(&rules, &json!({"valid_until": null, "reason": "fine"}), "approved");
}

#[test]
fn each_way_to_answer_wrongly_has_its_code() {
    let rules = StepUp {
        approvers: vec!["eve".into(), "customer".into(), "billing".into(), "key".into()],
        acr_values: vec!["mfa".into()],
        max_age_ms: 500,
        ..StepUp::default()
    };
    check_answer(&rules, &json!({}), "approved");
    check_answer(&rules, &json!({"request_id": "2-other"}), "unknown_request");
    check_answer(&rules, &json!({"decided_at": 900_000}), "late");
    check_answer(&rules, &json!({"params_hash": null}), "params_mismatch");
    check_answer(&rules, &json!({"params_hash": "sha256:bbbb"}), "params_mismatch");
    for sub in ["customer", "billing", "key", "mallory", ""] {
        check_answer(&rules, &json!({"decided_by": {"sub": sub, "acr": "mfa", "auth_time": 900}}), "not_independent");
    }
    check_answer(&rules, &json!({"decided_by": null}), "not_independent");
    check_answer(&rules, &json!({"decided_by": {"sub": "eve", "acr": "pwd", "auth_time": 900}}), "too_weak");
    check_answer(&rules, &json!({"decided_by": {"sub": "eve", "auth_time": 900}}), "too_weak");
    check_answer(&rules, &json!({"decided_by": {"sub": "eve", "acr": "mfa"}}), "too_weak");
    check_answer(&rules, &json!({"decided_by": {"sub": "eve", "acr": "mfa", "auth_time": 400}}), "too_weak");
    let signed = StepUp { require_signature: true, ..rules };
    check_answer(&signed, &json!({}), "bad_signature");
    check_answer(&signed, &json!({"signature": "e30..AAAA"}), "bad_signature");
}

#[test]
fn of_several_faults_the_first_counts() {
    let rules = StepUp { require_signature: true, ..StepUp::default() };
    check_answer(&rules, &json!({"request_id": "2-other", "decided_at": 900_000}), "unknown_request");
    check_answer(&rules, &json!({"decided_at": 900_000, "params_hash": null}), "bad_signature");
    let rules = StepUp::default();
    check_answer(&rules, &json!({"decided_at": 900_000, "params_hash": null, "decided_by": null}), "late");
    check_answer(&rules, &json!({"params_hash": null, "decided_by": null}), "params_mismatch");
}

#[test]
fn an_answer_counts_once() {
    let rules = StepUp::default();
    let (mut requests, id) = asked(&rules);
    let first = answer(&id, &json!({}));
    assert_eq!(words(&requests.answer(&first, 1_000, &rules)), "approved");
    assert_eq!(words(&requests.answer(&first, 999_999, &rules)), "repeated", "however late it comes again");
    assert_eq!(words(&requests.answer(&answer(&id, &json!({"outcome": "denied"})), 2_000, &rules)), "replayed");
    assert_eq!(words(&requests.answer(&answer(&id, &json!({"reason": "again"})), 900_000, &rules)), "late");
}

#[test]
fn what_expired_stays_expired() {
    let rules = StepUp::default();
    let (mut requests, id) = asked(&rules);
    assert!(requests.pass_time(899_999).is_empty());
    assert_eq!(requests.due(), Some(900_000));
    assert_eq!(requests.pass_time(900_000).len(), 1);
    assert!(requests.pass_time(i64::MAX).is_empty());
    assert_eq!(words(&requests.answer(&answer(&id, &json!({})), 1_000, &rules)), "late");
    assert_eq!(requests.find(&id).unwrap().state(), State::Expired);
}

#[test]
fn an_answer_that_arrives_late_is_late_whatever_it_says() {
    let rules = StepUp::default();
    let (mut requests, id) = asked(&rules);
    assert_eq!(words(&requests.answer(&answer(&id, &json!({})), 900_000, &rules)), "late");
    assert_eq!(requests.find(&id).unwrap().state(), State::Pending, "and changes nothing");
}

#[test]
fn a_stricter_question_takes_the_place_of_a_weaker_one() {
    let rules = StepUp::default();
    let mut requests = Requests::default();
    let Asked::New(weak, None) = ask(&mut requests, &refund("e", 0), Some(DecisionRequired::Reauthenticate), &rules) else {
        panic!("asked")
    };
    let Asked::New(strict, Some(ended)) = ask(&mut requests, &refund("f", 10), Some(DecisionRequired::HumanApproval), &rules) else {
        panic!("asked more strictly")
    };
    assert_eq!((ended.request_id, ended.to), (weak.request_id.clone(), State::Superseded));
    assert_eq!((strict.supersedes.as_ref(), strict.attempt), (Some(&weak.request_id), 2));
    assert_eq!(words(&requests.answer(&answer(&weak.request_id, &json!({})), 1_000, &rules)), "superseded");
    assert_eq!(words(&requests.answer(&answer(&strict.request_id, &json!({})), 1_000, &rules)), "approved");
}

/// Asks about each target in turn at its time; says what became of it.
#[track_caller]
fn check_questions(questions: &[(&'static str, i64)], expected: &str) {
    let mut requests = Requests::default();
    let outcome: String = questions
        .iter()
        .map(|(target, now)| {
            let mut event = refund("e", *now);
            event.target = Some((*target).into());
            requests.pass_time(*now);
            match ask(&mut requests, &event, None, &StepUp::default()) {
                Asked::New(..) => 'n',
                Asked::Merged(_) => 'm',
                Asked::Withheld => 'w',
            }
        })
        .collect();
    assert_eq!(outcome, expected);
}

#[test]
fn the_same_question_is_asked_once() {
    check_questions(&[("x", 0), ("x", 1), ("y", 2)], "nmn");
}

#[test]
fn a_fourth_open_question_is_withheld() {
    check_questions(&[("a", 0), ("b", 0), ("c", 0), ("d", 0)], "nnnw");
}

#[test]
fn an_expired_question_may_be_asked_again() {
    check_questions(&[("a", 0), ("a", 900_000)], "nn");
}

/// A refund that ran, with some fields changed.
fn ran(change: impl Fn(&mut Event<'_>)) -> Event<'static> {
    let mut event = refund("r", 2_000);
    event.status = Some(Status::Ok);
    change(&mut event);
    event.into_owned()
}

fn cover_words(cover: &Cover) -> String {
    match cover {
        Cover::NotNeeded => "not needed".into(),
        Cover::Covered(_, None) => "covered".into(),
        Cover::Covered(_, Some(transition)) => format!("covered, {}", transition.to.as_str()),
        Cover::Missing(None) => "missing".into(),
        Cover::Missing(Some((_, state))) => format!("missing, {}", state.as_str()),
        Cover::Mismatch(_, difference) => format!("mismatch of {}", difference.field),
        Cover::Replayed(_) => "replayed".into(),
        Cover::Refused(_, state) => format!("refused, {}", state.as_str()),
    }
}

/// What ran, one after the other, after a question and what it was answered; each needs an approval.
#[track_caller]
fn check_ran(outcome: Option<&str>, executions: &[&dyn Fn(&mut Event<'_>)], expected: &[&str]) {
    let rules = StepUp::default();
    let (mut requests, id) = asked(&rules);
    if let Some(outcome) = outcome {
        requests.answer(&answer(&id, &json!({"outcome": outcome})), 1_000, &rules);
    }
    let told: Vec<String> = executions
        .iter()
        .map(|change| {
            let mut event = ran(change);
            if event.approval_id.as_deref() == Some("it") {
                event.approval_id = Some(id.clone().into());
            }
            requests.pass_time(event.ts);
            cover_words(&requests.cover(&event, true))
        })
        .collect();
    assert_eq!(told, expected);
}

fn same(_: &mut Event<'_>) {}

fn named(event: &mut Event<'_>) {
    event.approval_id = Some("it".into());
}

fn later(event: &mut Event<'_>) {
    event.ts = 900_000;
}

fn ninety(event: &mut Event<'_>) {
    named(event);
    event.amount = Some(Amount::from_text("90".into()));
}

#[test]
fn an_approval_covers_one_execution() {
    check_ran(Some("approved"), &[&same, &same], &["covered, consumed", "replayed"]);
    check_ran(Some("approved"), &[&named, &named], &["covered, consumed", "replayed"]);
}

#[test]
fn an_approval_covers_nothing_else() {
    check_ran(Some("approved"), &[&ninety, &named], &["mismatch of amount", "covered, consumed"]);
    check_ran(Some("approved"), &[&|event| (named(event), event.params_hash = Some("sha256:bbbb".into())).1], &["mismatch of params_hash"]);
    check_ran(Some("approved"), &[&|event| event.params_hash = None], &["missing"]);
    check_ran(Some("approved"), &[&|event| event.tool = Some("payout".into())], &["missing"]);
    check_ran(Some("approved"), &[&|event| event.approval_id = Some("2-other".into())], &["missing"]);
}

#[test]
fn eighty_is_eighty_point_zero() {
    check_ran(Some("approved"), &[&|event| event.amount = Some(Amount::from_text("80.00".into()))], &["covered, consumed"]);
}

#[test]
fn without_an_approval_it_is_missing_or_refused() {
    check_ran(None, &[&same], &["missing, pending"]);
    check_ran(Some("denied"), &[&same, &named], &["refused, denied", "refused, denied"]);
    check_ran(None, &[&later], &["refused, expired"]);
    check_ran(Some("approved"), &[&later], &["missing, lapsed"]);
}

#[test]
fn an_approval_of_several_uses_covers_so_many() {
    let rules = StepUp::default();
    let (mut requests, id) = asked(&rules);
    requests.answer(&answer(&id, &json!({"max_uses": 2})), 1_000, &rules);
    let told: Vec<String> = (0..3).map(|_| cover_words(&requests.cover(&ran(same), true))).collect();
    assert_eq!(told, ["covered", "covered, consumed", "replayed"]);
}

#[test]
fn an_approval_afterwards_covers_nothing_more() {
    let rules = StepUp::default();
    let mut requests = Requests::default();
    let Asked::New(request, None) = ask(&mut requests, &ran(same), Some(DecisionRequired::HumanApproval), &rules) else { panic!("asked") };
    assert_eq!(words(&requests.answer(&answer(&request.request_id, &json!({})), 3_000, &rules)), "approved consumed");
    assert_eq!(cover_words(&requests.cover(&ran(same), true)), "replayed");
}

#[test]
fn what_needs_no_approval_is_free_unless_somebody_said_no() {
    let rules = StepUp::default();
    for (outcome, expected) in [(None, "not needed"), (Some("denied"), "refused, denied")] {
        let (mut requests, id) = asked(&rules);
        if let Some(outcome) = outcome {
            requests.answer(&answer(&id, &json!({"outcome": outcome})), 1_000, &rules);
        }
        assert_eq!(cover_words(&requests.cover(&ran(same), false)), expected);
    }
}

#[test]
fn the_oldest_that_ended_are_forgotten() {
    let rules = StepUp::default();
    let mut requests = Requests::default();
    for round in 0..200 {
        let now = round * 1_000_000;
        requests.pass_time(now);
        let mut event = refund("e", now);
        event.event_id = round.to_string().into();
        ask(&mut requests, &event, None, &rules);
    }
    assert!(requests.iter().count() <= 66, "{}", requests.iter().count());
}

#[test]
fn what_ended_is_stored_as_it_was_asked() {
    let rules = StepUp::default();
    let (mut requests, id) = asked(&rules);
    let before = requests.find(&id).unwrap().request.clone();
    requests.answer(&answer(&id, &json!({"outcome": "denied"})), 1_000, &rules);
    ask(&mut requests, &ran(|event| event.target = Some("order/2".into())), None, &rules);
    let stored = postcard::to_allocvec(&requests).unwrap();
    let mut copy: Requests = postcard::from_bytes(&stored).unwrap();
    assert_eq!(copy, requests);
    assert_eq!(copy.find(&id).unwrap().request, before);
    assert_eq!(cover_words(&copy.cover(&ran(same), false)), "refused, denied", "it still counts");
}

#[test]
fn a_request_stored_whole_is_read() {
    let event = refund("e", 0);
    let mut requests = Requests::default();
    let Asked::New(request, None) = ask(&mut requests, &event, None, &StepUp::default()) else { panic!("asked") };
    let stored = json!({"tracked": [{
        "request": serde_json::to_string(&request).unwrap(), "ran_before": false, "decided": null, "valid_until": i64::MIN, "uses_left": 0,
        "state": "pending"
    }]});
    assert_eq!(serde_json::from_value::<Requests>(stored).unwrap(), requests);
}
