//! Times on the command line: what events may say, too.

use crate::event::timestamp;

/// Reads RFC 3339 or epoch milliseconds.
pub fn parse(text: &str) -> Result<i64, String> {
    let read = text.parse().map_or_else(|_| timestamp::from_rfc3339(text), timestamp::from_epoch_ms);
    read.ok_or_else(|| format!("`{text}` is neither RFC 3339 nor epoch milliseconds, from 1970 to 9999"))
}

/// The day, UTC, as `2025-01-06`.
pub fn day(ms: i64) -> String {
    written(ms).chars().take(10).collect()
}

/// The time, UTC, as `2025-01-06T19:03:42Z`.
pub fn written(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn both_forms_are_one_time() {
        assert_eq!(parse("1736190222423"), Ok(1_736_190_222_423));
        assert_eq!(parse("2025-01-06T19:03:42.423Z"), Ok(1_736_190_222_423));
        assert_eq!(parse("2025-01-06T20:03:42.423+01:00"), Ok(1_736_190_222_423));
    }

    #[test]
    fn days_words_and_seconds_are_no_times() {
        for text in ["yesterday", "2025-01-06", "1736190222", "-1", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
