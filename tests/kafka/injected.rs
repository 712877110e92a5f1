//! What the brokers may answer to a transaction, put in on purpose on the in-process cluster: each class of error does what it
//! must. That cluster only acts out transactions, so what counts here is how the lane goes on, not what a reader sees.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gaitkeeper::stream::ordinal::{self, Ordinal};
use gaitkeeper::stream::{StreamError, TopicCheck};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
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

/// The test's topics on the in-process cluster.
fn on(cluster: &MockCluster<'_, DefaultProducerContext>, folder: &Path, test: &str) -> Stand {
    let stand = Stand::at(&cluster.bootstrap_servers(), folder, test, 2);
    for spec in stand.names.specs() {
        cluster.create_topic(&spec.name, 2, 1).expect("a new topic");
    }
    stand
}

/// Runs the service until it has committed, lets the next requests of one kind fail, and sends more records.
#[track_caller]
fn check(test: &str, request: Api, answers: &[Answer], expected: Course) {
    let cluster = MockCluster::new(1).expect("an in-process cluster");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stand = on(&cluster, folder.path(), test);
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

/// The second broker has nothing but the dead letters.
fn second_broker_for_dead_letters(cluster: &MockCluster<'_, DefaultProducerContext>, stand: &Stand) {
    let kafka = &stand.config.kafka;
    for spec in stand.names.specs() {
        let leader = if spec.name == stand.names.dead_letters { 2 } else { 1 };
        for partition in 0..2 {
            cluster.partition_leader(&spec.name, partition, Some(leader)).expect("a topic of the cluster");
        }
    }
    let folder = kafka.state_dir.as_ref().expect("set by the stand");
    let claimed = Ordinal::claim(folder, &kafka.group).expect("nobody else claims it");
    let id = ordinal::transactional_id(&kafka.topic_prefix, &kafka.group, &claimed);
    for coordinator in [MockCoordinator::Group(kafka.group.clone()), MockCoordinator::Transaction(id)] {
        cluster.coordinator(coordinator, 1).expect("a broker of the cluster");
    }
}

/// While nobody takes the records, offsets that would be refused are not even offered; after the refusal the records go out again.
#[test]
fn records_are_with_the_brokers_before_their_offsets_are() {
    let cluster = MockCluster::new(2).expect("an in-process cluster");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stand = on(&cluster, folder.path(), "flushed");
    second_broker_for_dead_letters(&cluster, &stand);
    let serving = stand.serve_after(TopicCheck::Inputs);
    produce(&stand, &unreadable(1));
    wait_until("a transaction is committed", || serving.meters.records.get() > 0 && serving.meters.commits.get() > 0);
    cluster.broker_down(2).expect("a broker of the cluster");
    cluster.request_errors(Api::TxnOffsetCommit, &[Answer::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION]);
    stand.produce([("first", &b"not json either"[..])]);
    wait_until("the record is taken", || serving.meters.records.get() > 1);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(serving.meters.roll_backs.get(), 0, "the offsets were refused before the records were with the brokers");
    let commits = serving.meters.commits.get();
    cluster.broker_up(2).expect("a broker of the cluster");
    wait_until("offsets are refused", || serving.meters.roll_backs.get() > 0);
    wait_until("the next commit succeeds", || serving.meters.commits.get() > commits);
    serving.stop().expect("a clean end");
    let letters = stand.committed(&stand.names.dead_letters);
    let twice = letters.values().flatten().filter(|letter| letter.value == b"not json either").count();
    // That cluster only acts out transactions, so what was rolled back is still to be seen.
    assert_eq!(twice, 2, "once before the offsets, once again after the roll-back");
}

/// Lost partitions are given up with their records although nobody takes those.
#[test]
fn records_that_nobody_takes_do_not_hold_up_giving_in() {
    let cluster = MockCluster::new(2).expect("an in-process cluster");
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The records would wait longer than the test.
    let stand = on(&cluster, folder.path(), "unsent").with("transaction.timeout.ms", "120000");
    let mut stand = stand.with("delivery.timeout.ms", "120000").with("session.timeout.ms", "6000").with("heartbeat.interval.ms", "500");
    stand.config.kafka.commit_interval_ms = 20_000;
    second_broker_for_dead_letters(&cluster, &stand);
    let serving = stand.serve_after(TopicCheck::Inputs);
    wait_until("it owns everything", || serving.meters.partitions.get() == 2);
    cluster.broker_down(2).expect("a broker of the cluster");
    stand.produce([("first", &b"not json either"[..])]);
    wait_until("the record is taken", || serving.meters.records.get() == 1);
    cluster.request_errors(Api::Heartbeat, &[Answer::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID]);
    let since = Instant::now();
    wait_until("the record is taken once more", || serving.meters.records.get() == 2);
    assert!(since.elapsed() < Duration::from_secs(15), "{:?} to give in", since.elapsed());
    cluster.broker_up(2).expect("a broker of the cluster");
    serving.stop().expect("a clean end");
    let letters = stand.committed(&stand.names.dead_letters);
    assert_eq!(letters.values().map(Vec::len).sum::<usize>(), 1, "what was given up is not sent");
}

/// What one client is refused for ever, a new one may be given: some clients never find their coordinator again.
#[test]
fn a_transaction_that_cannot_be_ended_is_given_up_with_its_clients() {
    let cluster = MockCluster::new(1).expect("an in-process cluster");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stand = on(&cluster, folder.path(), "endless");
    cluster.request_errors(Api::EndTxn, &vec![Answer::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE; 10_000]);
    let serving = stand.serve_after(TopicCheck::Inputs);
    produce(&stand, &unreadable(1));
    let since = Instant::now();
    wait_until("new clients are made", || serving.meters.rebuilds.get() > 0);
    assert!(since.elapsed() > Duration::from_secs(20), "a coordinator may take its time: {:?}", since.elapsed());
    cluster.clear_request_errors(Api::EndTxn);
    wait_until("the record is committed", || serving.meters.commits.get() > 0);
    serving.stop().expect("a clean end");
    assert!(!stand.committed(&stand.names.dead_letters).is_empty());
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

#[test]
fn a_transactional_id_that_is_denied_ends_the_service_and_is_said() {
    let cluster = MockCluster::new(1).expect("an in-process cluster");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stand = on(&cluster, folder.path(), "denied");
    cluster.request_errors(Api::InitProducerId, &[Answer::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED; 3]);
    let serving = stand.serve_after(TopicCheck::Inputs);
    wait_until("the service ends", || !serving.is_running());
    let refused = serving.wait().expect_err("nobody may go on without an id");
    assert!(matches!(refused, StreamError::Lane(_)), "{refused}");
}
