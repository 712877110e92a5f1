//! A record that could not be scored, on its way to `agent-dead-letters`: key, bytes and headers as they came, and headers of
//! ours that say why and from where. Fed back into its topic after a repair, it is an ordinary record again.

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// Topic as the broker knows it, prefix included.
    pub topic: &'a str,
    /// Kafka partition.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
}

/// A record with the reason why it was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// The record's key.
    pub key: Option<&'a [u8]>,
    /// The record's value; `None` for a tombstone.
    pub payload: Option<&'a [u8]>,
    /// The record's headers, in order.
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
    /// Where it stood.
    pub source: Source<'a>,
    /// What is wrong with it, in a word.
    pub reason: &'static str,
    /// What is wrong with it, in a sentence.
    pub message: String,
}

impl DeadLetter<'_> {
    /// The headers that follow the record's own. A record rejected twice has them twice; the last ones count.
    #[must_use]
    pub fn reason_headers(&self) -> [(&'static str, String); 5] {
        [
            ("gaitkeeper-reason", self.reason.to_owned()),
            ("gaitkeeper-message", self.message.clone()),
            ("gaitkeeper-topic", self.source.topic.to_owned()),
            ("gaitkeeper-partition", self.source.partition.to_string()),
            ("gaitkeeper-offset", self.source.offset.to_string()),
        ]
    }
}
