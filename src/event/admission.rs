//! Checks that need the record around the event: its key and its timestamp.

use super::limits::shown;
use super::{DecodeError, Event};

/// How far an event may be ahead of its record. Stream time never goes back: one clock set to next year would otherwise
/// close every session of its partition.
pub const AHEAD_MS_MAX: i64 = 10 * 60_000;

/// Checks an event against the Kafka timestamp of its record; a record without one passes.
///
/// # Errors
///
/// [`DecodeError::Future`] when the event is more than [`AHEAD_MS_MAX`] ahead.
pub fn check_time(event: &Event<'_>, record_ts: Option<i64>) -> Result<(), DecodeError> {
    let Some(record_ts) = record_ts else { return Ok(()) };
    let ahead_ms = event.ts.saturating_sub(record_ts);
    if ahead_ms > AHEAD_MS_MAX {
        return Err(DecodeError::Future { ts: event.ts, record_ts, ahead_ms, ahead_max_ms: AHEAD_MS_MAX });
    }
    Ok(())
}

/// Checks that a record of a topic keyed by agent has the event's agent as its key: under another key the agent would have
/// two owners, each with half its history.
///
/// # Errors
///
/// [`DecodeError::KeyMismatch`] when the key is absent or another.
pub fn check_key(event: &Event<'_>, key: Option<&[u8]>) -> Result<(), DecodeError> {
    if key == Some(event.agent_id.as_bytes()) {
        return Ok(());
    }
    let key = key.map_or_else(|| "absent".into(), |key| format!("\"{}\"", shown(&String::from_utf8_lossy(key))));
    Err(DecodeError::KeyMismatch { key, agent_id: shown(&event.agent_id) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Action;

    #[test]
    fn ten_minutes_ahead_passes_and_a_millisecond_more_does_not() {
        let event = Event::bare("e", 600_000, "a", Action::Other);
        assert_eq!(check_time(&event, Some(0)), Ok(()));
        assert_eq!(check_time(&event, None), Ok(()));
        assert_eq!(check_time(&event, Some(-1)).unwrap_err().reason(), "future");
    }

    #[test]
    fn the_key_must_be_the_agent() {
        let event = Event::bare("e", 0, "a", Action::Other);
        assert_eq!(check_key(&event, Some(b"a")), Ok(()));
        assert_eq!(check_key(&event, Some(b"b")).unwrap_err().to_string(), "record key is \"b\", expected the `agent_id` \"a\"");
        assert_eq!(check_key(&event, None).unwrap_err().to_string(), "record key is absent, expected the `agent_id` \"a\"");
    }
}
