//! From a session's p-value to severity, risk and decision (DESIGN.md, section 5; DETECTION.md, section 2.4).

use crate::finding::{Decision, Severity};

/// Severity of behaviour at `p`, given that it is below `alpha`.
#[must_use]
pub fn severity(p: f64, alpha: f64) -> Severity {
    match alpha / p {
        ratio if ratio > 1000.0 => Severity::Critical,
        ratio if ratio > 100.0 => Severity::High,
        ratio if ratio > 10.0 => Severity::Medium,
        _ => Severity::Low,
    }
}

/// 0 to 100: `25 + 25·log10(α/p)`.
#[must_use]
pub fn risk(p: f64, alpha: f64) -> u8 {
    let risk = 25.0 + (25.0 * (alpha / p.max(1e-300)).log10()).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100")]
    let risk = risk.clamp(0.0, 100.0) as u8;
    risk
}

/// 0 to 100 where the kind alone says how bad it is: behaviour just at the threshold of that severity has the same.
#[must_use]
pub fn risk_of(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 25,
        Severity::Medium => 50,
        Severity::High => 75,
        Severity::Critical => 100,
    }
}

/// What behaviour alone asks for; it never suspends.
#[must_use]
pub fn decide(p: f64, alpha: f64, writes: bool) -> Decision {
    if p >= alpha {
        Decision::Allow
    } else if p < alpha / 10.0 || writes {
        Decision::StepUp
    } else {
        Decision::Alert
    }
}

/// One step milder, for behaviour that a declared release explains.
#[must_use]
pub fn soften(severity: Severity) -> Severity {
    match severity {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::{decide, risk, severity};
    use crate::finding::{Decision, Severity};

    #[track_caller]
    fn check(p: f64, writes: bool, expected: (Severity, u8, Decision)) {
        assert_eq!((severity(p, 0.01), risk(p, 0.01), decide(p, 0.01, writes)), expected);
    }

    #[test]
    fn just_below_the_budget_a_read_alerts_and_a_write_asks() {
        check(0.009, false, (Severity::Low, 26, Decision::Alert));
        check(0.009, true, (Severity::Low, 26, Decision::StepUp));
    }

    #[test]
    fn each_power_of_ten_is_a_step() {
        check(0.0009, false, (Severity::Medium, 51, Decision::StepUp));
        check(0.00009, false, (Severity::High, 76, Decision::StepUp));
        check(0.000_009, false, (Severity::Critical, 100, Decision::StepUp));
    }

    #[test]
    fn nothing_is_asked_of_ordinary_work() {
        assert_eq!(decide(0.01, 0.01, true), Decision::Allow);
    }

    #[test]
    fn a_p_of_zero_is_a_finite_risk() {
        assert_eq!(risk(0.0, 0.01), 100);
    }
}
