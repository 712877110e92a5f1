//! JSON Schema of the native event, from the same list of fields as the decoder. Written by hand, because the decoder is.

use serde_json::{Map, Value, json};

use super::field::{Field, Form};
use super::timestamp::{EPOCH_MS_MAX, SECONDS_SUSPECTED};

/// RFC 3339 as far as a pattern can say it; the decoder also knows the days of a month.
const RFC_3339: &str = "^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// The schema, draft 2020-12. `null` is absent everywhere; lengths count characters here and bytes in the decoder.
#[must_use]
pub fn native_event() -> Value {
    let properties: Map<String, Value> = Field::ALL.into_iter().map(|field| (field.name().to_owned(), property(field))).collect();
    let tool = json!({"type": "string", "minLength": 1});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "NativeEvent",
        "description": "One action of one agent: one JSON object, one Kafka record, key = agent_id. Unknown fields are ignored and counted; null and empty text count as absent.",
        "type": "object",
        "properties": properties,
        "required": ["ts", "agent_id"],
        "anyOf": [
            {"required": ["tool"], "properties": {"tool": tool}},
            {"required": ["action"], "properties": {"action": {"type": "string", "not": {"const": "tool_call"}}}},
        ],
    })
}

fn property(field: Field) -> Value {
    let mut schema = match field.form() {
        Form::Text { bytes_max } => json!({"type": "string", "maxLength": bytes_max}),
        Form::Word(words) => json!({"type": "string", "enum": words}),
        Form::Time => json!({"anyOf": [
            {"type": "string", "pattern": RFC_3339, "format": "date-time"},
            {"type": "integer", "minimum": 0, "exclusiveMaximum": SECONDS_SUSPECTED.start},
            {"type": "integer", "minimum": SECONDS_SUSPECTED.end, "maximum": EPOCH_MS_MAX},
        ]}),
        Form::Count => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
        Form::Milliseconds => json!({"type": "number", "minimum": 0}),
        Form::Address => json!({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}),
        Form::Money => json!({"anyOf": [{"type": "string"}, {"type": "number"}]}),
        Form::Hash => json!({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}),
        Form::Hex(digits) => json!({"type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$")}),
    };
    let is_required = matches!(field, Field::Ts | Field::AgentId);
    if field == Field::AgentId {
        schema["minLength"] = json!(1);
    }
    if !is_required {
        schema = json!({"anyOf": [{"type": "null"}, schema]});
    }
    schema["description"] = json!(field.meaning());
    schema
}
