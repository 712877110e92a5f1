//! Which techniques of the field each kind points at. Ids: STANDARDS.md, section 9 (ATLAS 5.6.0, ATT&CK, OWASP 2025/2026).

use super::Kind;

/// ATLAS, ATT&CK, OWASP ASI, NHI and MCP ids of a kind, in that order.
#[must_use]
pub fn of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Sequence | Kind::Session | Kind::DriftUnexplained => &["AML.T0053", "T1078.004", "ASI01", "ASI02", "ASI10", "MCP06:2025"],
        _ => &[],
    }
}
