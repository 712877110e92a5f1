//! YAML and JSON text as a tree that knows its lines. Aliases are refused: a few of them can stand for more nodes than memory
//! holds, and no record needs one.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use serde_json::Value;

use crate::config::document::{Raw, Written};
use crate::config::{Place, Problem};

/// Nesting that no record needs.
const DEPTH_MAX: usize = 16;

/// The documents of a text, empty ones left out.
pub(super) fn documents(text: &str) -> Result<Vec<Written>, Problem> {
    let mut reader = Reader { events: Parser::new_from_str(text) };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        if !matches!(event, Event::DocumentStart(_)) {
            continue;
        }
        let (first, at) = reader.must_follow(&span)?;
        let document = reader.node(first, &at, 1)?;
        if !is_null(&document.value) && !matches!(document.value, Raw::Other(_)) {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// A JSON value as the same tree; everything stands at its beginning.
pub(super) fn from_json(value: &Value) -> Written {
    let place = Place::File { line: 1, column: 1 };
    let value = match value {
        Value::Null => Raw::Untyped("null".into()),
        Value::Bool(flag) => Raw::Flag(*flag),
        // The digits as written, so that money stays exact.
        Value::Number(number) => Raw::Untyped(number.to_string()),
        Value::String(text) => Raw::Text(text.clone()),
        Value::Array(items) => Raw::List(items.iter().map(from_json).collect()),
        Value::Object(members) => {
            let present = members.iter().filter(|(_, value)| !value.is_null());
            Raw::Table(present.map(|(key, value)| (key.clone(), from_json(value))).collect())
        }
    };
    Written { place, value }
}

/// The tree as JSON that [`from_json`] reads back as the same. What a plain scalar spells is decided here as a reader decides it; a
/// decimal stays text, since a JSON number might lose digits.
pub(super) fn to_json(written: &Written) -> Value {
    match &written.value {
        Raw::Untyped(text) => {
            let whole = text.parse::<i64>().ok().filter(|number| number.to_string() == *text).map(Value::from);
            whole.or_else(|| text.parse::<bool>().ok().map(Value::from)).unwrap_or_else(|| text.as_str().into())
        }
        Raw::Text(text) | Raw::Other(text) => text.as_str().into(),
        Raw::Whole(number) => i64::try_from(*number).map_or_else(|_| number.to_string().into(), Value::from),
        Raw::Float(number) => number.to_string().into(),
        Raw::Flag(flag) => (*flag).into(),
        Raw::List(items) => items.iter().map(to_json).collect(),
        Raw::Table(members) => Value::Object(members.iter().map(|(key, member)| (key.clone(), to_json(member))).collect()),
    }
}

struct Reader<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Problem> {
        let next = self.events.next_event().transpose();
        next.map_err(|error| Problem { place: place(error.marker()), message: format!("is no YAML: {}", error.info()) })
    }

    fn must_follow(&mut self, span: &Span) -> Result<(Event<'t>, Span), Problem> {
        let unfinished = || Problem { place: place(&span.start), message: "is no YAML: it ends too early".into() };
        self.next()?.ok_or_else(unfinished)
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Written, Problem> {
        let place = place(&span.start);
        if depth > DEPTH_MAX {
            return Err(Problem { place, message: format!("is nested more than {DEPTH_MAX} deep") });
        }
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if text.is_empty() => Raw::Other("nothing".into()),
            Event::Scalar(text, ScalarStyle::Plain, ..) => Raw::Untyped(text.into_owned()),
            Event::Scalar(text, ..) => Raw::Text(text.into_owned()),
            Event::SequenceStart(..) => self.items(span, depth)?,
            Event::MappingStart(..) => self.members(span, depth)?,
            Event::Alias(_) => return Err(Problem { place, message: "is an alias, expected the value itself".into() }),
            _ => return Err(Problem { place, message: "is no YAML: expected a value".into() }),
        };
        Ok(Written { place, value })
    }

    fn items(&mut self, span: &Span, depth: usize) -> Result<Raw, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.must_follow(span)?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Raw::List(items));
            }
            items.push(self.node(event, &at, depth + 1)?);
        }
    }

    /// Members that are `null` are absent. A member stands where its key stands.
    fn members(&mut self, span: &Span, depth: usize) -> Result<Raw, Problem> {
        let mut members = BTreeMap::new();
        let mut seen = Vec::new();
        loop {
            let (event, at) = self.must_follow(span)?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Raw::Table(members));
            }
            let place = place(&at.start);
            let Event::Scalar(key, ..) = event else {
                return Err(Problem { place, message: "has a key that is no text".into() });
            };
            let key = key.into_owned();
            if seen.contains(&key) {
                return Err(Problem { place, message: format!("`{}` is there twice", key.escape_debug()) });
            }
            seen.push(key.clone());
            let (event, at) = self.must_follow(span)?;
            let value = self.node(event, &at, depth + 1)?.value;
            if !is_null(&value) {
                members.insert(key, Written { place, value });
            }
        }
    }
}

fn is_null(value: &Raw) -> bool {
    matches!(value, Raw::Untyped(text) if matches!(&**text, "null" | "~" | "Null" | "NULL"))
}

fn place(marker: &Marker) -> Place {
    Place::File { line: marker.line(), column: marker.col() + 1 }
}
