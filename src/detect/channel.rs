//! The ways of looking at one event.

use crate::baseline::{Attribute, Metric};

/// One factor of the predictive model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are those of the attributes and metrics")]
pub enum Channel {
    /// Which tool comes next.
    Sequence = 0,
    /// How it ended.
    Status = 1,
    Target = 2,
    TargetClass = 3,
    Destination = 4,
    Peer = 5,
    Credential = 6,
    OnBehalfOf = 7,
    SourceNet = 8,
    BytesOut = 9,
    BytesIn = 10,
    Duration = 11,
    Gap = 12,
}

/// Number of channels.
pub const CHANNELS: usize = 13;

impl Channel {
    /// All, in the order of their numbers.
    pub const ALL: [Self; CHANNELS] = [
        Self::Sequence,
        Self::Status,
        Self::Target,
        Self::TargetClass,
        Self::Destination,
        Self::Peer,
        Self::Credential,
        Self::OnBehalfOf,
        Self::SourceNet,
        Self::BytesOut,
        Self::BytesIn,
        Self::Duration,
        Self::Gap,
    ];

    /// Those that are attributes, as a mask of numbers.
    pub const ATTRIBUTES: u16 = 0b1_1111_1100;
    /// Weight in the mean of evidence of all attributes together.
    pub const ATTRIBUTES_WEIGHT: f64 = 0.4;

    /// Its weight `w` in the joint score of an event (DETECTION.md, section 2.2).
    #[must_use]
    pub const fn joint_weight(self) -> f64 {
        match self {
            Self::Sequence => 0.8,
            Self::Target => 1.2,
            Self::TargetClass => 0.6,
            Self::BytesOut => 0.2,
            Self::BytesIn | Self::Duration => 0.1,
            Self::Gap | Self::Status => 0.05,
            Self::Destination | Self::Peer | Self::Credential | Self::OnBehalfOf | Self::SourceNet => 1.0,
        }
    }

    /// Its weight `v` in the mean of evidence; [`Self::ATTRIBUTES_WEIGHT`] is for attributes to divide among those that are there.
    #[must_use]
    pub const fn mean_weight(self) -> f64 {
        match self {
            Self::Sequence => 0.4,
            Self::BytesOut => 0.05,
            Self::BytesIn | Self::Duration | Self::Gap | Self::Status => 0.03,
            _ => Self::ATTRIBUTES_WEIGHT,
        }
    }

    /// The attribute behind it, if it is one.
    #[must_use]
    pub fn attribute(self) -> Option<Attribute> {
        Attribute::ALL.into_iter().find(|&attribute| Self::from(attribute) == self)
    }

    /// The metric behind it, if it is one.
    #[must_use]
    pub fn metric(self) -> Option<Metric> {
        Metric::ALL.into_iter().find(|&metric| Self::from(metric) == self)
    }
}

impl From<Attribute> for Channel {
    fn from(attribute: Attribute) -> Self {
        Self::ALL[Self::Target as usize + attribute as usize]
    }
}

impl From<Metric> for Channel {
    fn from(metric: Metric) -> Self {
        Self::ALL[Self::BytesOut as usize + metric as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Channel;
    use crate::baseline::{Attribute, Metric};

    #[test]
    fn attributes_and_metrics_keep_their_names_as_channels() {
        assert_eq!(Channel::from(Attribute::SourceNet), Channel::SourceNet);
        assert_eq!(Channel::from(Attribute::OnBehalfOf), Channel::OnBehalfOf);
        assert_eq!(Channel::from(Metric::Gap), Channel::Gap);
        assert_eq!(Channel::Destination.attribute(), Some(Attribute::Destination));
        assert_eq!(Channel::Duration.metric(), Some(Metric::Duration));
        assert_eq!((Channel::Sequence.attribute(), Channel::Status.metric()), (None, None));
        for channel in Channel::ALL {
            assert_eq!(Channel::ATTRIBUTES >> channel as u16 & 1 == 1, channel.attribute().is_some(), "{channel:?}");
        }
    }
}
