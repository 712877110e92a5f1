//! A call as one line of a recorded stream: the native event with its ground truth behind it.

use serde::{Serialize, Serializer};

use super::run::{Call, Run};
use super::world::World;

/// The native event of one call. Field order is the order in the line.
#[derive(Debug, Serialize)]
struct Record<'a> {
    event_id: &'a str,
    ts: i64,
    agent_id: &'a str,
    session_id: &'a str,
    task_type: &'a str,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "decimal")]
    amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<&'a str>,
    label: u8,
    session_label: u8,
    attack: Option<&'a str>,
}

/// Where and when a record happens.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Unique in the stream.
    pub event_id: &'a str,
    /// Epoch milliseconds.
    pub ts: i64,
    /// The session's name.
    pub session_id: &'a str,
}

/// The line of one call of `run`.
#[must_use]
pub fn call(world: &World, run: &Run, call: &Call, place: Place<'_>) -> String {
    let agent = &world.agents[run.agent];
    let identity = !world.shape.sparse;
    line(&Record {
        tool: Some(&call.tool),
        tool_server: Some(&call.server),
        target: call.target.as_deref(),
        destination: call.destination.as_deref(),
        bytes_out: Some(call.bytes_out),
        bytes_in: call.bytes_in,
        duration_ms: Some(call.duration_ms),
        status: Some(call.status.as_str()),
        amount: call.amount_cents,
        currency: call.amount_cents.map(|_| "EUR"),
        credential_id: identity.then_some(&*agent.credential),
        on_behalf_of: call.on_behalf_of.as_deref().filter(|_| identity),
        source_ip: identity.then_some(&*agent.source_ip),
        label: u8::from(call.planted),
        action: "tool_call",
        ..bare(world, run, place)
    })
}

/// The line with which an agent says that its session is over.
#[must_use]
pub fn session_end(world: &World, run: &Run, place: Place<'_>) -> String {
    line(&Record { action: "session_end", ..bare(world, run, place) })
}

fn bare<'a>(world: &'a World, run: &Run, place: Place<'a>) -> Record<'a> {
    Record {
        event_id: place.event_id,
        ts: place.ts,
        agent_id: &world.agents[run.agent].name,
        session_id: place.session_id,
        task_type: &world.task_of(run.agent).name,
        action: "",
        tool: None,
        tool_server: None,
        target: None,
        destination: None,
        bytes_out: None,
        bytes_in: None,
        duration_ms: None,
        status: None,
        amount: None,
        currency: None,
        credential_id: None,
        on_behalf_of: None,
        source_ip: None,
        label: 0,
        session_label: u8::from(run.attack.is_some()),
        attack: run.attack,
    }
}

fn line(record: &Record<'_>) -> String {
    serde_json::to_string(record).expect("strings and finite numbers are JSON")
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn decimal<S: Serializer>(cents: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    cents.map(|cents| format!("{}.{:02}", cents / 100, cents % 100)).serialize(serializer)
}
