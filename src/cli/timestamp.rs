//! Times on the command line.

/// Reads RFC 3339 or epoch milliseconds.
pub fn parse(text: &str) -> Result<i64, String> {
    if let Ok(epoch_ms) = text.parse::<i64>() {
        return Ok(epoch_ms);
    }
    let moment: Result<jiff::Timestamp, _> = text.parse();
    moment.map(jiff::Timestamp::as_millisecond).map_err(|_| format!("`{text}` is neither RFC 3339 nor epoch milliseconds"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn both_forms_are_one_time() {
        assert_eq!(parse("1736190222423"), Ok(1_736_190_222_423));
        assert_eq!(parse("2025-01-06T19:03:42.423Z"), Ok(1_736_190_222_423));
        assert_eq!(parse("2025-01-06T20:03:42.423+01:00"), Ok(1_736_190_222_423));
        assert!(parse("yesterday").is_err());
        assert!(parse("2025-01-06").is_err());
    }
}
