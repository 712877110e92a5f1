//! Quantities as people read them.

use crate::baseline::Metric;

/// `8,123`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `71 %`, with more places where they matter.
#[must_use]
pub fn percent(share: f64) -> String {
    match 100.0 * share {
        whole if whole >= 10.0 => format!("{whole:.0} %"),
        tenth if tenth >= 0.1 => format!("{tenth:.1} %"),
        small => format!("{small:.2} %"),
    }
}

/// A value of a metric: bytes in decimal units, durations in ms, s, min or h.
#[must_use]
pub fn value(metric: Metric, value: f64) -> String {
    match metric {
        Metric::BytesOut | Metric::BytesIn => {
            scaled(value, &[("B", 1000.0), ("KB", 1000.0), ("MB", 1000.0), ("GB", 1000.0), ("TB", f64::INFINITY)])
        }
        Metric::Duration => duration(value),
        Metric::Gap => duration(1000.0 * value),
    }
}

fn duration(ms: f64) -> String {
    scaled(ms, &[("ms", 1000.0), ("s", 60.0), ("min", 60.0), ("h", f64::INFINITY)])
}

fn scaled(mut value: f64, units: &[(&str, f64)]) -> String {
    let mut name = "";
    for &(unit, step) in units {
        name = unit;
        if value < step {
            break;
        }
        value /= step;
    }
    if value >= 100.0 || (value - value.round()).abs() < 0.05 { format!("{value:.0} {name}") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::{count, percent, value};
    use crate::baseline::Metric;

    #[track_caller]
    fn check(actual: &str, expected: &str) {
        assert_eq!(actual, expected);
    }

    #[test]
    fn counts_have_thousands_separators() {
        check(&count(7), "7");
        check(&count(8123), "8,123");
        check(&count(1_234_567), "1,234,567");
    }

    #[test]
    fn shares_keep_the_places_that_matter() {
        check(&percent(0.714), "71 %");
        check(&percent(0.021), "2.1 %");
        check(&percent(0.0004), "0.04 %");
    }

    #[test]
    fn sizes_and_durations_have_units() {
        check(&value(Metric::BytesOut, 48_200_000.0), "48.2 MB");
        check(&value(Metric::BytesIn, 14_000.0), "14 KB");
        check(&value(Metric::Duration, 1_143.2), "1.1 s");
        check(&value(Metric::Duration, 90_000.0), "1.5 min");
        check(&value(Metric::Gap, 0.25), "250 ms");
    }
}
