//! What probes and scrapers see of the service.

use std::sync::Arc;

use prometheus::TextEncoder;
use serde_json::json;

use super::link::Link;
use super::shards::Assembly;
use crate::admin::{Page, Pages};

/// The pages of a running service: `/metrics`, `/health/live`, `/health/ready`.
pub struct ServicePages {
    /// What the lanes share.
    pub assembly: Arc<Assembly>,
    /// The way to the brokers.
    pub link: Arc<Link>,
}

impl Pages for ServicePages {
    fn page(&self, path: &str) -> Option<Page> {
        match path {
            "/metrics" => Some(self.metrics()),
            "/health/live" => Some(Page { status: 200, content_type: "application/json", body: "{\"live\":true}\n".into() }),
            "/health/ready" => Some(self.ready()),
            _ => None,
        }
    }
}

impl ServicePages {
    fn metrics(&self) -> Page {
        let Ok(body) = TextEncoder::new().encode_to_string(&self.assembly.meters.registry().gather()) else {
            return Page { status: 500, content_type: "text/plain", body: "metrics cannot be written\n".into() };
        };
        Page { status: 200, content_type: "text/plain; version=0.0.4", body }
    }

    /// Ready: the brokers answer, every lane has been given its partitions, and their state is restored.
    fn ready(&self) -> Page {
        let (connected, lanes) = (self.link.is_reachable(), self.assembly.config.kafka.lanes);
        let joined = self.assembly.progress.lanes_joined();
        let restoring = self.assembly.progress.partitions_restoring();
        let ready = connected && joined == lanes && restoring == 0;
        let body = json!({
            "ready": ready, "brokers_answer": connected, "lanes": lanes, "lanes_with_partitions": joined, "partitions_restoring": restoring
        });
        Page { status: if ready { 200 } else { 503 }, content_type: "application/json", body: format!("{body}\n") }
    }
}
