//! Why a record cannot be scored. The reason code is for machines and for the dead-letter header, the message for people.

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum DecodeError {
    #[error("record of {bytes} bytes, at most {bytes_max} are read")]
    RecordTooLarge { bytes: usize, bytes_max: usize },
    #[error("record is not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
    #[error("record is not a JSON object: expected {expected} at byte {at}")]
    MalformedJson { at: usize, expected: &'static str },
    #[error("`{field}` is missing")]
    MissingField { field: &'static str },
    #[error("`{field}` is there twice")]
    DuplicateField { field: &'static str },
    #[error("`{field}` is {value}, expected {expected}")]
    WrongType { field: &'static str, value: String, expected: String },
    #[error("`{field}` is {value}, expected {expected}")]
    BadValue { field: &'static str, value: String, expected: String },
    #[error("`{field}` is {value}, expected {expected}")]
    OutOfRange { field: &'static str, value: String, expected: String },
    #[error("`{field}` has {bytes} bytes, expected at most {bytes_max}: \"{value}\"")]
    StringTooLong { field: &'static str, value: String, bytes: usize, bytes_max: usize },
    #[error("`ts` {ts} is {ahead_ms} ms ahead of the record's time {record_ts}, expected at most {ahead_max_ms}")]
    Future { ts: i64, record_ts: i64, ahead_ms: i64, ahead_max_ms: i64 },
    #[error("record key is {key}, expected the `agent_id` \"{agent_id}\"")]
    KeyMismatch { key: String, agent_id: String },
}

impl DecodeError {
    /// A stable word: `too_large malformed_json missing_field duplicate_field wrong_type bad_value out_of_range future
    /// key_mismatch`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::RecordTooLarge { .. } | Self::StringTooLong { .. } => "too_large",
            Self::NotUtf8 { .. } | Self::MalformedJson { .. } => "malformed_json",
            Self::MissingField { .. } => "missing_field",
            Self::DuplicateField { .. } => "duplicate_field",
            Self::WrongType { .. } => "wrong_type",
            Self::BadValue { .. } => "bad_value",
            Self::OutOfRange { .. } => "out_of_range",
            Self::Future { .. } => "future",
            Self::KeyMismatch { .. } => "key_mismatch",
        }
    }
}
