//! Settings of the Kafka clients: ours, then the operator's `[kafka.client]`, then what the promises rest on.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::config::Kafka;

/// Bounds both a transaction and the delivery of one message; also how long a killed instance can hold back its successor.
pub const TRANSACTION_TIMEOUT_MS: &str = "10000";

/// A client that belongs to no group: metadata, watermarks, topics.
#[must_use]
pub fn plain(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    // A request to a broker that has gone silent must end before the watchdog does, and not outlive a transaction.
    config.set("socket.timeout.ms", "10000").set("socket.keepalive.enable", "true").set("reconnect.backoff.max.ms", "2000");
    passed_through(kafka, &mut config);
    config.set("bootstrap.servers", &kafka.brokers).set("client.id", "gaitkeeper");
    config
}

/// The consumer of one lane. It commits nothing by itself and sees no aborted record.
#[must_use]
pub fn consumer(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("socket.timeout.ms", "10000")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", "2000")
        .set("max.poll.interval.ms", "300000")
        // The default of one second after a full queue costs four fifths of the throughput.
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "100")
        .set("queued.min.messages", "100000")
        // The default is a gigabyte for each partition.
        .set("queued.max.messages.kbytes", "65536");
    if kafka.client.get("group.protocol").map(String::as_str) != Some("consumer") {
        // The broker decides these in the newer protocol, and naming them there is an error.
        config
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "3000");
    }
    passed_through(kafka, &mut config);
    config
        .set("bootstrap.servers", &kafka.brokers)
        .set("client.id", "gaitkeeper")
        .set("group.id", &kafka.group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A committed offset that is not there any more is a loss, to be said before going on.
        .set("auto.offset.reset", "error");
    config
}

/// The producer of one lane; transactional when it is given an id.
#[must_use]
pub fn producer(kafka: &Kafka, transactional_id: Option<&str>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("socket.timeout.ms", "10000")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", "2000")
        .set("linger.ms", "5")
        .set("batch.size", "262144")
        .set("compression.type", "lz4")
        // Dead letters carry a whole record of the largest size and headers on top.
        .set("message.max.bytes", "4194304")
        .set("queue.buffering.max.kbytes", "65536")
        .set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS)
        .set("delivery.timeout.ms", TRANSACTION_TIMEOUT_MS);
    passed_through(kafka, &mut config);
    config.set("bootstrap.servers", &kafka.brokers).set("client.id", "gaitkeeper").set("enable.idempotence", "true").set("acks", "all");
    match transactional_id {
        Some(id) => config.set("transactional.id", id),
        None => config.remove("transactional.id"),
    };
    config
}

fn passed_through(kafka: &Kafka, config: &mut ClientConfig) {
    // Who asks the client for its debug messages wants to read them.
    let asked = kafka.client.contains_key("debug");
    config.set_log_level(if asked { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
    for (name, value) in &kafka.client {
        config.set(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(client: &[(&str, &str)]) -> Kafka {
        Kafka { client: client.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(), ..Kafka::default() }
    }

    #[track_caller]
    fn check(config: &ClientConfig, name: &str, expected: Option<&str>) {
        assert_eq!(config.get(name), expected, "{name}");
    }

    #[test]
    fn the_operator_changes_what_is_a_matter_of_taste() {
        check(&consumer(&kafka(&[("fetch.wait.max.ms", "7")])), "fetch.wait.max.ms", Some("7"));
        check(&producer(&kafka(&[("compression.type", "zstd")]), None), "compression.type", Some("zstd"));
    }

    #[test]
    fn who_asks_for_debug_messages_gets_them() {
        assert!(matches!(consumer(&kafka(&[])).log_level, RDKafkaLogLevel::Info));
        assert!(matches!(consumer(&kafka(&[("debug", "cgrp")])).log_level, RDKafkaLogLevel::Debug));
    }

    #[test]
    fn the_operator_cannot_take_away_what_exactly_once_rests_on() {
        let loose = kafka(&[("isolation.level", "read_uncommitted"), ("enable.auto.commit", "true"), ("transactional.id", "mine")]);
        check(&consumer(&loose), "isolation.level", Some("read_committed"));
        check(&consumer(&loose), "enable.auto.commit", Some("false"));
        check(&producer(&loose, Some("ours")), "transactional.id", Some("ours"));
        check(&producer(&loose, None), "transactional.id", None);
    }

    #[test]
    fn the_newer_group_protocol_is_given_no_setting_that_it_refuses() {
        let newer = consumer(&kafka(&[("group.protocol", "consumer")]));
        for name in ["partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"] {
            check(&newer, name, None);
        }
    }
}
