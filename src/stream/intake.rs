//! One input record: decoded and checked against its key and time, or turned into a dead letter.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedMessage, Headers, Message};

use crate::engine::Shard;
use crate::event::native::Decoded;
use crate::event::{DeadLetter, DecodeError, Origin, Source, admission, native};

/// The record's event. One without an id is named by the number of its shard, which is its partition where there is one input.
///
/// # Errors
/// When the record cannot be scored.
pub fn event<'m>(shard: Shard, keyed: bool, message: &'m BorrowedMessage<'_>) -> Result<Decoded<'m>, DecodeError> {
    let origin = Origin { partition: shard.partition, offset: message.offset() };
    let decoded = native::decode(message.payload().unwrap_or_default(), origin)?;
    if keyed {
        admission::check_key(&decoded.event, message.key())?;
    }
    admission::check_time(&decoded.event, message.timestamp().to_millis())?;
    Ok(decoded)
}

/// The record's event in native form, with its agent. An event without an id is named after its record, topic included: records of
/// several topics meet where it goes.
///
/// # Errors
/// When there is no event in the record.
pub fn native_event(message: &BorrowedMessage<'_>) -> Result<(String, String), DecodeError> {
    let origin = Origin { partition: message.partition(), offset: message.offset() };
    let mut event = native::decode(message.payload().unwrap_or_default(), origin)?.event;
    admission::check_time(&event, message.timestamp().to_millis())?;
    let own = format!("{}-{}", origin.partition, origin.offset);
    if event.event_id == own {
        event.event_id = format!("{}-{own}", message.topic()).into();
    }
    Ok((event.agent_id.to_string(), event.to_json()))
}

/// The record with the reason why it was rejected.
#[must_use]
pub fn dead_letter<'a>(message: &'a BorrowedMessage<'_>, error: &DecodeError) -> DeadLetter<'a> {
    DeadLetter {
        key: message.key(),
        payload: message.payload(),
        headers: headers(message),
        source: Source { topic: message.topic(), partition: message.partition(), offset: message.offset() },
        reason: error.reason(),
        message: error.to_string(),
    }
}

/// The record's headers. The client library panics on a name that is not UTF-8; such a record must not stop the stream, so its
/// headers are left behind from that one on.
fn headers<'a>(message: &'a BorrowedMessage<'_>) -> Vec<(&'a str, Option<&'a [u8]>)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let mut kept = Vec::with_capacity(headers.count());
    for index in 0..headers.count() {
        let Ok(header) = catch_unwind(AssertUnwindSafe(|| headers.get(index))) else { break };
        kept.push((header.key, header.value));
    }
    kept
}
