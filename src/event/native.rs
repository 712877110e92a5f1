//! Decodes one native record (DESIGN.md, section 4) into an [`Event`] that borrows from it.
//!
//! An explicit `null` and an empty free text are absent. What is not part of the native event is counted and ignored; that
//! includes the ground truth of recorded streams, so nothing behind this point can read it. Duplicate fields are refused:
//! which of the two a reader believes must not decide what is detected.

use std::borrow::Cow;
use std::net::IpAddr;

use super::field::{Field, Form};
use super::json::{Malformed, ObjectReader, Value};
use super::limits::{NAME_BYTES_MAX, RECORD_BYTES_MAX, shown};
use super::{Action, Amount, DecodeError, Effect, Event, Status, timestamp};

/// Where a record stands; names an event that has no `event_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Kafka partition.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
}

/// A decoded record.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<'a> {
    /// The event.
    pub event: Event<'a>,
    /// How many members of the record are not part of the native event.
    pub unknown_fields: u32,
}

/// Decodes one record.
///
/// # Errors
///
/// Says what is wrong, with the field, its value and what was expected; the record then belongs to the dead letters.
pub fn decode(record: &[u8], origin: Origin) -> Result<Decoded<'_>, DecodeError> {
    if record.len() > RECORD_BYTES_MAX {
        return Err(DecodeError::RecordTooLarge { bytes: record.len(), bytes_max: RECORD_BYTES_MAX });
    }
    let text = std::str::from_utf8(record).map_err(|error| DecodeError::NotUtf8 { at: error.valid_up_to() })?;
    let mut reader = ObjectReader::open(text)?;
    let mut event = Event::bare("", 0, "", Action::Other);
    let (mut ts, mut action) = (None, None);
    let (mut seen, mut unknown_fields) = (0_u64, 0_u32);
    while let Some((name, value)) = reader.next_member()? {
        let Some(field) = Field::named(&name) else {
            unknown_fields = unknown_fields.saturating_add(1);
            continue;
        };
        if seen & 1 << field as u32 != 0 {
            return Err(DecodeError::DuplicateField { field: field.name() });
        }
        seen |= 1 << field as u32;
        if value == Value::Null {
            continue;
        }
        match field {
            Field::Ts => ts = Some(time(field, &value)?),
            Field::Action => action = Some(word(field, &value, Action::from_word)?),
            _ => set(&mut event, field, value)?,
        }
    }
    event.ts = ts.ok_or(DecodeError::MissingField { field: "ts" })?;
    if event.agent_id.is_empty() {
        return Err(DecodeError::MissingField { field: "agent_id" });
    }
    event.action = match (action, &event.tool) {
        (Some(Action::ToolCall), None) => return Err(DecodeError::MissingField { field: "tool" }),
        (Some(action), _) => action,
        (None, Some(_)) => Action::ToolCall,
        (None, None) => return Err(DecodeError::MissingField { field: "tool or action" }),
    };
    if event.event_id.is_empty() {
        event.event_id = Cow::Owned(format!("{}-{}", origin.partition, origin.offset));
    }
    Ok(Decoded { event, unknown_fields })
}

fn set<'a>(event: &mut Event<'a>, field: Field, value: Value<'a>) -> Result<(), DecodeError> {
    match field {
        Field::Ts | Field::Action => (),
        Field::EventId => event.event_id = text(field, value)?.unwrap_or_default(),
        Field::AgentId => event.agent_id = text(field, value)?.unwrap_or_default(),
        Field::AgentVersion => event.agent_version = text(field, value)?,
        Field::SessionId => event.session_id = text(field, value)?,
        Field::TaskType => event.task_type = text(field, value)?,
        Field::Tool => event.tool = text(field, value)?,
        Field::ToolServer => event.tool_server = text(field, value)?,
        Field::Target => event.target = text(field, value)?,
        Field::Destination => event.destination = text(field, value)?,
        Field::BytesIn => event.bytes_in = Some(count(field, &value)?),
        Field::BytesOut => event.bytes_out = Some(count(field, &value)?),
        Field::Records => event.records = Some(count(field, &value)?),
        Field::DurationMs => event.duration_ms = Some(milliseconds(field, &value)?),
        Field::Status => event.status = Some(word(field, &value, Status::from_word)?),
        Field::CredentialId => event.credential_id = text(field, value)?,
        Field::CredentialIssuedAt => event.credential_issued_at = Some(time(field, &value)?),
        Field::Effect => event.effect = Some(word(field, &value, Effect::from_word)?),
        Field::SourceIp => event.source_ip = Some(address(field, &value)?),
        Field::OnBehalfOf => event.on_behalf_of = text(field, value)?,
        Field::PeerAgentId => event.peer_agent_id = text(field, value)?,
        Field::PolicyVersion => event.policy_version = text(field, value)?,
        Field::Model => event.model = text(field, value)?,
        Field::Amount => event.amount = Some(amount(field, value)?),
        Field::Currency => event.currency = text(field, value)?,
        Field::ApprovalId => event.approval_id = text(field, value)?,
        Field::ParamsHash => event.params_hash = Some(hex(field, value, "sha256:", 64)?),
        Field::TraceId => event.trace_id = Some(hex(field, value, "", 32)?),
        Field::SpanId => event.span_id = Some(hex(field, value, "", 16)?),
        Field::Environment => event.environment = text(field, value)?,
        Field::Sequence => event.sequence = Some(count(field, &value)?),
    }
    Ok(())
}

