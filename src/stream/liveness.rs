//! Notices a client that has lost the brokers for good while others reach them.
//!
//! A lone broker that was away may say for a moment that there are no brokers. The client library believes it and then may never look
//! at its bootstrap servers again (confluentinc/librdkafka, issue 5301): such a client hears nothing, and nothing says so.

use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

/// Questions without an answer until a client counts as lost.
const QUESTIONS_MAX: u32 = 3;

/// Whether one client still reaches the brokers.
#[derive(Debug)]
pub struct Liveness {
    ask_every: Duration,
    /// When it has last heard or been asked something.
    since: Instant,
    unanswered: u32,
}

impl Liveness {
    /// Of a client that is asked when it has heard nothing for so long.
    #[must_use]
    pub fn new(ask_every: Duration, now: Instant) -> Self {
        Self { ask_every, since: now, unanswered: 0 }
    }

    /// The client has heard something.
    pub fn heard(&mut self, now: Instant) {
        self.since = now;
        self.unanswered = 0;
    }

    /// Asks when it is time; the last error once the client counts as lost. While nobody reaches the brokers no client is blamed.
    pub fn lost(&mut self, now: Instant, reachable: bool, ask: impl FnOnce() -> Result<(), KafkaError>) -> Option<KafkaError> {
        if !reachable {
            self.heard(now);
        }
        if now < self.since + self.ask_every {
            return None;
        }
        self.since = now;
        let Err(error) = ask() else {
            self.unanswered = 0;
            return None;
        };
        self.unanswered += 1;
        (self.unanswered >= QUESTIONS_MAX).then_some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the second brings.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Second {
        /// Nothing, and a question is not answered.
        Silent,
        /// The same, and nobody reaches the brokers.
        Away,
        /// A record.
        Record,
        /// Nothing, but a question is answered.
        Answers,
    }
    use Second::{Answers, Away, Record, Silent};

    /// Goes through runs of seconds with a question after ten silent ones; after how many seconds the client is lost.
    #[track_caller]
    fn check(course: &[(usize, Second)], expected: Option<u64>) {
        let began = Instant::now();
        let mut liveness = Liveness::new(Duration::from_secs(10), began);
        let seconds = course.iter().flat_map(|&(length, second)| std::iter::repeat_n(second, length));
        let lost = (1..).zip(seconds).find(|&(passed, second)| {
            let now = began + Duration::from_secs(passed);
            if second == Record {
                liveness.heard(now);
            }
            let answer = if second == Answers { Ok(()) } else { Err(KafkaError::Canceled) };
            liveness.lost(now, second != Away, || answer).is_some()
        });
        assert_eq!(lost.map(|(passed, _)| passed), expected);
    }

    #[test]
    fn a_client_that_answers_is_not_lost() {
        check(&[(500, Answers)], None);
    }

    #[test]
    fn a_client_without_three_answers_is_lost() {
        check(&[(500, Silent)], Some(30));
    }

    #[test]
    fn one_answer_is_enough() {
        check(&[(25, Silent), (10, Answers), (20, Silent)], None);
    }

    #[test]
    fn a_record_is_as_good_as_an_answer() {
        check(&[(29, Silent), (1, Record), (29, Silent)], None);
    }

    #[test]
    fn nobody_is_blamed_while_the_brokers_are_away() {
        check(&[(29, Silent), (500, Away), (29, Silent)], None);
    }
}
