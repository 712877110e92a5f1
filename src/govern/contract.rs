//! A record in force, with a version by which findings name it.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::record::{Credential, InventoryRecord};
use super::terms::{Terms, TermsPool};

/// What one agent may do.
#[derive(Debug, Clone)]
pub struct Contract {
    record: InventoryRecord,
    version: String,
    pub(super) terms: Arc<Terms>,
}

impl Contract {
    /// Compiles a record; terms that the pool holds already are shared.
    pub(super) fn new(record: InventoryRecord, pool: &mut TermsPool) -> Self {
        Self { version: version(&record), terms: pool.of(&record), record }
    }

    /// What was declared.
    #[must_use]
    pub fn record(&self) -> &InventoryRecord {
        &self.record
    }

    /// 16 hex digits that change with what was declared.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The declared credential of that id.
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<&Credential> {
        self.record.credentials.iter().flatten().find(|credential| credential.id == id)
    }
}

fn version(record: &InventoryRecord) -> String {
    // Fields are written in the order of the structure and maps in the order of their keys: one record, one text.
    let text = serde_json::to_string(record).expect("a record is made of texts, numbers, lists and maps with text keys");
    HEXLOWER.encode(&Sha256::digest(text)[..8])
}
