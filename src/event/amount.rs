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
