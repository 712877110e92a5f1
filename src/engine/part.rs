//! One part of what an engine remembers: its name, its bytes, and how a value becomes one.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Form of the parts. A part begins with it; what an older version wrote stays readable. In the first the bins of a histogram stood in
/// the order in which they were first filled, since then in their own: both are read alike.
pub const VERSION: u8 = 2;

/// Which part of an engine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PartName {
    /// Times, counters, numbers: what every epoch needs.
    Shard,
    /// Names of tools and texts of values.
    Names,
    /// What all agents do together.
    Population,
    /// Calibrators of scores.
    Calibration,
    /// Pins and quarantine.
    Learning,
    /// Findings that outlive their session or wait for a verdict, and declared changes.
    Campaigns,
    /// Credentials, amounts and instructions as declared rules remember them.
    Declared,
    /// What was asked, answered and enforced: judged state.
    Response,
    /// One group, by its number.
    Group(u32),
    /// One agent with its baselines and open sessions, by its number.
    Agent(u32),
    /// What this shard taught of the population, where pools are shared.
    OwnPopulation,
    /// The same of one group, by its number.
    OwnGroup(u32),
    /// What other shards know, on its way to be adopted.
    Offer,
}

impl PartName {
    /// As it stands in keys.
    #[must_use]
    pub fn as_key(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Shard => "shard",
            Self::Names => "names",
            Self::Population => "population",
            Self::Calibration => "calibration",
            Self::Learning => "learning",
            Self::Campaigns => "campaigns",
            Self::Declared => "declared",
            Self::Response => "response",
            Self::OwnPopulation => "own-population",
            Self::Offer => "offer",
            Self::Group(number) => return format!("group-{number}").into(),
            Self::Agent(number) => return format!("agent-{number}").into(),
            Self::OwnGroup(number) => return format!("own-group-{number}").into(),
        })
    }

    /// The part of that key which other shards read too, where pools are shared.
    #[must_use]
    pub fn told(key: &str) -> Option<Self> {
        match key {
            "names" => Some(Self::Names),
            "own-population" => Some(Self::OwnPopulation),
            _ => key.strip_prefix("own-group-")?.parse().ok().map(Self::OwnGroup),
        }
    }

    /// Whether [`Self::told`] knows it.
    #[must_use]
    pub fn is_told(self) -> bool {
        matches!(self, Self::Names | Self::OwnPopulation | Self::OwnGroup(_))
    }

    /// Whether it is there only where pools are shared.
    #[must_use]
    pub fn is_of_pools(self) -> bool {
        matches!(self, Self::OwnPopulation | Self::OwnGroup(_) | Self::Offer)
    }
}

/// One part as it was when the epoch began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which one.
    pub name: PartName,
    /// Its bytes, the version first.
    pub bytes: Vec<u8>,
}

/// Why parts do not make an engine.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum RestoreError {
    #[error("{name:?} is of version {actual}, readable up to {VERSION}")]
    Version { name: PartName, actual: u8 },
    #[error("{name:?} is empty")]
    Empty { name: PartName },
    #[error("{name:?} cannot be read: {source}")]
    Unreadable { name: PartName, source: postcard::Error },
    #[error("{name:?} is missing")]
    Missing { name: PartName },
    #[error("the numbers in {name:?} do not fit the other parts")]
    Misfit { name: PartName },
}

/// A value as a part's bytes.
pub(super) fn written(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("every part has a known length and no map of unknown size")
}

/// What a part says.
///
/// # Errors
/// When it is of a later version, or not such a part.
pub(super) fn read<T: DeserializeOwned>(part: &Part) -> Result<T, RestoreError> {
    let name = part.name;
    let (&version, bytes) = part.bytes.split_first().ok_or(RestoreError::Empty { name })?;
    if !(1..=VERSION).contains(&version) {
        return Err(RestoreError::Version { name, actual: version });
    }
    postcard::from_bytes(bytes).map_err(|source| RestoreError::Unreadable { name, source })
}
