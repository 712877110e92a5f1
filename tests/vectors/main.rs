//! Every intermediate quantity of the reference vectors, where they are there (`../shared/vectors`).

mod streams;
mod units;
