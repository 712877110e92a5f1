//! Moments that a storm seldom meets, brought about on purpose: each breaks an order of restore or commit that is not the right one.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gaitkeeper::stream::state::StateReader;
use gaitkeeper::stream::state::form::{self, Checkpoint};
use gaitkeeper::stream::watchdog::Watch;
use gaitkeeper::stream::{Link, Stop};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::broker::Broker;
use crate::delivery::{assert_each_once, produce, unreadable};
use crate::events::PARTITIONS;
use crate::process::{Process, config_file};
use crate::stand::{PATIENCE, Stand, wait_until};
use crate::state::{assert_undisturbed, fleet};

/// An owner that is not ours: its transaction ends when the test says so.
struct Stranger<'s> {
    stand: &'s Stand,
    producer: BaseProducer,
}

impl<'s> Stranger<'s> {
    fn begins(stand: &'s Stand) -> Self {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &stand.config.kafka.brokers)
            .set("transactional.id", format!("{}-stranger", stand.config.kafka.group))
            .set("transaction.timeout.ms", "300000")
            .create()
            .expect("valid settings");
        producer.init_transactions(PATIENCE).expect("the broker answers");
        producer.begin_transaction().expect("no other is open");
        Self { stand, producer }
    }

    /// Writes a record into a partition of the state topic; it is there, and not committed.
    fn writes(&self, partition: i32, key: &str, value: &[u8]) {
        let record = BaseRecord::to(&self.stand.names.state).partition(partition).key(key).payload(value);
        self.producer.send(record).expect("an empty queue");
        self.producer.flush(PATIENCE).expect("the broker takes it");
    }

    /// Moves the group's offset, which stays unsettled until the end. Without a generation nobody fences it.
    fn offers_offset(&self, partition: i32, offset: i64) {
        let kafka = &self.stand.config.kafka;
        let nobody: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &kafka.brokers).set("group.id", &kafka.group).create().expect("valid settings");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.stand.names.inputs[0], partition, Offset::Offset(offset)).expect("a valid offset");
        let group = nobody.group_metadata().expect("a group");
        self.producer.send_offsets_to_transaction(&list, &group, PATIENCE).expect("an offset that nobody fences");
    }
}

/// How long a service that goes wrong takes to show it: it looks five times, a second apart.
const LONG_ENOUGH: Duration = Duration::from_secs(8);

#[test]
fn commits_behind_a_dead_owners_open_transaction_are_part_of_what_is_restored() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, "pinned", PARTITIONS);
    stand.config.kafka.snapshot_interval_ms = 1_000;
    let lines = fleet(5, 30_000);
    let slice = |number: usize| lines[number * 10_000..(number + 1) * 10_000].iter().map(|(key, line)| (key.as_str(), line.as_slice()));
    let first = stand.serve();
    stand.produce(slice(0));
    wait_until("the first slice is consumed", || stand.consumed() == 10_000);
    let dead = Stranger::begins(&stand);
    for partition in 0..PARTITIONS {
        dead.writes(partition, "stranger/agent-events/checkpoint", b"never committed");
    }
    stand.produce(slice(1));
    wait_until("the second slice is consumed", || stand.consumed() == 20_000);
    first.stop().expect("a clean end");

    let second = stand.serve();
    stand.produce(slice(2));
    thread::sleep(LONG_ENOUGH);
    assert!(second.is_running(), "the state looks older than the group's offset: {:?}", second.wait());
    assert_eq!(second.meters.records.get(), 0, "it has spoken before it could see the whole state");
    dead.producer.abort_transaction(PATIENCE).expect("the broker answers");
    wait_until("the third slice is consumed", || stand.consumed() == 30_000);
    assert_eq!(second.meters.restore_retries.get(), 0);
    second.stop().expect("a clean end");
    stand.settle();
    assert_undisturbed(&stand);
}

