//! Health and metrics over HTTP, for probes and scrapers on the operator's network. Nothing here changes anything.

mod request;
pub mod server;

pub use server::{Page, Pages, Server};
