//! From a native event to what is modelled of it.

use std::io::Write;

use crate::baseline::attribute::{self, Attribute, SourceNet};
use crate::baseline::observation::{STATUS_DENIED, STATUS_ERROR, STATUS_OK, STATUS_TIMEOUT};
use crate::baseline::tools::Tools;
use crate::baseline::{Metric, Observation};
use crate::event::{Effect, Event, Status};
use crate::stats::{elementary, hash};

/// The longest text of a network, with room to spare.
const NET_BYTES: usize = 48;

/// What is modelled of `event`; `gap_ms` is the time since its session's event before, where the clock is real. `key` seeds the hashes.
pub fn observe(event: &Event<'_>, gap_ms: Option<i64>, tools: &mut Tools, key: u64) -> Observation {
    let tool = match &event.tool {
        Some(tool) => tools.intern(event.tool_server.as_deref(), tool),
        None => tools.intern(None, event.action.as_str()),
    };
    let writes = match event.effect {
        Some(Effect::Write | Effect::Destructive) => true,
        Some(Effect::Read) => false,
        None => tools.writes(tool),
    };
    let mut observation = Observation::new(tool, writes);
    if let Some(status) = event.status {
        observation.set_status(status_number(status));
    }
    let mut set = |attribute: Attribute, text: Option<&str>| {
        if let Some(text) = text {
            observation.set_attribute(attribute, hash::value(attribute::cut(text).as_bytes(), key));
        }
    };
    set(Attribute::Target, event.target.as_deref());
    set(Attribute::TargetClass, event.target.as_deref().and_then(attribute::target_class).as_deref());
    set(Attribute::Destination, event.destination.as_deref());
    set(Attribute::Peer, event.peer_agent_id.as_deref());
    set(Attribute::Credential, event.credential_id.as_deref());
    set(Attribute::OnBehalfOf, event.on_behalf_of.as_deref());
    if let Some(address) = event.source_ip {
        let mut text = [0u8; NET_BYTES];
        let mut rest = text.as_mut_slice();
        // 48 bytes hold every network, so the write cannot fail.
        let _ = write!(rest, "{}", SourceNet(address));
        let left = rest.len();
        set(Attribute::SourceNet, std::str::from_utf8(&text[..NET_BYTES - left]).ok());
    }
    let mut measure = |metric: Metric, value: Option<f64>| {
        if let Some(value) = value.filter(|value| *value > 0.0) {
            observation.set_value(metric, elementary::ln_1p(value));
        }
    };
    measure(Metric::BytesOut, event.bytes_out.map(|bytes| bytes as f64));
    measure(Metric::BytesIn, event.bytes_in.map(|bytes| bytes as f64));
    measure(Metric::Duration, event.duration_ms);
    if let Some(gap_ms) = gap_ms {
        observation.set_value(Metric::Gap, elementary::ln(0.001 + gap_ms as f64 / 1000.0));
    }
    observation
}

/// The attributes of `event` whose text is worth keeping: hash and text.
pub fn attribute_texts<'e>(event: &'e Event<'_>, observation: &Observation) -> impl Iterator<Item = (Attribute, u64, &'e str)> {
    let texts = [
        (Attribute::Target, event.target.as_deref()),
        (Attribute::Destination, event.destination.as_deref()),
        (Attribute::Peer, event.peer_agent_id.as_deref()),
        (Attribute::Credential, event.credential_id.as_deref()),
        (Attribute::OnBehalfOf, event.on_behalf_of.as_deref()),
    ]
    .map(|(attribute, text)| Some((attribute, observation.attribute(attribute)?, text?)));
    texts.into_iter().flatten()
}

fn status_number(status: Status) -> u8 {
    match status {
        Status::Ok => STATUS_OK,
        Status::Error => STATUS_ERROR,
        Status::Denied => STATUS_DENIED,
        Status::Timeout => STATUS_TIMEOUT,
    }
}
