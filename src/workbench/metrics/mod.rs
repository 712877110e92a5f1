//! How good a ranking of sessions or events is, and how sure that figure is. Knows scores and labels only: no events, no engine.

pub mod binomial;
pub mod bootstrap;
pub mod delay;
pub mod ranking;

pub use binomial::Proportion;
pub use bootstrap::{Bootstrap, Interval};
pub use delay::{Delay, DelayMeasures};
pub use ranking::{FALSE_ALARM_PERMILLE, Measures, Ranking};
