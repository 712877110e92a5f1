//! What the brokers may answer to a transaction, put in on purpose on the in-process cluster: each class of error does what it
//! must. That cluster only acts out transactions, so what counts here is how the lane goes on, not what a reader sees.

use gaitkeeper::stream::TopicCheck;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Answer};

use crate::delivery::{produce, unreadable};
use crate::stand::{Stand, wait_until};

const RECORDS: u64 = 500;

/// How a lane went on: the least number of transactions rolled back, and whether it made new clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// The same call again, unseen from outside.
    Repeated,
    /// Rolled back, then the same records again.
    RolledBack,
    /// New clients, from the last commit on.
    Rebuilt,
}

/// Runs the service until it has committed, lets the next requests of one kind fail, and sends more records.
#[track_caller]
fn check(test: &str, request: Api, answers: &[Answer], expected: Course) {
    let cluster = MockCluster::new(1).expect("an in-process cluster");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stand = Stand::at(&cluster.bootstrap_servers(), folder.path(), test, 2);
    for spec in stand.names.specs() {
        cluster.create_topic(&spec.name, 2, 1).expect("a new topic");
    }
    let records = unreadable(usize::try_from(RECORDS).expect("small"));
    let serving = stand.serve_after(TopicCheck::Inputs);
    produce(&stand, &records);
    let meters = serving.meters.clone();
    wait_until("a transaction is committed", || meters.records.get() >= RECORDS && meters.commits.get() > 0);
    let quiet = (meters.roll_backs.get(), meters.rebuilds.get());
    assert_eq!(quiet, (0, 0), "before anything was put in");

    cluster.request_errors(request, answers);
    let commits = meters.commits.get();
    produce(&stand, &records);
    wait_until("the next records are taken and committed", || meters.records.get() >= 2 * RECORDS && meters.commits.get() > commits);
    let course = match (meters.roll_backs.get(), meters.rebuilds.get()) {
        (0, 0) => Course::Repeated,
        (_, 0) => Course::RolledBack,
        _ => Course::Rebuilt,
    };
    serving.stop().expect("a clean end");
    assert_eq!(course, expected);
}

#[test]
fn a_coordinator_that_is_loading_is_asked_again() {
    let loading = [Answer::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 3];
    check("loading", Api::EndTxn, &loading, Course::Repeated);
}

#[test]
fn a_leader_that_moved_is_looked_up_again() {
    check("moved", Api::Produce, &[Answer::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 2], Course::Repeated);
}

#[test]
fn a_stale_generation_rolls_back_and_sends_again() {
    check("stale", Api::TxnOffsetCommit, &[Answer::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION], Course::RolledBack);
}

#[test]
fn a_fenced_producer_is_replaced() {
    check("fenced", Api::EndTxn, &[Answer::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH], Course::Rebuilt);
}

#[test]
fn a_commit_whose_answer_got_lost_is_repeated_and_not_aborted() {
    check("lost", Api::EndTxn, &[Answer::RD_KAFKA_RESP_ERR__TRANSPORT], Course::Repeated);
}
