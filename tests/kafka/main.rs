//! Tests on a real Apache Kafka. Without Java and Maven they say that they were skipped; `GAITKEEPER_TEST_KAFKA=require` makes
//! that a failure.

mod admin;
mod broker;
mod chaos;
mod chaos_answers;
mod child;
mod commands;
mod declared;
mod delivery;
mod demo;
mod epochs;
mod events;
mod forced;
mod gate;
mod idle;
mod ingest;
mod injected;
mod measured;
mod pools;
mod process;
mod rebalance;
mod stand;
mod state;
mod stepup;
mod tables;
