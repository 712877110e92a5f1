//! Ground truth of recorded streams: `label`, `session_label` and `attack`, read from a line apart from its event.
//!
//! Only what judges a detector may look here (evaluate, tune, train, generate, demo); the event handed to the engine has
//! no such fields.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

/// What is known to be true of an event. `None`: the stream does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Truth {
    /// Whether the event itself is misuse.
    #[serde(default, rename = "label", deserialize_with = "flag", serialize_with = "number")]
    pub event: Option<bool>,
    /// Whether its session contains misuse.
    #[serde(default, rename = "session_label", deserialize_with = "flag", serialize_with = "number")]
    pub session: Option<bool>,
    /// Name of the attack.
    #[serde(default)]
    pub attack: Option<String>,
}

/// Reads the ground truth from one line of a stream.
///
/// # Errors
/// The line is no JSON object, or a field is neither absent, `null`, a truth value nor a number.
pub fn read(line: &[u8]) -> Result<Truth, serde_json::Error> {
    serde_json::from_slice(line)
}

/// 0, 1, true, false or null.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = Option<bool>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("0, 1, true, false or null")
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Some(value))
        }
        fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(value != 0))
        }
        fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(value != 0))
        }
        fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
            Ok(Some(value != 0.0))
        }
    }
    deserializer.deserialize_any(Flag)
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn number<S: serde::Serializer>(flag: &Option<bool>, serializer: S) -> Result<S::Ok, S::Error> {
    flag.map(u8::from).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, event: Option<bool>, session: Option<bool>, attack: Option<&str>) {
        let truth = read(line.as_bytes()).expect(line);
        assert_eq!(truth, Truth { event, session, attack: attack.map(str::to_owned) }, "{line}");
    }

    #[test]
    fn numbers_truth_values_and_silence() {
        check(r#"{"ts":1,"label":0,"session_label":1,"attack":"burst"}"#, Some(false), Some(true), Some("burst"));
        check(r#"{"label":true,"session_label":false,"attack":null}"#, Some(true), Some(false), None);
        check(r#"{"label":null,"tool":"t"}"#, None, None, None);
        check(r#"{"label":1.0}"#, Some(true), None, None);
    }

    #[test]
    fn words_are_no_truth() {
        assert!(read(br#"{"label":"yes"}"#).is_err());
    }
}
