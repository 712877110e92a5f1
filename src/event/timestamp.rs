//! Times of events: RFC 3339 text or integer epoch milliseconds, always held as epoch milliseconds.

/// 9999-12-31T23:59:59.999Z, the last instant that RFC 3339 can write.
pub const EPOCH_MS_MAX: i64 = 253_402_300_799_999;

/// Integers in this range are refused: read as milliseconds they are days in early 1970, read as seconds they are 2001 to
/// 2128, and the second is what the producer meant.
pub const SECONDS_SUSPECTED: std::ops::Range<i64> = 1_000_000_000..5_000_000_000;

/// What is accepted; for messages.
pub(super) const EXPECTED: &str = "an RFC 3339 time or integer epoch milliseconds, from 1970 to 9999";

/// Checks epoch milliseconds.
#[must_use]
pub fn from_epoch_ms(ms: i64) -> Option<i64> {
    ((0..=EPOCH_MS_MAX).contains(&ms) && !SECONDS_SUSPECTED.contains(&ms)).then_some(ms)
}

/// Reads RFC 3339, upper or lower case, with `T` or a space. Anything below a millisecond is cut off; second 60 counts as 59.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date_time, rest) = bytes.split_at_checked(19)?;
    let number = |from: usize, to: usize| digits(&date_time[from..to]);
    let separators = [date_time[4], date_time[7], date_time[10], date_time[13], date_time[16]];
    if !matches!(separators, [b'-', b'-', b'T' | b't' | b' ', b':', b':']) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day) && hour <= 23 && minute <= 59 && second <= 60;
    if !valid {
        return None;
    }
    let (fraction_ms, zone) = fraction(rest)?;
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second.min(59);
    let ms = (seconds - offset_seconds(zone)?) * 1_000 + fraction_ms;
    (0..=EPOCH_MS_MAX).contains(&ms).then_some(ms)
}

/// Milliseconds of `.123…`, and what follows.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', after)) = text.split_first() else { return Some((0, text)) };
    let length = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let (digits, rest) = after.split_at(length);
    let ms = [100, 10, 1].iter().zip(digits).map(|(weight, digit)| weight * i64::from(digit - b'0')).sum();
    Some((ms, rest))
}

/// Seconds east of UTC.
fn offset_seconds(zone: &[u8]) -> Option<i64> {
    if let [b'Z' | b'z'] = zone {
        return Some(0);
    }
    let &[sign @ (b'+' | b'-'), _, _, b':', _, _] = zone else { return None };
    let (hours, minutes) = (digits(&zone[1..3])?, digits(&zone[4..6])?);
    let east = hours * 3_600 + minutes * 60;
    (hours <= 23 && minutes <= 59).then_some(if sign == b'-' { -east } else { east })
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, with years that begin in March so that the leap day comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(from_rfc3339(text), expected, "{text}");
    }

    #[test]
    fn the_forms_of_rfc_3339_are_read() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2025-01-06T08:00:01.643Z", Some(1_736_150_401_643));
        check("2025-01-06t08:00:01.643z", Some(1_736_150_401_643));
        check("2025-01-06 09:30:01.6439999+01:30", Some(1_736_150_401_643));
        check("2024-02-29T12:00:00-00:00", Some(1_709_208_000_000));
        check("2016-12-31T23:59:60Z", Some(1_483_228_799_000));
        check("9999-12-31T23:59:59.999Z", Some(EPOCH_MS_MAX));
    }

    #[test]
    fn what_is_no_such_time_is_refused() {
        for text in [
            "",
            "2025-01-06",
            "2025-01-06T08:00:01",
            "2025-01-06T08:00:01.Z",
            "2025-13-06T08:00:01Z",
            "2025-02-29T08:00:01Z",
            "2025-01-06T24:00:00Z",
            "2025-01-06T08:00:01+0100",
            "2025-01-06T08:00:01Zx",
            "2025-01-06T08:00:0éZ",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn seconds_and_microseconds_are_not_taken_for_milliseconds() {
        assert_eq!(from_epoch_ms(0), Some(0));
        assert_eq!(from_epoch_ms(1_736_150_401_643), Some(1_736_150_401_643));
        assert_eq!(from_epoch_ms(1_736_150_401), None);
        assert_eq!(from_epoch_ms(1_736_150_401_643_000), None);
        assert_eq!(from_epoch_ms(-1), None);
    }

    proptest! {
        #[test]
        fn it_agrees_with_jiff(ms in 0..=EPOCH_MS_MAX - 86_400_000, east in -1_439_i64..=1_439) {
            let instant = jiff::Timestamp::from_millisecond(ms).unwrap();
            check(&instant.to_string(), Some(ms));
            let local = jiff::Timestamp::from_millisecond(ms + east * 60_000);
            prop_assume!(local.is_ok() && ms + east * 60_000 >= 0);
            let text = local.unwrap().to_string();
            let sign = if east < 0 { '-' } else { '+' };
            check(&text.replace('Z', &format!("{sign}{:02}:{:02}", east.abs() / 60, east.abs() % 60)), Some(ms));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = from_rfc3339(&text);
        }
    }
}
