//! Canonical JSON (RFC 8785, JCS), and `params_hash` over it: the same parameters give the same bytes, whoever wrote them.

use std::io::{self, Write};

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use sha2::{Digest, Sha256};

/// What every `params_hash` begins with.
pub const PREFIX: &str = "sha256:";

/// Integers up to here are doubles too, and are written alike.
const EXACT_MAX: u64 = 1 << 53;

/// The canonical form. Numbers are doubles, as RFC 8785 has them: beyond 2^53 neighbours become one.
///
/// # Panics
/// Never: a [`Value`] has text keys, each once, and finite numbers, which is all that the canonical form asks for.
#[must_use]
pub fn bytes(value: &Value) -> Vec<u8> {
    if !has_ascii_names(value) {
        return serde_json_canonicalizer::to_vec(value).expect("text keys, each once, and finite numbers always have a canonical form");
    }
    // Bytes, by which `Value` orders its names, then order as UTF-16 does, and only numbers differ from the usual form. The records of
    // the why-trail are written here, several for an event; the way above takes three times as long.
    in_order(value)
}

/// [`bytes`] of what gives its members in the order of their names already, which are ASCII.
fn in_order(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, NumbersOfRfc8785)).expect("a vector takes everything");
    bytes
}

/// [`params_hash`] of what gives its members in the order of their names already, which are ASCII, without a [`Value`] in between.
///
/// # Panics
/// With a map whose keys are no texts.
#[must_use]
pub fn hash_in_order(value: &impl Serialize) -> String {
    prefixed_digest(&in_order(value))
}

/// Whether each name of a member, at any depth, is ASCII.
fn has_ascii_names(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(name, member)| name.is_ascii() && has_ascii_names(member)),
        Value::Array(elements) => elements.iter().all(has_ascii_names),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// JSON without spaces, with numbers as ECMAScript writes them.
struct NumbersOfRfc8785;

impl Formatter for NumbersOfRfc8785 {
    fn write_f64<W: Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }

    fn write_i64<W: Write + ?Sized>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() > EXACT_MAX { self.write_f64(writer, value as f64) } else { CompactFormatter.write_i64(writer, value) }
    }

    fn write_u64<W: Write + ?Sized>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value > EXACT_MAX { self.write_f64(writer, value as f64) } else { CompactFormatter.write_u64(writer, value) }
    }
}

/// `sha256:` and 64 hex digits over the canonical form of an action's parameters.
#[must_use]
pub fn params_hash(parameters: &Value) -> String {
    prefixed_digest(&bytes(parameters))
}

fn prefixed_digest(bytes: &[u8]) -> String {
    PREFIX.to_owned() + &hex_digest(bytes)
}

/// SHA-256 as 64 lower-case hex digits.
#[must_use]
pub fn hex_digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-9_007_199_254_740_993_i64..=-9_007_199_254_740_990).prop_map(Value::from),
            (9_007_199_254_740_990_u64..=9_007_199_254_740_993).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 32, 6, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from);
            let object = |name: &'static str| prop::collection::btree_map(name, inner.clone(), 0..6);
            let object = prop_oneof![3 => object("[ -~]*"), 1 => object("[\\x00-\\x7f]*"), 1 => object(".*")];
            prop_oneof![list, object.prop_map(|members| Value::Object(members.into_iter().collect()))]
        })
    }

    proptest! {
        #[test]
        fn the_short_way_gives_the_same_bytes_as_the_long_one(value in any_json()) {
            prop_assert_eq!(bytes(&value), serde_json_canonicalizer::to_vec(&value).unwrap());
        }
    }

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let value: Value = serde_json::from_str(json).expect(json);
        assert_eq!(String::from_utf8(bytes(&value)).unwrap(), expected);
    }

    /// RFC 8785, sections 3.2.2 and 3.2.3.
    #[test]
    fn the_sample_of_the_rfc_has_its_canonical_form() {
        check(
            r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#,
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#,
        );
    }

    /// RFC 8785, section 3.2.3: keys in the order of their UTF-16 code units.
    #[test]
    fn keys_are_in_the_order_of_utf_16() {
        check(
            r#"{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
                "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}"#,
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\
             \"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        );
    }

    /// RFC 8785, appendix B: the bits of a double and its text.
    #[test]
    fn numbers_are_written_as_ecmascript_does() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(bytes(&Value::from(f64::from_bits(bits))), text.as_bytes(), "{bits:016x}");
        }
    }

    #[test]
    fn the_hash_does_not_depend_on_how_it_was_written() {
        let [one, other]: [Value; 2] = [r#"{"amount": 80.0, "to": "customer 4821"}"#, "{\"to\":\"customer 4821\",\n\"amount\":8e1}"]
            .map(|json| serde_json::from_str(json).unwrap());
        assert_eq!(params_hash(&one), params_hash(&other));
        assert_eq!(params_hash(&serde_json::json!({})), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }
}
