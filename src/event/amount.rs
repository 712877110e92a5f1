//! Money without floating point.

use std::borrow::Cow;

use rust_decimal::Decimal;

/// The `amount` of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amount<'a> {
    /// Read exactly.
    Exact(Decimal),
    /// Given, but no decimal number; judged as above every limit.
    Unreadable(Cow<'a, str>),
}

impl<'a> Amount<'a> {
    /// Reads `-?digits[.digits]`. Anything else, and what a decimal of 96 bits cannot hold exactly, is unreadable.
    #[must_use]
    pub fn from_text(text: Cow<'a, str>) -> Self {
        let decimal = if is_plain(&text) { Decimal::from_str_exact(&text).ok() } else { None };
        decimal.map_or(Self::Unreadable(text), Self::Exact)
    }

    /// Reads the digits of a JSON number, which may have an exponent.
    #[must_use]
    pub fn from_number(digits: &'a str) -> Self {
        if is_plain(digits) {
            return Self::from_text(Cow::Borrowed(digits));
        }
        Decimal::from_scientific(digits).map_or(Self::Unreadable(Cow::Borrowed(digits)), Self::Exact)
    }

    /// The same, holding its own text.
    #[must_use]
    pub fn into_owned(self) -> Amount<'static> {
        match self {
            Self::Exact(decimal) => Amount::Exact(decimal),
            Self::Unreadable(text) => Amount::Unreadable(Cow::Owned(text.into_owned())),
        }
    }
}

impl std::fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(decimal) => decimal.fmt(f),
            Self::Unreadable(text) => text.fmt(f),
        }
    }
}

/// Separators and exponents are refused: `1,000` and `1_000` mean different sums to different readers.
fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    [whole, fraction].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(text: &str, expected: Option<&str>) {
        let exact = match Amount::from_text(Cow::Borrowed(text)) {
            Amount::Exact(decimal) => Some(decimal.to_string()),
            Amount::Unreadable(kept) => {
                assert_eq!(kept, text);
                None
            }
        };
        assert_eq!(exact.as_deref(), expected, "{text}");
    }

    #[test]
    fn plain_decimals_are_exact() {
        check_text("0.1", Some("0.1"));
        check_text("50.10", Some("50.10"));
        check_text("-7", Some("-7"));
        check_text("79228162514264337593543950335", Some("79228162514264337593543950335"));
    }

    #[test]
    fn anything_else_is_kept_unread() {
        for text in ["", " 5", "5 EUR", "1,000.00", "1_000", "1e3", "+5", ".5", "5.", "NaN", "٥", "79228162514264337593543950336"] {
            check_text(text, None);
        }
        check_text("0.12345678901234567890123456789", None);
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(Amount::from_number("0.30000000000000004"), Amount::Exact("0.30000000000000004".parse().unwrap()));
        assert_eq!(Amount::from_number("1.5e3"), Amount::Exact(Decimal::from(1500)));
        assert_eq!(Amount::from_number("1e400"), Amount::Unreadable("1e400".into()));
    }
}
