//! Where events come from and findings go, read and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::document::{Raw, Written};
use super::kafka::{Delivery, Input, InputFormat, Kafka, Output, OutputFormat};
use super::section::{Section, is_file_reference};
use super::topics::Topics;

pub(super) const DELIVERIES: [(&str, Delivery); 2] = [("exactly_once", Delivery::ExactlyOnce), ("at_least_once", Delivery::AtLeastOnce)];
pub(super) const INPUT_FORMATS: [(&str, InputFormat); 5] = [
    ("native", InputFormat::Native),
    ("otlp_proto", InputFormat::OtlpProto),
    ("otlp_json", InputFormat::OtlpJson),
    ("cloudevents", InputFormat::Cloudevents),
    ("mapped", InputFormat::Mapped),
];
pub(super) const OUTPUT_FORMATS: [(&str, OutputFormat); 4] =
    [("native", OutputFormat::Native), ("ocsf", OutputFormat::Ocsf), ("ecs", OutputFormat::Ecs), ("cef", OutputFormat::Cef)];

/// Settings of librdkafka that belong to other keys of ours or that exactly-once delivery rests on.
const OURS: [(&str, &str); 8] = [
    ("bootstrap.servers", "`kafka.brokers` sets it"),
    ("metadata.broker.list", "`kafka.brokers` sets it"),
    ("group.id", "`kafka.group` sets it"),
    ("transactional.id", "it is derived from `kafka.group` and the host"),
    ("isolation.level", "exactly-once delivery needs read_committed"),
    ("enable.auto.commit", "offsets are committed with the findings"),
    ("enable.auto.offset.store", "offsets are committed with the findings"),
    ("enable.partition.eof", "restoring state needs it"),
];

/// Kafka's cap on a topic's name.
const TOPIC_BYTES_MAX: usize = 249;
const NAME_EXPECTED: &str = "letters, digits, `.`, `_` and `-`, at most 249 of them";

fn is_name(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=TOPIC_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_legal) && text != "." && text != ".."
}

/// The `[kafka]` table.
pub(super) fn kafka(table: Section<'_>) -> Kafka {
    let default = Kafka::default();
    let is_broker = |broker: &str| !broker.is_empty() && !broker.contains(char::is_whitespace);
    let replication = |raw: &Raw| match raw {
        Raw::Whole(number) => i32::try_from(*number).ok().filter(|number| *number == -1 || (1..=32_767).contains(number)),
        _ => None,
    };
    let kafka = Kafka {
        brokers: table.text("brokers", &default.brokers, |text| text.split(',').map(str::trim).all(is_broker), "host:port, commas between"),
        group: table.text("group", &default.group, is_name, NAME_EXPECTED),
        topic_prefix: table.text("topic_prefix", &default.topic_prefix, |text| text.is_empty() || is_name(text), NAME_EXPECTED),
        partitions: table.whole("partitions", default.partitions, 1..=100_000),
        replication: table.optional("replication", "-1 or a whole number from 1 to 32767", replication).unwrap_or(default.replication),
        delivery: table.word("delivery", default.delivery, &DELIVERIES),
        // A transaction must end well within its time-out of ten seconds.
        commit_interval_ms: table.whole("commit_interval_ms", default.commit_interval_ms, 1..=5_000),
        lanes: table.whole("lanes", default.lanes, 1..=256),
        snapshot_interval_ms: snapshot_interval(&table, default.snapshot_interval_ms),
        resident_megabytes: table.whole("resident_megabytes", default.resident_megabytes, 0..=1_000_000),
        state_dir: table.optional("state_dir", "the path of a folder", |raw| match raw {
            Raw::Text(path) | Raw::Untyped(path) => (!path.is_empty()).then(|| PathBuf::from(path)),
            _ => None,
        }),
        client: client(&table.section("client")),
    };
    table.finish();
    kafka
}

fn snapshot_interval(table: &Section<'_>, default_ms: u64) -> u64 {
    let default = i64::try_from(default_ms).unwrap_or(i64::MAX);
    table.duration("snapshot_interval", default, 1_000..=86_400_000).unsigned_abs()
}

/// What is passed on to librdkafka. Dots in a name make tables in TOML, and a variable has `_` for them.
fn client(table: &Section<'_>) -> BTreeMap<String, String> {
    let mut client = BTreeMap::new();
    for (written_name, written) in table.flattened() {
        let name = written_name.replace('_', ".");
        let full = format!("kafka.client.{name}");
        if let Some((_, why)) = OURS.iter().find(|(ours, _)| *ours == name) {
            table.note(&written.place, format!("`{full}` cannot be set here: {why}"));
            continue;
        }
        match client_value(written) {
            Ok(value) => drop(client.insert(name, value)),
            // Not the value: it may be a secret.
            Err(why) => table.note(&written.place, format!("`{full}` {why}")),
        }
    }
    client
}

