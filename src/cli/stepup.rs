//! `gaitkeeper stepup list|answer`: a person at a terminal decides, over Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde_json::json;

use super::kafka_source::{Cluster, Source, now_ms};
use super::{Exit, Failure, Outcome, answer_signature};
use crate::config::{StepUp, duration};
use crate::engine::step_up::{Answered, Refusal, Requests};
use crate::event::limits::shown;
use crate::finding::StepUpRequest;
use crate::govern::control::{Answer as Answering, ControlRecord, ControlTopic, ControlValue};

/// An answer with the time at which it came, epoch ms.
type Came = (i64, Box<Answering>);

/// Lists open step-up requests, or answers one
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// What waits for an answer
    List,
    /// Answers a request
    Answer(Answer),
}

#[derive(Debug, clap::Args)]
struct Answer {
    /// Id of the request
    #[arg(value_name = "REQUEST")]
    request_id: String,
    /// The decision
    #[arg(value_parser = ["approved", "denied"])]
    outcome: String,
    /// Who decides
    #[arg(long, value_name = "NAME")]
    by: String,
    /// How the decider is authenticated, where requests ask for it
    #[arg(long, value_name = "ACR")]
    acr: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long an approval may be used, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    valid_for: Option<i64>,
    /// Private key that signs the answer, where signatures are required: PEM, EC with the curve P-256 (PKCS #8) or RSA (PKCS #1)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

fn parse_duration(text: &str) -> Result<i64, String> {
    duration::parse(text).filter(|ms| *ms > 0).ok_or_else(|| format!("`{text}` is no duration such as 15m"))
}

pub fn run(args: Args) -> Outcome {
    let cluster = args.source.connect()?;
    match args.task {
        Task::List => list(&cluster),
        Task::Answer(answer) => give(&cluster, &answer),
    }
}

/// All requests that can be read, oldest first.
fn requests(cluster: &Cluster) -> Result<Vec<StepUpRequest>, Failure> {
    let entries = cluster.read(&cluster.config.topics.step_up_requests)?;
    let mut requests: Vec<StepUpRequest> =
        entries.iter().filter_map(|entry| serde_json::from_slice(entry.value.as_deref()?).ok()).collect();
    requests.sort_by_key(|request| request.created_at);
    Ok(requests)
}

/// All answers that can be read, by request, in the order in which they came.
fn answers(cluster: &Cluster) -> Result<BTreeMap<String, Vec<Came>>, Failure> {
    let mut answers: BTreeMap<String, Vec<Came>> = BTreeMap::new();
    for entry in cluster.read(&cluster.config.topics.step_up_responses)? {
        let read = ControlRecord::from_payload(ControlTopic::StepUpResponses, entry.at, &entry.key, entry.value.as_deref());
        if let Ok(ControlRecord { value: ControlValue::Answer(answer), .. }) = read {
            answers.entry(answer.request_id.clone()).or_default().push((entry.at, answer));
        }
    }
    for answers in answers.values_mut() {
        answers.sort_by_key(|(at, _)| *at);
    }
    Ok(answers)
}

/// The answers to a request that the service refuses; `None` when the request waits no longer.
fn refused<'a>(request: &StepUpRequest, answers: &'a [Came], rules: &StepUp) -> Option<Vec<(&'a Answering, Refusal)>> {
    let mut asked = Requests::of(request);
    let mut refused = Vec::new();
    for (at, answer) in answers {
        match asked.answer(answer, *at, rules) {
            Answered::Decided(_) => return None,
            Answered::Refused(refusal) => refused.push((&**answer, refusal)),
            Answered::Undecided | Answered::Repeated => (),
        }
    }
    Some(refused)
}

fn list(cluster: &Cluster) -> Outcome {
    let (all, answers) = (requests(cluster)?, answers(cluster)?);
    let superseded: BTreeSet<&String> = all.iter().filter_map(|request| request.supersedes.as_ref()).collect();
    let now = now_ms();
    for request in all.iter().filter(|request| request.expires_at > now && !superseded.contains(&request.request_id)) {
        let StepUpRequest { request_id, expires_at, .. } = request;
        let given = answers.get(request_id).map_or(&[][..], Vec::as_slice);
        let Some(refused) = refused(request, given, &cluster.config.engine.step_up) else { continue };
        println!("{request_id}  {}  expires in {} s", what(request), (expires_at - now) / 1_000);
        for reason in &request.risk.reasons {
            println!("    {}: {}, expected {}", shown(&reason.field), reason.actual, reason.expected);
        }
        for (answer, refusal) in refused {
            let by = answer.decided_by.as_ref().map_or("nobody", |by| &by.sub);
            println!("    {} by {} was refused: {}", answer.outcome.as_str(), shown(by), refusal.as_str());
        }
    }
    Ok(Exit::Fine)
}

/// The question in a line.
fn what(request: &StepUpRequest) -> String {
    let action = &request.action;
    let money =
        action.amount.as_ref().map(|amount| format!("{amount} {}", action.currency.as_deref().unwrap_or_default()).trim().to_owned());
    let parts = [("with", money), ("on", action.target.clone()), ("to", action.destination.clone()), ("for", request.principal.clone())];
    let told = parts.into_iter().filter_map(|(word, part)| Some(format!(" {word} {}", shown(&part?))));
    let tool = shown(action.tool.as_deref().unwrap_or("something"));
    std::iter::once(format!("{} wants to do {tool}", shown(&request.agent.id))).chain(told).collect()
}

fn give(cluster: &Cluster, answer: &Answer) -> Outcome {
    let Some(request) = requests(cluster)?.into_iter().find(|request| request.request_id == answer.request_id) else {
        return Err(Failure::usage(anyhow!("there is no request {}", shown(&answer.request_id))));
    };
    let now = now_ms();
    if request.expires_at <= now {
        return Err(Failure::usage(anyhow!("{} expired {} s ago, which is a no", request.request_id, (now - request.expires_at) / 1_000)));
    }
    if cluster.config.engine.step_up.require_signature && answer.key.is_none() {
        return Err(Failure::usage(anyhow!(
            "answers must be signed here (step_up.require_signature): give --key, or answer through the identity provider"
        )));
    }
    let mut value = json!({
        "request_id": request.request_id,
        "outcome": answer.outcome,
        "decided_by": {"sub": answer.by, "auth_time": now},
        "decided_at": now,
        "max_uses": 1,
    });
    value["params_hash"] = request.params_hash.clone().into();
    if let Some(acr) = &answer.acr {
        value["decided_by"]["acr"] = acr.clone().into();
    }
    if let Some(reason) = &answer.reason {
        value["reason"] = reason.clone().into();
    }
    if let Some(valid_for) = answer.valid_for {
        value["valid_until"] = now.saturating_add(valid_for).into();
    }
    if let Some(file) = &answer.key {
        let pem = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display())).map_err(Failure::io)?;
        let signature = answer_signature::detached(&value, &pem).with_context(|| format!("key {}", file.display()));
        value["signature"] = signature.map_err(Failure::usage)?.into();
    }
    cluster.send(&cluster.config.topics.step_up_responses, &request.request_id, &value)?;
    println!("{}: {} by {}", request.request_id, answer.outcome, shown(&answer.by));
    Ok(Exit::Fine)
}
