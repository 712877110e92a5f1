//! The decoders under comparison, all on the same lines in memory. Each adds up a digest over every field, so that none can
//! leave one out; all digests must equal the one of the events themselves.

use std::borrow::Cow;
use std::io::BufRead as _;
use std::iter;

use gaitkeeper::event::Event;
use gaitkeeper::event::native::{self, Origin};
use serde::Deserialize;

/// Sums that need every field: text by its length, so that the digest costs next to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(u64);

impl Digest {
    pub fn of_events(events: &[Event<'_>]) -> Self {
        let mut digest = Self::default();
        for event in events {
            digest.add_event(event);
        }
        digest
    }

    fn add(&mut self, text_bytes: usize, bytes_in: u64, bytes_out: u64, duration_ms: f64) {
        let counts = bytes_in ^ bytes_out.rotate_left(32);
        self.0 = self.0.wrapping_add(text_bytes as u64).wrapping_add(counts).wrapping_add(duration_ms.to_bits());
    }

    fn add_event(&mut self, event: &Event<'_>) {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().len();
        let text_bytes = event.event_id.len()
            + event.agent_id.len()
            + text(&event.agent_version)
            + text(&event.session_id)
            + text(&event.task_type)
            + event.action.as_str().len()
            + text(&event.tool)
            + text(&event.tool_server)
            + text(&event.target)
            + event.status.map_or(0, |status| status.as_str().len())
            + text(&event.credential_id);
        self.add(
            text_bytes,
            event.bytes_in.unwrap_or_default(),
            event.bytes_out.unwrap_or_default(),
            event.duration_ms.unwrap_or_default(),
        );
    }

    fn add_borrowed(&mut self, event: &Borrowed<'_>) {
        assert_eq!(event.ts.len(), "2025-01-06T08:00:00.000Z".len(), "a time in the stream's one form");
        let text_bytes = event.event_id.len()
            + event.agent_id.len()
            + event.agent_version.len()
            + event.session_id.len()
            + event.task_type.len()
            + event.action.len()
            + event.tool.len()
            + event.tool_server.len()
            + event.target.len()
            + event.status.len()
            + event.credential_id.len();
        self.add(text_bytes, event.bytes_in, event.bytes_out, event.duration_ms);
    }
}

/// The naive choice: every text is copied.
#[derive(Deserialize)]
struct Owned {
    event_id: String,
    ts: String,
    agent_id: String,
    agent_version: String,
    session_id: String,
    task_type: String,
    action: String,
    tool: String,
    tool_server: String,
    target: String,
    bytes_in: u64,
    bytes_out: u64,
    duration_ms: f64,
    status: String,
    credential_id: String,
}

/// Texts stay in the line.
#[derive(Deserialize)]
struct Borrowed<'a> {
    event_id: &'a str,
    ts: &'a str,
    agent_id: &'a str,
    agent_version: &'a str,
    session_id: &'a str,
    task_type: &'a str,
    action: &'a str,
    tool: &'a str,
    tool_server: &'a str,
    target: &'a str,
    bytes_in: u64,
    bytes_out: u64,
    duration_ms: f64,
    status: &'a str,
    credential_id: &'a str,
}

impl Owned {
    fn borrow(&self) -> Borrowed<'_> {
        Borrowed {
            event_id: &self.event_id,
            ts: &self.ts,
            agent_id: &self.agent_id,
            agent_version: &self.agent_version,
            session_id: &self.session_id,
            task_type: &self.task_type,
            action: &self.action,
            tool: &self.tool,
            tool_server: &self.tool_server,
            target: &self.target,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            duration_ms: self.duration_ms,
            status: &self.status,
            credential_id: &self.credential_id,
        }
    }
}

/// Splits into lines and looks whether they are UTF-8, no more; the digest is the number of bytes in lines.
pub fn split(block: &[u8]) -> u64 {
    let text = std::str::from_utf8(block).expect("the stream is UTF-8");
    text.lines().map(|line| line.len() as u64).sum()
}

pub fn serde_json_owned(block: &[u8]) -> Digest {
    let mut digest = Digest::default();
    for line in lines(block) {
        let event: Owned = serde_json::from_slice(line).expect("a line of the stream");
        digest.add_borrowed(&event.borrow());
    }
    digest
}

/// One UTF-8 check of the whole block, then borrowing.
pub fn serde_json_borrowed(block: &[u8]) -> Digest {
    let mut digest = Digest::default();
    for line in std::str::from_utf8(block).expect("the stream is UTF-8").lines() {
        digest.add_borrowed(&serde_json::from_str(line).expect("a line of the stream"));
    }
    digest
}

pub fn sonic_borrowed(block: &[u8]) -> Digest {
    let mut digest = Digest::default();
    for line in std::str::from_utf8(block).expect("the stream is UTF-8").lines() {
        digest.add_borrowed(&sonic_rs::from_str(line).expect("a line of the stream"));
    }
    digest
}

/// Our own: the whole contract of the native event, with its limits and reasons.
pub fn own(block: &[u8]) -> Digest {
    let mut digest = Digest::default();
    for line in lines(block) {
        let decoded = native::decode(line, Origin { partition: 0, offset: 0 }).expect("a line of the stream");
        digest.add_event(&decoded.event);
    }
    digest
}

fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    iter::from_fn(move || {
        let before = rest;
        let bytes = rest.skip_until(b'\n').expect("memory");
        (bytes > 0).then(|| before[..bytes].trim_ascii_end())
    })
}
