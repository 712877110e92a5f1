//! Durations as people write them: `15m`, `90d`, `1h30m`.

/// Units, largest first, with their milliseconds.
const UNITS: [(&str, i64); 6] = [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Milliseconds of one or more whole numbers with a unit; `None` when it is no such text or does not fit.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|letter: char| !letter.is_ascii_lowercase()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = number.parse::<i64>().ok()?.checked_mul(*unit_ms)?.checked_add(total)?;
        rest = after;
    }
    Some(total)
}

/// The shortest single number with a unit.
#[must_use]
pub fn written(ms: i64) -> String {
    if ms == 0 {
        return "0s".into();
    }
    let (unit, unit_ms) = UNITS.iter().skip(1).find(|(_, unit_ms)| ms % unit_ms == 0).unwrap_or(&("ms", 1));
    format!("{}{unit}", ms / unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse(text), expected, "{text}");
    }

    #[test]
    fn units_are_read_alone_and_together() {
        check("0s", Some(0));
        check("100ms", Some(100));
        check("15m", Some(900_000));
        check("1h30m", Some(5_400_000));
        check("90d", Some(7_776_000_000));
        check("2w", Some(1_209_600_000));
    }

    #[test]
    fn anything_else_is_no_duration() {
        for text in ["", "15", "m", "-5m", "1.5h", "15 m", "15M", "99999999999999999d", "15min"] {
            check(text, None);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for ms in [0, 1, 1_000, 61_000, 900_000, 86_400_000, 7_776_000_000, 1_001] {
            check(&written(ms), Some(ms));
        }
        assert_eq!(written(900_000), "15m");
    }
}
