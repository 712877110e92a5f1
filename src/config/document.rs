//! A document as written: a tree of values that know where they stand. The configuration comes from TOML text and the
//! environment; other layers read their own documents into the same tree.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Environment variables with this prefix override the file; `__` separates tables from keys.
pub const VARIABLE_PREFIX: &str = "GAITKEEPER__";

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file; both count from 1, columns in characters.
    File {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// In the environment variable of that name.
    Variable(String),
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it was written.
    pub place: Place,
    /// Value and what was expected.
    pub message: String,
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    /// Of the key, or of the value where there is no key.
    pub place: Place,
    pub value: Raw,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    Text(String),
    Whole(i128),
    Float(f64),
    Flag(bool),
    /// A date, or a number too large to hold: no key takes it.
    Other(String),
    List(Vec<Written>),
    Table(BTreeMap<String, Written>),
    /// Text whose type is the one that is asked for: an environment variable, a plain scalar of YAML.
    Untyped(String),
}

impl Raw {
    /// The text, whether or not its type was known when it was read.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Untyped(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Untyped(text) => write!(f, "\"{}\"", text.escape_debug()),
            Self::Whole(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Other(text) => text.fmt(f),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

/// Reads the text; the root is a table.
pub(crate) fn parse(text: &str) -> Result<Written, Problem> {
    let lines = Lines { text };
    let root = DeTable::parse(text).map_err(|error| Problem {
        place: lines.place(error.span().map_or(0, |span| span.start)),
        // Only the message: the full text of the error would show the line, which may hold a secret.
        message: error.message().to_owned(),
    })?;
    Ok(Written { place: lines.place(0), value: table(root.get_ref(), &|at| lines.place(at)) })
}

/// Reads a list or table that an environment variable spells in TOML.
fn spelled(name: &str, text: &str) -> Option<Raw> {
    let parsed = DeValue::parse(text.trim()).ok()?;
    Some(raw(parsed.get_ref(), &|_| Place::Variable(name.to_owned())))
}

/// Puts the variables with [`VARIABLE_PREFIX`] in their places.
pub(crate) fn override_with(root: &mut Written, variables: &BTreeMap<String, String>) -> Result<(), Problem> {
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let composed = spelled(name, text).filter(|value| matches!(value, Raw::List(_) | Raw::Table(_)));
        let value = composed.unwrap_or_else(|| Raw::Untyped(text.clone()));
        put(root, &keys, Written { place: Place::Variable(name.clone()), value })?;
    }
    Ok(())
}

/// Puts a value under its path of keys; what stands in the way and is no table gives way.
fn put(node: &mut Written, keys: &[String], written: Written) -> Result<(), Problem> {
    let Some((key, below)) = keys.split_first() else {
        *node = written;
        return Ok(());
    };
    if matches!(node.value, Raw::List(_)) {
        let message = "names a member of a list, expected the whole list as TOML".into();
        return Err(Problem { place: written.place, message });
    }
    if !matches!(node.value, Raw::Table(_)) {
        node.value = Raw::Table(BTreeMap::new());
    }
    if let Raw::Table(members) = &mut node.value {
        let empty = Written { place: written.place.clone(), value: Raw::Table(BTreeMap::new()) };
        put(members.entry(key.clone()).or_insert(empty), below, written)?;
    }
    Ok(())
}

type Places<'a> = &'a dyn Fn(usize) -> Place;

fn table(table: &DeTable<'_>, places: Places<'_>) -> Raw {
    let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
        let written = Written { place: places(key.span().start), value: raw(value.get_ref(), places) };
        (key.get_ref().clone().into_owned(), written)
    };
    Raw::Table(table.iter().map(member).collect())
}

fn raw(value: &DeValue<'_>, places: Places<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.clone().into_owned()),
        DeValue::Integer(digits) => {
            i128::from_str_radix(digits.as_str(), digits.radix()).map_or_else(|_| Raw::Other(digits.to_string()), Raw::Whole)
        }
        DeValue::Float(digits) => digits.as_str().parse().map_or_else(|_| Raw::Other(digits.to_string()), Raw::Float),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Datetime(time) => Raw::Other(time.to_string()),
        DeValue::Array(items) => {
            let item = |item: &Spanned<DeValue<'_>>| Written { place: places(item.span().start), value: raw(item.get_ref(), places) };
            Raw::List(items.iter().map(item).collect())
        }
        DeValue::Table(members) => table(members, places),
    }
}

struct Lines<'a> {
    text: &'a str,
}

impl Lines<'_> {
    fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Place::File { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}
