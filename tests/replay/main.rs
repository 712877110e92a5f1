//! `gaitkeeper replay` as its users call it.

mod command;
mod fixtures;
mod golden;
mod inventory;