/// Free text; `None` when empty.
fn text(field: Field, value: Value<'_>) -> Result<Option<Cow<'_, str>>, DecodeError> {
    let Value::Text(text) = value else { return Err(wrong_type(field, &value)) };
    check_length(field, &text)?;
    Ok((!text.is_empty()).then_some(text))
}

fn check_length(field: Field, text: &str) -> Result<(), DecodeError> {
    let bytes_max = match field.form() {
        Form::Text { bytes_max } => bytes_max,
        _ => NAME_BYTES_MAX,
    };
    if text.len() > bytes_max {
        return Err(DecodeError::StringTooLong { field: field.name(), value: shown(text), bytes: text.len(), bytes_max });
    }
    Ok(())
}

fn word<T>(field: Field, value: &Value<'_>, read: fn(&str) -> Option<T>) -> Result<T, DecodeError> {
    let Value::Text(text) = value else { return Err(wrong_type(field, value)) };
    read(text).ok_or_else(|| bad_value(field, value))
}

fn time(field: Field, value: &Value<'_>) -> Result<i64, DecodeError> {
    let ms = match value {
        Value::Text(text) => timestamp::from_rfc3339(text),
        Value::Number(digits) => match whole(digits) {
            Whole::Number(ms) => i64::try_from(ms).ok().and_then(timestamp::from_epoch_ms),
            Whole::OutOfRange | Whole::Fraction => None,
        },
        _ => return Err(wrong_type(field, value)),
    };
    ms.ok_or_else(|| bad_value(field, value))
}

fn count(field: Field, value: &Value<'_>) -> Result<u64, DecodeError> {
    let Value::Number(digits) = value else { return Err(wrong_type(field, value)) };
    match whole(digits) {
        Whole::Number(count) => Ok(count),
        Whole::OutOfRange => Err(out_of_range(field, value)),
        Whole::Fraction => Err(wrong_type(field, value)),
    }
}

fn milliseconds(field: Field, value: &Value<'_>) -> Result<f64, DecodeError> {
    let Value::Number(digits) = value else { return Err(wrong_type(field, value)) };
    match digits.parse::<f64>() {
        // The sum turns −0 into 0.
        Ok(ms) if ms >= 0.0 && ms.is_finite() => Ok(ms + 0.0),
        _ => Err(out_of_range(field, value)),
    }
}

fn address(field: Field, value: &Value<'_>) -> Result<IpAddr, DecodeError> {
    let Value::Text(text) = value else { return Err(wrong_type(field, value)) };
    text.parse().map_err(|_| bad_value(field, value))
}

fn amount(field: Field, value: Value<'_>) -> Result<Amount<'_>, DecodeError> {
    let amount = match value {
        Value::Text(text) => Amount::from_text(text),
        Value::Number(digits) => Amount::from_number(digits),
        _ => return Err(wrong_type(field, &value)),
    };
    if let Amount::Unreadable(text) = &amount {
        check_length(field, text)?;
    }
    Ok(amount)
}

/// `prefix` and `digits` lower-case hex digits.
fn hex<'a>(field: Field, value: Value<'a>, prefix: &str, digits: usize) -> Result<Cow<'a, str>, DecodeError> {
    let is_hex = |rest: &str| rest.len() == digits && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match value {
        Value::Text(text) if text.strip_prefix(prefix).is_some_and(is_hex) => Ok(text),
        Value::Text(_) => Err(bad_value(field, &value)),
        _ => Err(wrong_type(field, &value)),
    }
}

enum Whole {
    Number(u64),
    /// Negative, or beyond what is exact.
    OutOfRange,
    Fraction,
}

/// A JSON number as a whole one. `12.0` and `1.2e1` are whole, since many producers have floats only.
fn whole(digits: &str) -> Whole {
    // 2^53: up to here a float holds every whole number.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if let Ok(number) = digits.parse::<u64>() {
        return Whole::Number(number);
    }
    match digits.parse::<f64>() {
        Ok(float) if float.is_finite() && float.fract() != 0.0 => Whole::Fraction,
        Ok(float) if (0.0..=EXACT_MAX).contains(&float) =>
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in 0..=2^53")]
            Whole::Number(float as u64)
        }
        _ => Whole::OutOfRange,
    }
}

#[cold]
fn wrong_type(field: Field, value: &Value<'_>) -> DecodeError {
    DecodeError::WrongType { field: field.name(), value: shown_value(value), expected: expected(field) }
}

#[cold]
fn bad_value(field: Field, value: &Value<'_>) -> DecodeError {
    DecodeError::BadValue { field: field.name(), value: shown_value(value), expected: expected(field) }
}

#[cold]
fn out_of_range(field: Field, value: &Value<'_>) -> DecodeError {
    DecodeError::OutOfRange { field: field.name(), value: shown_value(value), expected: expected(field) }
}

fn shown_value(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Text(text) => format!("\"{}\"", shown(text)),
        Value::Number(text) | Value::Array(text) | Value::Object(text) => shown(text),
    }
}

/// What a message says was expected.
fn expected(field: Field) -> String {
    match field.form() {
        Form::Text { bytes_max } => format!("text of at most {bytes_max} bytes"),
        Form::Word(words) => format!("one of {}", words.join(", ")),
        Form::Time => timestamp::EXPECTED.into(),
        Form::Count => format!("a whole number from 0 to {}", u64::MAX),
        Form::Milliseconds => "a finite number of milliseconds, not negative".into(),
        Form::Address => "an IPv4 or IPv6 address".into(),
        Form::Money => "a decimal string or a number".into(),
        Form::Hash => "`sha256:` and 64 lower-case hex digits".into(),
        Form::Hex(digits) => format!("{digits} lower-case hex digits"),
    }
}

impl From<Malformed> for DecodeError {
    fn from(Malformed { at, expected }: Malformed) -> Self {
        Self::MalformedJson { at, expected }
    }
}

#[cfg(test)]
mod tests;
