//! Gaitkeeper learns how each AI agent normally walks, and says so when the gait changes.
//!
//! The layers, highest first; arrows point down only (`tests/tidy.rs`):
//! `cli` → `stream`, `workbench` → `engine` → `detect` → `baseline` → `config`, `event`, `finding` → `stats`. Beside them
//! `allocator`, for programs to name.

pub mod admin;
pub mod allocator;
pub mod baseline;
pub mod cli;
pub mod config;
pub mod detect;
pub mod engine;
pub mod event;
pub mod finding;
pub mod govern;
pub mod stats;
pub mod stream;
pub mod workbench;
