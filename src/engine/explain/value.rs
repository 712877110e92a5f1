//! The reason of an odd size, duration or gap.

use serde_json::{Map, json};

use super::{Draft, Told, format, quoted};
use crate::baseline::Metric;
use crate::baseline::volume::{Cell, Predictive};
use crate::finding::Evidence;
use crate::stats::student_t::quantile_99;

/// The measured value against median and 99th percentile.
pub(super) fn draft(told: &Told<'_>, metric: Metric) -> Draft {
    let status = told.observation.status_or_ok();
    let (predictive, own, _) = told.detector.model.predict(told.session.agent, told.session.group, metric, told.observation.tool, status);
    let value = told.observation.value(metric).map_or(0.0, |log| unscale(metric, log));
    let Usual { median, p99, n } = Usual::of(metric, &predictive, own);
    let (shown, median_shown, p99_shown) = (format::value(metric, value), format::value(metric, median), format::value(metric, p99));
    let tool = quoted(told.detector.model.tools.name(told.observation.tool));
    let field = metric.field();
    let ratio = if median > 0.0 { value / median } else { 0.0 };
    let mut detail = Map::new();
    detail.insert("median".into(), json!(median));
    detail.insert("p99".into(), json!(p99));
    detail.insert("value".into(), json!(value));
    detail.insert("ratio".into(), json!(ratio));
    detail.insert("level_used".into(), json!(if n >= 3 { "agent" } else { "group" }));
    Draft {
        field: field.into(),
        expected: format!("median {median_shown}, 99 % below {p99_shown} (n={})", format::count(n)),
        title: format!("{field} of {tool} was {shown}; median {median_shown}, 99 % below {p99_shown}, n={}", format::count(n)),
        normal_if: if value > median { format!("{field} were below {p99_shown}") } else { format!("{field} were near {median_shown}") },
        actual: shown,
        evidence: own.map(|own| Evidence {
            count: own.count_near(told.observation.value(metric).unwrap_or(0.0)),
            of: u64::from(own.histogram.total()),
        }),
        detail,
    }
}

/// What is usual for a value, back on its own scale.
pub(super) struct Usual {
    pub median: f64,
    pub p99: f64,
    pub n: u64,
}

impl Usual {
    pub(super) fn of(metric: Metric, predictive: &Predictive, own: Option<&Cell>) -> Self {
        let quantile =
            |share: f64, standard: f64| own.and_then(|own| own.quantile(share)).unwrap_or(predictive.mean + standard * predictive.scale);
        Self {
            median: unscale(metric, quantile(0.5, 0.0)),
            p99: unscale(metric, quantile(0.99, quantile_99(predictive.df))),
            n: own.map_or(0, |own| u64::from(own.histogram.total())),
        }
    }
}

fn unscale(metric: Metric, log: f64) -> f64 {
    match metric {
        Metric::Gap => (log.exp() - 0.001).max(0.0),
        _ => log.exp_m1().max(0.0),
    }
}
