//! The explanation of a session's loudest event. It is written ahead, with the numbers that were scored, in case the session alarms later;
//! hardly one is ever read, so that they lie packed: in a young fleet nearly every open session has one.

use serde::{Deserialize, Serialize};

use super::explain::Explanation;

/// The loudest event of a session so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "(f64, Explanation)", into = "(f64, Explanation)")]
pub struct Loudest {
    /// Its joint score.
    pub joint: f64,
    /// See [`Explanation::new_to_fleet`].
    pub new_to_fleet: bool,
    record: Box<[u8]>,
}

impl Loudest {
    /// An event that scored `joint`.
    ///
    /// # Panics
    /// Never: an explanation is made of texts and numbers.
    #[must_use]
    pub fn new(joint: f64, explanation: &Explanation) -> Self {
        let record = postcard::to_allocvec(explanation).expect("texts and numbers, into memory").into();
        Self { joint, new_to_fleet: explanation.new_to_fleet, record }
    }

    /// Why it is loud.
    ///
    /// # Panics
    /// Never: what is unpacked was packed here.
    #[must_use]
    pub fn explanation(&self) -> Explanation {
        postcard::from_bytes(&self.record).expect("packed by this program in this process")
    }
}

impl From<(f64, Explanation)> for Loudest {
    fn from((joint, explanation): (f64, Explanation)) -> Self {
        Self::new(joint, &explanation)
    }
}

impl From<Loudest> for (f64, Explanation) {
    fn from(loudest: Loudest) -> Self {
        (loudest.joint, loudest.explanation())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::Loudest;
    use crate::engine::explain::Explanation;
    use crate::finding::{Kind, Reason};

    #[test]
    fn an_explanation_is_unpacked_as_it_was() {
        let reason = Reason::of_fact("volume", "bytes_out", "about 1 kB".into(), "9 MB".into());
        let detail = Map::from_iter([("p".to_owned(), json!(1.25e-9)), ("n".to_owned(), json!(3)), ("llr".to_owned(), json!(f64::NAN))]);
        let explanation = Explanation {
            kind: Kind::Volume,
            title: "more than ever".into(),
            reasons: vec![Reason { detail, contribution: 1.0 / 3.0, ..reason }],
            normal_if: None,
            brand_new: true,
            new_to_fleet: true,
            new_destination: false,
            event_id: "event-1".into(),
        };
        let loudest = Loudest::new(12.5, &explanation);
        assert!(loudest.new_to_fleet);
        assert_eq!(loudest.explanation(), explanation);
        let stored = postcard::to_allocvec(&loudest).unwrap();
        assert_eq!(postcard::from_bytes::<(f64, Explanation)>(&stored).unwrap(), (12.5, explanation));
    }
}
