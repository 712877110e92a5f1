//! Writes a native event; what is absent is left out. Times are epoch milliseconds, money is a decimal string.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Effect, Event, Status};

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event_id", &self.event_id)?;
        map.serialize_entry("ts", &self.ts)?;
        map.serialize_entry("agent_id", &self.agent_id)?;
        optional(&mut map, "agent_version", self.agent_version.as_deref())?;
        optional(&mut map, "session_id", self.session_id.as_deref())?;
        optional(&mut map, "task_type", self.task_type.as_deref())?;
        map.serialize_entry("action", self.action.as_str())?;
        optional(&mut map, "tool", self.tool.as_deref())?;
        optional(&mut map, "tool_server", self.tool_server.as_deref())?;
        optional(&mut map, "target", self.target.as_deref())?;
        optional(&mut map, "destination", self.destination.as_deref())?;
        optional(&mut map, "bytes_in", self.bytes_in)?;
        optional(&mut map, "bytes_out", self.bytes_out)?;
        optional(&mut map, "records", self.records)?;
        optional(&mut map, "duration_ms", self.duration_ms)?;
        optional(&mut map, "status", self.status.map(Status::as_str))?;
        optional(&mut map, "credential_id", self.credential_id.as_deref())?;
        optional(&mut map, "credential_issued_at", self.credential_issued_at)?;
        optional(&mut map, "effect", self.effect.map(Effect::as_str))?;
        optional(&mut map, "source_ip", self.source_ip)?;
        optional(&mut map, "on_behalf_of", self.on_behalf_of.as_deref())?;
        optional(&mut map, "peer_agent_id", self.peer_agent_id.as_deref())?;
        optional(&mut map, "policy_version", self.policy_version.as_deref())?;
        optional(&mut map, "model", self.model.as_deref())?;
        optional(&mut map, "amount", self.amount.as_ref().map(ToString::to_string))?;
        optional(&mut map, "currency", self.currency.as_deref())?;
        optional(&mut map, "approval_id", self.approval_id.as_deref())?;
        optional(&mut map, "params_hash", self.params_hash.as_deref())?;
        optional(&mut map, "trace_id", self.trace_id.as_deref())?;
        optional(&mut map, "span_id", self.span_id.as_deref())?;
        optional(&mut map, "environment", self.environment.as_deref())?;
        optional(&mut map, "sequence", self.sequence)?;
        map.end()
    }
}

fn optional<M: SerializeMap>(map: &mut M, name: &'static str, value: Option<impl Serialize>) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, &value),
        None => Ok(()),
    }
}

impl Event<'_> {
    /// The event as one line of JSON, without the line end.
    ///
    /// # Panics
    ///
    /// Never: every member is a string or a number, and a duration that is not finite is written as `null`.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers can be written")
    }
}
