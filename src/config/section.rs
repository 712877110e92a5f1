//! Reads one table of the configuration key by key. What is wrong is noted and the default taken, so that one run names every
//! mistake; a key that nobody asked for is a mistake too.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::document::{Place, Problem, Raw, Written};
use super::duration;

/// One table, with the keys that were asked for so far.
pub(crate) struct Section<'d> {
    path: String,
    members: Option<&'d BTreeMap<String, Written>>,
    /// Of the table's own key; `None` when it is absent.
    place: Option<Place>,
    asked: RefCell<Vec<String>>,
    problems: &'d RefCell<Vec<Problem>>,
}

impl<'d> Section<'d> {
    /// The whole file.
    pub fn root(document: &'d Written, problems: &'d RefCell<Vec<Problem>>) -> Self {
        Self::new(String::new(), Some(document), problems)
    }

    fn new(path: String, written: Option<&'d Written>, problems: &'d RefCell<Vec<Problem>>) -> Self {
        let members = written.and_then(|written| if let Raw::Table(members) = &written.value { Some(members) } else { None });
        Self { path, members, place: written.map(|written| written.place.clone()), asked: RefCell::default(), problems }
    }

    /// A table in this one; empty when it is absent.
    pub fn section(&self, key: &str) -> Self {
        let written = self.take(key);
        if let Some(written) = written.filter(|written| !matches!(written.value, Raw::Table(_))) {
            self.refuse(key, written, "a table");
        }
        Self::new(self.full(key), written, self.problems)
    }

    /// The tables of `[[key]]`; `None` when there is none.
    pub fn sections(&self, key: &str) -> Option<Vec<Self>> {
        let written = self.take(key)?;
        let Raw::List(items) = &written.value else {
            self.refuse(key, written, "tables, each under its own `[[…]]`");
            return None;
        };
        let one = |(index, item): (usize, &'d Written)| {
            let path = format!("{}[{index}]", self.full(key));
            if !matches!(item.value, Raw::Table(_)) {
                self.note(&item.place, format!("`{path}` is {}, expected a table", item.value));
            }
            Self::new(path, Some(item), self.problems)
        };
        Some(items.iter().enumerate().map(one).collect())
    }

