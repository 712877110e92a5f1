//! A record on its way out, kept so that it can be sent again.

use std::sync::Arc;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;

/// What remains of a value that the brokers do not take in full, bytes.
const SHORT_BYTES: usize = 64 << 10;

/// Where an input record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputPartition {
    /// Place of the topic in the configuration.
    pub input: usize,
    /// Kafka partition.
    pub partition: i32,
}

/// One record for one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The partition whose record caused it.
    pub from: InputPartition,
    /// Topic with prefix.
    pub topic: Arc<str>,
    /// Kafka partition where it is not the key that decides.
    pub partition: Option<i32>,
    /// Key, if any.
    pub key: Option<Vec<u8>>,
    /// Value, if any.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What comes back with the acknowledgement of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its place in the outbox.
    pub index: usize,
    /// Whether it is a record of state, whose partition is given.
    pub is_state: bool,
}

impl From<usize> for Sent {
    fn from(number: usize) -> Self {
        Self { index: number >> 1, is_state: number & 1 == 1 }
    }
}

impl From<Sent> for usize {
    fn from(Sent { index, is_state }: Sent) -> Self {
        index << 1 | Self::from(is_state)
    }
}

impl Record {
    /// The record in the client library's form; what says that it is the record `index` comes back with the acknowledgement.
    pub fn as_sent(&self, index: usize) -> BaseRecord<'_, [u8], [u8], usize> {
        let mut record = BaseRecord::with_opaque_to(&self.topic, Sent { index, is_state: self.partition.is_some() }.into());
        record.partition = self.partition;
        record.key = self.key.as_deref();
        record.payload = self.value.as_deref();
        if !self.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(self.headers.len());
            record.headers =
                Some(self.headers.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() })));
        }
        record
    }

    /// Whether there is nothing left to cut.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.value.as_ref().is_none_or(|value| value.len() <= SHORT_BYTES)
    }

    /// Cuts the value, and says in a header how long it was.
    pub fn shorten(&mut self) {
        let Some(value) = self.value.as_mut().filter(|value| value.len() > SHORT_BYTES) else { return };
        self.headers.push(("gaitkeeper-cut-from-bytes".into(), Some(value.len().to_string().into_bytes())));
        value.truncate(SHORT_BYTES);
    }
}