#[test]
fn the_offset_is_asked_for_before_the_state_is_read() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "unsettled", 1);
    produce(&stand, &unreadable(100));
    let first = stand.serve();
    wait_until("everything is consumed", || stand.consumed() == 100);
    first.stop().expect("a clean end");

    // An owner whose offset is under way while nothing of its state is with the brokers yet.
    let slow = Stranger::begins(&stand);
    produce(&stand, &unreadable(50));
    slow.offers_offset(0, 150);
    let second = stand.serve();
    thread::sleep(Duration::from_secs(4));
    assert_eq!(second.meters.records.get(), 0, "the offset is not settled");
    let kafka = &stand.config.kafka;
    let link = Link::new(&kafka.brokers, &stand.names.inputs[0]);
    let reader = StateReader::new(kafka, &link, Arc::new(Watch::default()), Stop::new()).expect("valid settings");
    let prefix = form::prefix(&kafka.group, &stand.names.inputs[0]);
    let stored =
        reader.state(&stand.names.state, &[0]).expect("the state can be read").remove(&0).expect("the partition that was asked for");
    let before = stored.checkpoint(&prefix).expect("a checkpoint of ours").expect("one was written");
    assert_eq!(before.next, 100);
    slow.writes(0, &form::checkpoint_key(&prefix), &form::written(&Checkpoint { next: 150, ..before }));
    slow.producer.commit_transaction(PATIENCE).expect("the broker answers");

    produce(&stand, &unreadable(10));
    wait_until("the rest is consumed", || stand.consumed() == 160);
    assert_eq!(second.meters.restore_retries.get(), 0, "state and offset were not of one moment");
    second.stop().expect("a clean end");
}

#[test]
fn an_instance_that_slept_through_its_expulsion_says_nothing_of_what_it_has_lost() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, "slept", 4).with("session.timeout.ms", "6000").with("transaction.timeout.ms", "60000");
    // Long enough that it falls asleep with records that are not committed.
    stand.config.kafka.commit_interval_ms = 2_000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let start = |name: &str| Process::start(folder.path(), name, &["run", "--config", &config]);
    let records = unreadable(20_000);
    thread::scope(|scope| {
        scope.spawn(|| {
            let producer = stand.producer();
            for slice in records.chunks(100) {
                stand.produce_with(&producer, slice.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
                thread::sleep(Duration::from_millis(100));
            }
        });
        let (mut first, mut second) = (start("first"), start("second"));
        let owned = |process: &Process| {
            let said = process.said();
            said.matches("partition gained").count() - said.matches("partition given up").count()
        };
        wait_until("both own partitions", || owned(&first) == 2 && owned(&second) == 2);
        let consumed = stand.consumed();
        wait_until("the group goes on", || stand.consumed() > consumed);
        thread::sleep(Duration::from_millis(500));
        first.signal("STOP");
        wait_until("the other has taken over", || owned(&second) == 4);
        first.signal("CONT");
        wait_until("it comes back", || owned(&first) > 0 && owned(&second) < 4);
        wait_until("everything is consumed", || stand.consumed() == 20_000);
        for process in [&mut first, &mut second] {
            process.signal("TERM");
            assert!(process.wait().success(), "{}", process.said());
        }
        assert!(first.said().contains("lost=true"), "{}", first.said());
    });
    stand.settle();
    assert_each_once(&stand.committed(&stand.names.dead_letters), 20_000);
}

#[test]
fn a_commit_does_not_wait_for_the_librarys_tenth_of_a_second() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "prompt", 1);
    let serving = stand.serve();
    let meters = serving.meters.clone();
    let producer = stand.producer();
    for (key, value) in &unreadable(200) {
        let commits = meters.commits.get();
        stand.produce_with(&producer, [(key.as_str(), value.as_slice())]);
        wait_until("it is committed", || meters.commits.get() > commits);
        let families = meters.registry().gather();
        let seconds = families.iter().find(|family| family.name() == "gaitkeeper_commit_seconds").expect("a meter of that name");
        // The fastest tells: on a busy machine any commit may take longer.
        if seconds.get_metric()[0]
            .get_histogram()
            .get_bucket()
            .iter()
            .any(|bucket| bucket.upper_bound() < 0.08 && bucket.cumulative_count() > 0)
        {
            return serving.stop().expect("a clean end");
        }
    }
    panic!("no commit of 200 took less than 80 ms");
}