    /// The names of all members, in order.
    pub fn keys(&self) -> Vec<&'d str> {
        self.members.into_iter().flatten().map(|(key, _)| key.as_str()).collect()
    }

    /// Where the member stands, or else the table.
    pub fn place_of(&self, key: &str) -> Place {
        let member = self.members.and_then(|members| members.get(key)).map(|written| &written.place);
        member.or(self.place.as_ref()).unwrap_or(&Place::File { line: 1, column: 1 }).clone()
    }

    /// Whether the member is a table.
    pub fn is_table(&self, key: &str) -> bool {
        self.members.and_then(|members| members.get(key)).is_some_and(|written| matches!(written.value, Raw::Table(_)))
    }

    /// Whether the key is not there.
    pub fn is_absent(&self, key: &str) -> bool {
        self.members.is_none_or(|members| !members.contains_key(key))
    }

    /// Text that `accept` accepts.
    pub fn text(&self, key: &str, default: &str, accept: impl Fn(&str) -> bool, expected: &str) -> String {
        self.optional(key, expected, |raw| match raw {
            Raw::Text(text) | Raw::Untyped(text) => accept(text).then(|| text.clone()),
            _ => None,
        })
        .unwrap_or_else(|| default.to_owned())
    }

    /// A whole number in `range`.
    pub fn whole<T: Copy + Display + TryFrom<i128> + PartialOrd>(&self, key: &str, default: T, range: RangeInclusive<T>) -> T {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.optional(key, &expected, |raw| match raw {
            Raw::Whole(number) => T::try_from(*number).ok().filter(|number| range.contains(number)),
            _ => None,
        })
        .unwrap_or(default)
    }

    /// A finite number that `accept` accepts.
    pub fn number(&self, key: &str, default: f64, accept: impl Fn(f64) -> bool, expected: &str) -> f64 {
        self.optional_number(key, accept, expected).unwrap_or(default)
    }

    /// The same where absent means something.
    pub fn optional_number(&self, key: &str, accept: impl Fn(f64) -> bool, expected: &str) -> Option<f64> {
        self.optional(key, expected, |raw| {
            let number = match raw {
                Raw::Float(number) => *number,
                Raw::Whole(number) => *number as f64,
                _ => return None,
            };
            (number.is_finite() && accept(number)).then_some(number)
        })
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.optional(key, "true or false", |raw| if let Raw::Flag(flag) = raw { Some(*flag) } else { None }).unwrap_or(default)
    }

    /// One of the words of a table.
    pub fn word<T: Copy>(&self, key: &str, default: T, words: &[(&str, T)]) -> T {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let expected = format!("one of {}", names.join(", "));
        let find = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        self.optional(key, &expected, |raw| raw.text().and_then(find)).unwrap_or(default)
    }

    /// A duration in `range`, milliseconds.
    pub fn duration(&self, key: &str, default_ms: i64, range_ms: RangeInclusive<i64>) -> i64 {
        let (from, to) = (duration::written(*range_ms.start()), duration::written(*range_ms.end()));
        let expected = format!("a duration such as 15m, from {from} to {to}");
        let parse = |text: &str| duration::parse(text).filter(|ms| range_ms.contains(ms));
        self.optional(key, &expected, |raw| raw.text().and_then(parse)).unwrap_or(default_ms)
    }

    /// A list of texts, none of them empty.
    pub fn texts(&self, key: &str, default: &[String]) -> Vec<String> {
        self.optional_texts(key).unwrap_or_else(|| default.to_vec())
    }

    /// The same where absent means something. An environment variable may also hold them with commas between.
    pub fn optional_texts(&self, key: &str) -> Option<Vec<String>> {
        let is_variable =
            self.members.and_then(|members| members.get(key)).is_some_and(|written| matches!(written.place, Place::Variable(_)));
        let split = |text: &str| text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect();
        self.optional(key, "a list of texts", |raw| match raw {
            Raw::List(items) => items.iter().map(|item| item.value.text().filter(|text| !text.is_empty()).map(str::to_owned)).collect(),
            Raw::Untyped(text) if is_variable => Some(split(text)),
            _ => None,
        })
    }

    /// What `read` makes of the value; `None` when it is absent, or wrong and noted. An untyped value is shown to `read` as
    /// text first and then, when nothing came of that, as the number or flag that it spells.
    pub fn optional<T>(&self, key: &str, expected: &str, read: impl Fn(&Raw) -> Option<T>) -> Option<T> {
        let written = self.take(key)?;
        let value = read(&written.value).or_else(|| match &written.value {
            Raw::Untyped(text) => scalar(text).as_ref().and_then(&read),
            _ => None,
        });
        if value.is_none() {
            self.refuse(key, written, expected);
        }
        value
    }

    /// Every member with its dotted name, tables within flattened. For keys that are not ours to know.
    pub fn flattened(&self) -> Vec<(String, &'d Written)> {
        let mut found = Vec::new();
        let mut open: Vec<(String, &'d BTreeMap<String, Written>)> =
            self.members.map(|members| (String::new(), members)).into_iter().collect();
        while let Some((prefix, members)) = open.pop() {
            for (key, written) in members {
                match &written.value {
                    Raw::Table(inner) if !is_file_reference(inner) => open.push((format!("{prefix}{key}."), inner)),
                    _ => found.push((format!("{prefix}{key}"), written)),
                }
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    /// Notes the keys that nobody asked for.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        for (key, written) in self.members.into_iter().flatten().filter(|(key, _)| !asked.contains(*key)) {
            let hint = nearest(key, &asked)
                .map_or_else(|| format!("expected one of {}", asked.join(", ")), |near| format!("did you mean `{near}`?"));
            self.note(&written.place, format!("unknown key `{}`, {hint}", self.full(key)));
        }
    }

    /// Notes what is wrong between keys, at the place of one of them.
    pub fn contradiction(&self, key: &str, message: String) {
        self.note(&self.place_of(key), message);
    }

    /// The key with its tables.
    pub fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a mistake.
    pub fn note(&self, place: &Place, message: String) {
        self.problems.borrow_mut().push(Problem { place: place.clone(), message });
    }

    fn refuse(&self, key: &str, written: &Written, expected: &str) {
        self.note(&written.place, format!("`{}` is {}, expected {expected}", self.full(key), written.value));
    }

    fn take(&self, key: &str) -> Option<&'d Written> {
        self.asked.borrow_mut().push(key.to_owned());
        self.members.and_then(|members| members.get(key))
    }
}

/// The number or flag that a text spells.
fn scalar(text: &str) -> Option<Raw> {
    let whole = || text.parse().ok().map(Raw::Whole);
    let flag = || text.parse().ok().map(Raw::Flag);
    whole().or_else(|| text.parse().ok().map(Raw::Float)).or_else(flag)
}

/// `{ file = "…" }`: the value stands in a file.
pub(crate) fn is_file_reference(members: &BTreeMap<String, Written>) -> bool {
    members.len() == 1 && members.contains_key("file")
}

/// The known key that the unknown one was probably meant to be.
fn nearest<'k>(unknown: &str, known: &'k [String]) -> Option<&'k str> {
    let (distance, near) = known.iter().map(|key| (edits(unknown, key), key.as_str())).min()?;
    (distance <= 1 + near.len() / 5).then_some(near)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
fn edits(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let swapped = i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b;
            let swap = if swapped { before[j - 1] + 1 } else { usize::MAX };
            row.push(replaced.min(last[j + 1] + 1).min(row[j] + 1).min(swap));
        }
        before = std::mem::replace(&mut last, row);
    }
    last.pop().unwrap_or_default()
}
