//! `gaitkeeper evaluate` as its users call it, and its metrics against scikit-learn.

mod command;
mod metrics_sklearn;
