//! Reads one flat JSON object from a text without copying it. Numbers keep their digits (money never passes through a
//! float), nested values are checked and handed over unread. A general reader would cost more than scoring does.

use std::borrow::Cow;

use wide::u8x16;

/// Deepest nesting that is still read.
pub(super) const DEPTH_MAX: usize = 127;

/// Where the text stops being JSON, and what should have been there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Bytes from the start of the text.
    pub at: usize,
    pub expected: &'static str,
}

/// A JSON value as it stands in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// The digits as written.
    Number(&'a str),
    /// Borrowed unless it has escapes.
    Text(Cow<'a, str>),
    /// The text of an array.
    Array(&'a str),
    /// The text of an object.
    Object(&'a str),
}

/// Walks the members of one JSON object.
pub(super) struct ObjectReader<'a> {
    text: &'a str,
    at: usize,
    first: bool,
}

impl<'a> ObjectReader<'a> {
    /// Starts at the opening brace.
    pub fn open(text: &'a str) -> Result<Self, Malformed> {
        let mut reader = Self { text, at: 0, first: true };
        reader.skip_space();
        reader.take(b'{', "a JSON object")?;
        Ok(reader)
    }

    /// The next member; `None` after the closing brace, with nothing but space behind it.
    pub fn next_member(&mut self) -> Result<Option<(Cow<'a, str>, Value<'a>)>, Malformed> {
        let Some(name) = self.next_name()? else {
            self.skip_space();
            return if self.at == self.text.len() { Ok(None) } else { Err(self.malformed("nothing after the object")) };
        };
        let value = self.value()?;
        Ok(Some((name, value)))
    }

    /// The next member's name, up to the value; `None` after the closing brace.
    fn next_name(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.skip_space();
        if self.first {
            self.first = false;
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(None);
            }
        } else {
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(None);
                }
                _ => return Err(self.malformed("`,` or `}`")),
            }
            self.skip_space();
        }
        self.take(b'"', "a quoted name")?;
        let name = self.string_rest()?;
        self.skip_space();
        self.take(b':', "`:`")?;
        self.skip_space();
        Ok(Some(name))
    }

    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string_rest().map(Value::Text)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b'n') => self.word("null").map(|()| Value::Null),
            Some(b't') => self.word("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Value::Bool(false)),
            Some(b'[') => self.nested().map(Value::Array),
            Some(b'{') => self.nested().map(Value::Object),
            _ => Err(self.malformed("a value")),
        }
    }

    /// Checks an array or object and returns its text.
    fn nested(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        // The record's own object is the first level.
        self.skip_nested(2)?;
        Ok(&self.text[start..self.at])
    }

    fn skip_nested(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth > DEPTH_MAX {
            return Err(self.malformed("less nesting"));
        }
        if self.peek() == Some(b'[') {
            self.at += 1;
            self.skip_space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(());
            }
            loop {
                self.skip_value(depth)?;
                self.skip_space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        return Ok(());
                    }
                    _ => return Err(self.malformed("`,` or `]`")),
                }
                self.skip_space();
            }
        }
        self.at += 1;
        let mut inner = ObjectReader { text: self.text, at: self.at, first: true };
        while inner.next_name()?.is_some() {
            inner.skip_value(depth)?;
        }
        self.at = inner.at;
        Ok(())
    }

    fn skip_value(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'[' | b'{') => self.skip_nested(depth + 1),
            _ => self.value().map(|_| ()),
        }
    }

    /// What follows an opening quote, up to and including the closing one.
    fn string_rest(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let start = self.at;
        self.at = plain_end(self.text.as_bytes(), self.at);
        match self.peek() {
            Some(b'"') => {
                let plain = &self.text[start..self.at];
                self.at += 1;
                Ok(Cow::Borrowed(plain))
            }
            Some(b'\\') => self.escaped_rest(start).map(Cow::Owned),
            Some(_) => Err(self.malformed("no control character in a string")),
            None => Err(self.malformed("`\"`")),
        }
    }

    /// The rare way: the string has escapes.
    #[cold]
    fn escaped_rest(&mut self, start: usize) -> Result<String, Malformed> {
        let mut owned = self.text[start..self.at].to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(owned);
                }
                Some(b'\\') => {
                    self.at += 1;
                    owned.push(self.escape()?);
                }
                Some(byte) if byte >= 0x20 => {
                    let plain = self.at;
                    self.at = plain_end(self.text.as_bytes(), plain);
                    owned.push_str(&self.text[plain..self.at]);
                }
                Some(_) => return Err(self.malformed("no control character in a string")),
                None => return Err(self.malformed("`\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let plain = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.malformed("an escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char, Malformed> {
        let start = self.at;
        let first = self.four_hex()?;
        let scalar = if (0xD800..0xDC00).contains(&first) {
            self.take(b'\\', "the second half of a surrogate pair")?;
            self.take(b'u', "the second half of a surrogate pair")?;
            let second = self.four_hex()?;
            if !(0xDC00..0xE000).contains(&second) {
                return Err(Malformed { at: start, expected: "a surrogate pair" });
            }
            0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
        } else {
            first
        };
        char::from_u32(scalar).ok_or(Malformed { at: start, expected: "a surrogate pair" })
    }

    fn four_hex(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let mut value = 0;
        for digit in digits {
            let Some(digit) = char::from(*digit).to_digit(16) else { return Err(self.malformed("four hex digits")) };
            value = value * 16 + digit;
        }
        if digits.is_empty() {
            return Err(self.malformed("four hex digits"));
        }
        self.at += 4;
        Ok(value)
    }

    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.malformed("a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Malformed> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed(word));
        }
        self.at += word.len();
        Ok(())
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(self.malformed(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed { at: self.at, expected }
    }
}

/// The next byte from `at` on that ends the plain part of a string: a quote, a backslash or a control character.
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (quote, backslash, last_control) = (u8x16::splat(b'"'), u8x16::splat(b'\\'), u8x16::splat(0x1f));
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let sixteen = u8x16::new(*chunk);
        let controls = sixteen.max(last_control).simd_eq(last_control);
        let stops = (sixteen.simd_eq(quote) | sixteen.simd_eq(backslash) | controls).to_bitmask();
        if stops != 0 {
            return at + stops.trailing_zeros() as usize;
        }
        at += 16;
    }
    // The last bytes of a record, eight at a time. A byte of `x` is zero where the high bit of the same byte of the result is set; false hits only above a true one.
    let zeros = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let stops = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) | controls;
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if *byte < 0x20 || *byte == b'"' || *byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All members, or where reading stopped.
    fn read(text: &str) -> Result<Vec<(String, Value<'_>)>, Malformed> {
        let mut reader = ObjectReader::open(text)?;
        let mut members = Vec::new();
        while let Some((name, value)) = reader.next_member()? {
            members.push((name.into_owned(), value));
        }
        Ok(members)
    }

    #[track_caller]
    fn check_stops(text: &str, at: usize, expected: &'static str) {
        assert_eq!(read(text), Err(Malformed { at, expected }), "{text}");
    }

    #[test]
    fn a_string_ends_at_the_first_byte_that_is_not_plain() {
        for length in 0..48 {
            let plain: Vec<u8> = (0..length).map(|at| [b'a', b' ', 0x7f, 0x80, 0xc3, 0xff, b'!', b'#'][at % 8]).collect();
            for at in 0..length {
                assert_eq!(plain_end(&plain, at), length);
                for stop in [b'"', b'\\', 0, 0x1f, b'\n'] {
                    let mut text = plain.clone();
                    text[at] = stop;
                    assert_eq!(plain_end(&text, 0), at, "{stop:#x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn it_says_where_and_what() {
        check_stops("", 0, "a JSON object");
        check_stops("[]", 0, "a JSON object");
        check_stops(r#"{"a":1"#, 6, "`,` or `}`");
        check_stops(r#"{"a" 1}"#, 5, "`:`");
        check_stops(r#"{"a":01}"#, 6, "`,` or `}`");
        check_stops(r#"{"a":1.}"#, 7, "a digit");
        check_stops(r#"{"a":NaN}"#, 5, "a value");
        check_stops(r#"{"a":1}x"#, 7, "nothing after the object");
        check_stops(r#"{"a":1,}"#, 7, "a quoted name");
        check_stops("{\"a\":\"b\nc\"}", 7, "no control character in a string");
        check_stops(r#"{"a":"\ud800x"}"#, 12, "the second half of a surrogate pair");
        check_stops(r#"{"a":[1,]}"#, 8, "a value");
        check_stops(r#"{"a":"b"#, 7, "`\"`");
    }

    #[test]
    fn plain_strings_are_borrowed_and_numbers_keep_their_digits() {
        let members = read(r#"{"a":"plain ü","b":"tab\tA😀","c":-0.50,"d":[{"x":"]"}]}"#).unwrap();
        assert!(matches!(&members[0].1, Value::Text(Cow::Borrowed("plain ü"))));
        assert!(matches!(&members[1].1, Value::Text(Cow::Owned(text)) if text == "tab\tA😀"));
        assert_eq!(members[2].1, Value::Number("-0.50"));
        assert_eq!(members[3].1, Value::Array(r#"[{"x":"]"}]"#));
    }

    /// This reader and `serde_json` must agree on what is JSON and what it says.
    fn check_agreement(text: &str) {
        let ours = read(text);
        let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
        // serde_json also refuses numbers beyond f64, which is for the field to judge here.
        if theirs.as_ref().is_err_and(|error| error.to_string().contains("number out of range")) {
            return;
        }
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?} {theirs:?}");
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return };
        for (name, value) in &theirs {
            let last = ours.iter().rfind(|(ours, _)| ours == name).map(|(_, value)| value);
            let same = match (last, value) {
                (Some(Value::Null), serde_json::Value::Null) => true,
                (Some(Value::Bool(ours)), serde_json::Value::Bool(theirs)) => ours == theirs,
                (Some(Value::Text(ours)), serde_json::Value::String(theirs)) => ours == theirs,
                (Some(Value::Number(ours)), serde_json::Value::Number(theirs)) => ours.parse::<f64>().ok() == theirs.as_f64(),
                (Some(Value::Array(ours) | Value::Object(ours)), theirs) => {
                    serde_json::from_str::<serde_json::Value>(ours).ok().as_ref() == Some(theirs)
                }
                _ => false,
            };
            assert!(same, "{name} in {text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn it_agrees_with_serde_json_on_json(value in any_json(), spaces in 0_usize..3) {
            let text = format!("{{\"k\":{value}{}}}", " ".repeat(spaces));
            check_agreement(&text);
        }

        #[test]
        fn it_agrees_with_serde_json_on_broken_json(value in any_json(), cut in any::<prop::sample::Index>(), put in "[\\x00-\\x7f]{0,3}") {
            let mut text = format!("{{\"k\":{value},\"l\\n\":[1,{{}}]}}");
            let mut place = cut.index(text.len());
            while !text.is_char_boundary(place) {
                place -= 1;
            }
            let end = (place + put.len()).min(text.len());
            if text.is_char_boundary(end) {
                text.replace_range(place..end, &put);
            }
            check_agreement(&text);
        }
    }

    fn any_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<f64>().prop_filter("JSON has no infinities", |x| x.is_finite()).prop_map(|x| format!("{x:e}")),
            any::<i64>().prop_map(|x| x.to_string()),
            "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
            any::<String>().prop_map(|text| serde_json::Value::String(text).to_string()),
            "(\\\\u[0-9a-fA-F]{4}|\\\\[bfnrt/\"]|[a-zé]){0,6}".prop_map(|text| format!("\"{text}\"")),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::vec(("[a-z\\\\n]{0,3}", inner), 0..4).prop_map(|items| {
                    let members: Vec<String> =
                        items.iter().map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name.as_str()))).collect();
                    format!("{{{}}}", members.join(", "))
                }),
            ]
        })
    }
}