fn client_value(written: &Written) -> Result<String, String> {
    match &written.value {
        Raw::Text(text) | Raw::Untyped(text) => Ok(text.clone()),
        Raw::Whole(number) => Ok(number.to_string()),
        Raw::Float(number) => Ok(number.to_string()),
        Raw::Flag(flag) => Ok(flag.to_string()),
        Raw::Table(members) if is_file_reference(members) => {
            let Some(Raw::Text(path) | Raw::Untyped(path)) = members.get("file").map(|written| &written.value) else {
                return Err("has a `file` that is no text, expected a path".into());
            };
            let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read from {path}: {error}"))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        Raw::List(_) | Raw::Table(_) | Raw::Other(_) => Err("is a list, table or date, expected text, a number or { file = \"…\" }".into()),
    }
}

/// The topics that are read; one of native events by default.
pub(super) fn inputs(root: &Section<'_>, events: &str) -> Vec<Input> {
    let default = Input { topic: events.to_owned(), format: InputFormat::Native, keyed: true };
    let Some(tables) = root.sections("input") else { return vec![default] };
    let mut inputs: Vec<Input> = Vec::new();
    for table in tables {
        let topic = topic(&table);
        let format = table.word("format", InputFormat::Native, &INPUT_FORMATS);
        let keyed = table.flag("keyed", format == InputFormat::Native);
        if keyed && matches!(format, InputFormat::OtlpProto | InputFormat::OtlpJson) {
            let message =
                format!("`{}` is true, expected false: a record of this format holds the spans of many agents", table.full("keyed"));
            table.contradiction("keyed", message);
        }
        let is_direct = keyed && format == InputFormat::Native;
        if topic == events && !is_direct {
            let message =
                format!("`{}` is \"{topic}\", expected another: the ingest stage writes native events there", table.full("topic"));
            table.contradiction("topic", message);
        }
        if inputs.iter().any(|input| input.topic == topic) {
            table.contradiction("topic", format!("`{}` is \"{topic}\", which another input reads already", table.full("topic")));
        }
        table.finish();
        inputs.push(Input { topic, format, keyed });
    }
    inputs
}

/// The topics that findings are written to; one by default.
pub(super) fn outputs(root: &Section<'_>, inputs: &[Input], topics: &Topics) -> Vec<Output> {
    let Some(tables) = root.sections("output") else {
        return vec![Output { topic: "agent-alerts".into(), format: OutputFormat::Native }];
    };
    let mut outputs: Vec<Output> = Vec::new();
    for table in tables {
        let topic = topic(&table);
        let format = table.word("format", OutputFormat::Native, &OUTPUT_FORMATS);
        let taken_by = if inputs.iter().any(|input| input.topic == topic) {
            Some("an input".to_owned())
        } else if outputs.iter().any(|output| output.topic == topic) {
            Some("another output".to_owned())
        } else {
            topics.entries().into_iter().find(|(_, other)| *other == topic).map(|(key, _)| format!("`topics.{key}`"))
        };
        if let Some(other) = taken_by {
            table.contradiction("topic", format!("`{}` is \"{topic}\", which is the topic of {other}", table.full("topic")));
        }
        table.finish();
        outputs.push(Output { topic, format });
    }
    outputs
}

fn topic(table: &Section<'_>) -> String {
    let topic = table.text("topic", "", is_name, NAME_EXPECTED);
    if table.is_absent("topic") {
        table.contradiction("topic", format!("`{}` is missing", table.full("topic")));
    }
    topic
}

/// The `[topics]` table.
pub(super) fn topics(table: Section<'_>) -> Topics {
    let default = Topics::default();
    let named = |key, default: &str| table.text(key, default, is_name, NAME_EXPECTED);
    let topics = Topics {
        events: named("events", &default.events),
        step_up_requests: named("stepup_requests", &default.step_up_requests),
        step_up_responses: named("stepup_responses", &default.step_up_responses),
        agent_state: named("agent_state", &default.agent_state),
        enforcement_acks: named("enforcement_acks", &default.enforcement_acks),
        inventory: named("inventory", &default.inventory),
        changes: named("changes", &default.changes),
        feedback: named("feedback", &default.feedback),
        audit: named("audit", &default.audit),
        dead_letters: named("dead_letters", &default.dead_letters),
        state: named("state", &default.state),
        pools: named("pools", &default.pools),
        sightings: named("sightings", &default.sightings),
    };
    let mut seen = BTreeMap::new();
    for (key, topic) in topics.entries() {
        if let Some(other) = seen.insert(topic, key) {
            table.contradiction(key, format!("`topics.{key}` is \"{topic}\", which is the topic of `topics.{other}` too"));
        }
    }
    table.finish();
    topics
}

/// Kafka's cap holds for the prefix and the name together.
pub(super) fn check_lengths<'t>(table: &Section<'_>, prefix: &str, names: impl Iterator<Item = &'t str>) {
    for name in names.filter(|name| prefix.len() + name.len() > TOPIC_BYTES_MAX) {
        let bytes = prefix.len() + name.len();
        table.contradiction(
            "topic_prefix",
            format!("`kafka.topic_prefix` and the topic \"{name}\" have {bytes} bytes, expected at most 249"),
        );
    }
}

/// Where health and metrics are served.
pub(super) fn admin_listen(table: Section<'_>, default: &str) -> String {
    let is_address = |text: &str| {
        let with_port = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
        text == "off" || text.rsplit_once(':').is_some_and(with_port)
    };
    let listen = table.text("listen", default, is_address, "host:port, or \"off\"");
    table.finish();
    listen
}
