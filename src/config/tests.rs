//! What a configuration may say, what it may not, and where the message points.

use std::collections::BTreeMap;

use super::*;
use crate::finding::{Decision, Kind, Severity};

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn accepted(text: &str) -> Config {
    Config::parse(text, []).unwrap_or_else(|problems| panic!("{}", shown(problems)))
}

#[track_caller]
fn overridden(text: &str, pairs: &[(&str, &str)]) -> Config {
    Config::parse(text, variables(pairs)).unwrap_or_else(|problems| panic!("{}", shown(problems)))
}

fn shown(problems: Vec<Problem>) -> String {
    ConfigError { file: "f".into(), problems }.to_string()
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    assert_eq!(shown(Config::parse(text, []).unwrap_err()), expected, "{text}");
}

#[track_caller]
fn check_variable_refused(name: &str, value: &str, expected: &str) {
    assert_eq!(shown(Config::parse("", variables(&[(name, value)])).unwrap_err()), expected);
}

/// The example of DESIGN.md, section 10.
const EXAMPLE: &str = r#"
[kafka]
brokers = "localhost:9092"
group = "gaitkeeper"
topic_prefix = ""
partitions = 4                     # for `topics create`
replication = -1                   # the broker's default
delivery = "exactly_once"          # or "at_least_once"
commit_interval_ms = 100
[kafka.client]                     # passed to librdkafka as it stands: security.protocol, sasl.mechanism, …
[alarm]
budget = { per_session = 0.01 }    # or { per_day = 5 }, for the whole fleet
cold_start = "pool"                # pool: as DETECTION.md; contract: no behavioural finding while young; quiet: none at all from a new agent's first sessions
[pools]
share = false                      # true: groups and population are one across partitions
[detect]
clock = "auto"                     # real, synthetic: whether gaps between events mean anything
[step_up]
expires_after = "15m"
approvers = []                     # empty: anyone but the principal and the agent
acr_values = []
require_signature = false
[policy]
auto_suspend = false
sensitive = []
shadow_grace = "0s"
[[input]]
topic = "agent-events"
format = "native"                  # native otlp_proto otlp_json cloudevents mapped
keyed = true
[[output]]
topic = "agent-alerts"
format = "native"                  # native ocsf ecs cef
[admin]
listen = "127.0.0.1:9464"
"#;

#[test]
fn an_empty_file_and_the_example_mean_the_defaults() {
    assert_eq!(accepted(""), Config::default());
    assert_eq!(accepted(EXAMPLE), Config::default());
}

#[test]
fn every_key_is_read() {
    let config = accepted(
        r#"
        kafka = { brokers = "a:1, b", group = "g", topic_prefix = "p.", partitions = 12, replication = 3, delivery = "at_least_once",
                  commit_interval_ms = 10, lanes = 2, snapshot_interval = "5m", resident_megabytes = 0, state_dir = "/s" }
        alarm = { budget = { per_day = 5 }, cold_start = "quiet" }
        pools.share = true
        memory = { agents = 1000, asked = 10, megabytes = 64 }
        step_up = { expires_after = "1h", approvers = ["soc"], acr_values = ["phr"], require_signature = true, max_age = "10m",
                    open = 5, ack_within = "30s" }
        policy = { auto_suspend = true, sensitive = ["*payout*"], shadow_grace = "7d", credential_max_age = "30d", dormant_after = "2w",
                   structuring = { amounts = 4, above_percent = 80, window = "12h" }, delegation_depth = 2,
                   kinds = { intent_limit = { severity = "high" }, dormant_agent = { decision = "suspend" } } }
        topics.stepup_requests = "asks"
        input = [{ topic = "spans", format = "otlp_proto" }, { topic = "native" }]
        output = [{ topic = "ecs", format = "ecs" }]
        admin.listen = "off"
        [detect]
        clock = "real"
        sessions = { idle = "10m", events = 100, length = "2h", open = 8 }
        group_share_sequence = 0.5
        group_share_attributes = 0
        joint_weight = 0.7
        end_factor = 1
        identity_cap = 2.5
        family_shares = { misuse = 0.5, length = 0.1, total = 0.1, identity = 0.1, persistence = 0.1, volume = 0.1 }
        tail_exponents = { misuse = 0.9, length = 0.8, total = 0.7, identity = 0.6, persistence = 0.5, volume = 0.4 }
        seal_after_sessions = "never"
        "#,
    );
    let expected = Config {
        engine: EngineConfig {
            alarm: Alarm { budget: AlarmBudget::PerDay(5.0), cold_start: ColdStart::Quiet },
            pools: Pools { share: true },
            memory: Memory { agents: 1_000, asked: 10, megabytes: 64 },
            detect: Detect {
                clock: Clock::Real,
                sessions: SessionRules { idle_ms: 600_000, events_max: 100, length_ms: 7_200_000, open_max: 8 },
                group_share_sequence: 0.5,
                group_share_attributes: 0.0,
                joint_weight: 0.7,
                end_factor: 1.0,
                identity_cap: 2.5,
                family_shares: [0.5, 0.1, 0.1, 0.1, 0.1, 0.1],
                tail_exponents: [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
                seal_after_sessions: None,
            },
            step_up: StepUp {
                expires_after_ms: 3_600_000,
                approvers: vec!["soc".into()],
                acr_values: vec!["phr".into()],
                max_age_ms: 600_000,
                require_signature: true,
                keys: AnswerKeys::default(),
                open_max: 5,
                ack_within_ms: 30_000,
            },
            audit: Audit::default(),
            policy: Policy {
                auto_suspend: true,
                sensitive: vec!["*payout*".into()],
                shadow_grace_ms: 604_800_000,
                credential_max_age_ms: 2_592_000_000,
                dormant_after_ms: 1_209_600_000,
                structuring: Structuring { amounts: 4, above_percent: 80, window_ms: 43_200_000 },
                delegation_depth: 2,
                kinds: BTreeMap::from([
                    (Kind::IntentLimit, KindVerdict { severity: Some(Severity::High), decision: None }),
                    (Kind::DormantAgent, KindVerdict { severity: None, decision: Some(Decision::Suspend) }),
                ]),
            },
        },
        kafka: Kafka {
            brokers: "a:1, b".into(),
            group: "g".into(),
            topic_prefix: "p.".into(),
            partitions: 12,
            replication: 3,
            delivery: Delivery::AtLeastOnce,
            commit_interval_ms: 10,
            lanes: 2,
            snapshot_interval_ms: 300_000,
            resident_megabytes: 0,
            state_dir: Some("/s".into()),
            ..Kafka::default()
        },
        topics: Topics { step_up_requests: "asks".into(), ..Topics::default() },
        inputs: vec![
            Input { topic: "spans".into(), format: InputFormat::OtlpProto, keyed: false },
            Input { topic: "native".into(), format: InputFormat::Native, keyed: true },
        ],
        outputs: vec![Output { topic: "ecs".into(), format: OutputFormat::Ecs }],
        admin_listen: "off".into(),
    };
    assert_eq!(config, expected);
    assert_eq!(accepted(&config.effective()), config, "what is shown reads back");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_one() {
    check_refused("[kafka]\nbrokrs = \"x\"", "f:2:1: unknown key `kafka.brokrs`, did you mean `brokers`?");
    check_refused("[kafak]\n", "f:1:2: unknown key `kafak`, did you mean `kafka`?");
    check_refused("[pools]\n  size = 1", "f:2:3: unknown key `pools.size`, expected one of share");
    check_refused("[[input]]\ntopic = \"x\"\nformt = \"native\"", "f:3:1: unknown key `input[0].formt`, did you mean `format`?");
}

#[test]
fn wrong_types_and_ranges_are_refused_with_value_and_expectation() {
    check_refused("[kafka]\npartitions = 0", "f:2:1: `kafka.partitions` is 0, expected a whole number from 1 to 100000");
    check_refused("[kafka]\npartitions = \"4\"", "f:2:1: `kafka.partitions` is \"4\", expected a whole number from 1 to 100000");
    check_refused("[kafka]\nreplication = 0", "f:2:1: `kafka.replication` is 0, expected -1 or a whole number from 1 to 32767");
    check_refused("kafka.delivery = \"twice\"", "f:1:7: `kafka.delivery` is \"twice\", expected one of exactly_once, at_least_once");
    check_refused("pools.share = 1", "f:1:7: `pools.share` is 1, expected true or false");
    check_refused(
        "step_up.expires_after = \"soon\"",
        "f:1:9: `step_up.expires_after` is \"soon\", expected a duration such as 15m, from 1s to 30d",
    );
    check_refused("alarm.budget.per_session = nan", "f:1:14: `alarm.budget.per_session` is NaN, expected a share above 0 and below 1");
    check_refused("alarm.budget.per_day = 0", "f:1:14: `alarm.budget.per_day` is 0, expected alarms a day, above 0 and at most 1000000");
    check_refused("alarm = 5", "f:1:1: `alarm` is 5, expected a table");
    check_refused("input = {}", "f:1:1: `input` is a table, expected tables, each under its own `[[…]]`");
    check_refused(
        "policy.kinds.intent_limits.severity = \"high\"",
        "f:1:14: unknown key `policy.kinds.intent_limits`, did you mean `intent_limit`?",
    );
    check_refused(
        "policy.kinds.structuring.decision = \"suspend\"",
        "f:1:26: `policy.kinds.structuring.decision` is suspend, but `policy.auto_suspend` is false",
    );
    check_refused("policy.sensitive = [\"a\", 1]", "f:1:8: `policy.sensitive` is a list, expected a list of texts");
    check_refused("admin.listen = \"9464\"", "f:1:7: `admin.listen` is \"9464\", expected host:port, or \"off\"");
    check_refused(
        "kafka.partitions = 99999999999999999999",
        "f:1:7: `kafka.partitions` is 99999999999999999999, expected a whole number from 1 to 100000",
    );
    check_refused(
        "detect.seal_after_sessions = 0",
        "f:1:8: `detect.seal_after_sessions` is 0, expected a whole number from 1 to 4294967295, or \"never\"",
    );
}

#[test]
fn contradictions_are_refused() {
    check_refused(
        "[alarm]\nbudget = { per_session = 0.01, per_day = 5 }",
        "f:2:32: `alarm.budget` has per_session = 0.01 and per_day = 5, expected one of them",
    );
    check_refused(
        "[detect.sessions]\nidle = \"2h\"\nlength = \"1h\"",
        "f:2:1: `detect.sessions` has idle = 2h and length = 1h, expected idle to be the shorter",
    );
    check_refused("[detect.family_shares]\nmisuse = 0.75", "f:2:1: `detect.family_shares` sum to 1.2, expected 1");
    check_refused("[[input]]\nformat = \"native\"", "f:1:1: `input[0].topic` is missing");
    check_refused(
        "[[input]]\ntopic = \"spans\"\nformat = \"otlp_json\"\nkeyed = true",
        "f:4:1: `input[0].keyed` is true, expected false: a record of this format holds the spans of many agents",
    );
    check_refused(
        "[[input]]\ntopic = \"agent-events\"\nkeyed = false",
        "f:2:1: `input[0].topic` is \"agent-events\", expected another: the ingest stage writes native events there",
    );
    check_refused(
        "[[input]]\ntopic = \"a\"\n[[input]]\ntopic = \"a\"",
        "f:4:1: `input[1].topic` is \"a\", which another input reads already",
    );
    check_refused(
        "[[output]]\ntopic = \"agent-dead-letters\"",
        "f:2:1: `output[0].topic` is \"agent-dead-letters\", which is the topic of `topics.dead_letters`",
    );
    check_refused(
        "topics.audit = \"x\"\ntopics.feedback = \"x\"",
        "f:1:8: `topics.audit` is \"x\", which is the topic of `topics.feedback` too",
    );
    check_refused("[kafka.client]\ngroup.id = \"x\"", "f:2:7: `kafka.client.group.id` cannot be set here: `kafka.group` sets it");
}

#[test]
fn topic_names_are_those_that_kafka_takes() {
    check_refused(
        "topics.audit = \"a b\"",
        "f:1:8: `topics.audit` is \"a b\", expected letters, digits, `.`, `_` and `-`, at most 249 of them",
    );
    let prefix = "p".repeat(240);
    let problems = Config::parse(&format!("kafka.topic_prefix = \"{prefix}\""), []).unwrap_err();
    assert_eq!(problems.len(), 14, "{}", shown(problems));
}

#[test]
fn every_mistake_is_named_in_the_order_of_the_file() {
    check_refused(
        "[kafka]\nlanes = 0\nx = 1\n[pools]\nshare = 2",
        "f:2:1: `kafka.lanes` is 0, expected a whole number from 1 to 256\n\
         f:3:1: unknown key `kafka.x`, expected one of brokers, group, topic_prefix, partitions, replication, delivery, \
         commit_interval_ms, lanes, snapshot_interval, resident_megabytes, state_dir, client\n\
         f:5:1: `pools.share` is 2, expected true or false",
    );
}

#[test]
fn what_is_no_toml_is_refused_without_showing_the_line() {
    let message = shown(Config::parse("[kafka.client]\nsasl.password = hunter2 x", []).unwrap_err());
    assert!(message.starts_with("f:2:") && !message.contains("hunter2"), "{message}");
    let message = shown(Config::parse("[kafka]\nlanes = 1\nlanes = 2", []).unwrap_err());
    assert!(message.starts_with("f:3:1: duplicate key"), "{message}");
}

#[test]
fn variables_override_with_the_type_that_is_asked_for() {
    let config = overridden(
        "[kafka]\nbrokers = \"file:1\"\nlanes = 3\n[alarm]\nbudget = { per_session = 0.02 }",
        &[
            ("GAITKEEPER__KAFKA__BROKERS", "env:1"),
            ("GAITKEEPER__KAFKA__PARTITIONS", "6"),
            ("GAITKEEPER__KAFKA__GROUP", "7"),
            ("GAITKEEPER__POOLS__SHARE", "true"),
            ("GAITKEEPER__STEP_UP__EXPIRES_AFTER", "30m"),
            ("GAITKEEPER__STEP_UP__APPROVERS", "soc, lead"),
            ("GAITKEEPER__POLICY__SENSITIVE", "[\"a,b\"]"),
            ("GAITKEEPER__ALARM__BUDGET", "{ per_day = 2 }"),
            ("GAITKEEPER__DETECT__SEAL_AFTER_SESSIONS", "12"),
            ("GAITKEEPER__INPUT", "[{ topic = \"x\" }]"),
            ("GAITKEEPER__KAFKA__CLIENT__SASL_PASSWORD", "123"),
            ("GAITKEEPER_TEST_KAFKA", "require"),
            ("PATH", "/bin"),
        ],
    );
    assert_eq!((&*config.kafka.brokers, &*config.kafka.group, config.kafka.partitions, config.kafka.lanes), ("env:1", "7", 6, 3));
    assert!(config.engine.pools.share);
    assert_eq!(config.engine.step_up.expires_after_ms, 1_800_000);
    assert_eq!(config.engine.step_up.approvers, ["soc", "lead"]);
    assert_eq!(config.engine.policy.sensitive, ["a,b"]);
    assert_eq!(config.engine.alarm.budget, AlarmBudget::PerDay(2.0));
    assert_eq!(config.engine.detect.seal_after_sessions, Some(12));
    assert_eq!(config.inputs[0].topic, "x");
    assert_eq!(config.kafka.client["sasl.password"], "123");
}

#[test]
fn wrong_variables_are_refused_by_name() {
    check_variable_refused(
        "GAITKEEPER__KAFKA__PARTITIONS",
        "many",
        "GAITKEEPER__KAFKA__PARTITIONS: `kafka.partitions` is \"many\", expected a whole number from 1 to 100000",
    );
    check_variable_refused(
        "GAITKEEPER__KAFKA__BROKRS",
        "x",
        "GAITKEEPER__KAFKA__BROKRS: unknown key `kafka.brokrs`, did you mean `brokers`?",
    );
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let text = format!(
        "[kafka.client]\nsecurity.protocol = \"SASL_SSL\"\nsasl.password = {{ file = '{}' }}\nsocket.timeout.ms = 5000",
        secret.display()
    );
    let config = accepted(&text);
    assert_eq!(config.kafka.client["sasl.password"], "hunter2");
    assert_eq!(config.kafka.client["socket.timeout.ms"], "5000");
    assert_eq!(config.kafka.client["security.protocol"], "SASL_SSL");
    for shown in [config.effective(), format!("{config:?}")] {
        assert!(shown.contains("SASL_SSL") && !shown.contains("hunter2"), "{shown}");
    }
    let problems = Config::parse("[kafka.client]\nsasl.password = [\"hunter2\"]", []).unwrap_err();
    assert!(!shown(problems).contains("hunter2"));
    check_refused(
        "[kafka.client]\nsasl.password = { file = \"/nowhere/at/all\" }",
        "f:2:6: `kafka.client.sasl.password` cannot be read from /nowhere/at/all: No such file or directory (os error 2)",
    );
}

#[test]
fn the_hash_changes_with_what_the_engine_judges_by_and_only_with_that() {
    let default = EngineConfig::default().hash();
    assert_eq!(default.len(), 16);
    assert_eq!(accepted("kafka.brokers = \"x\"\nadmin.listen = \"off\"").engine.hash(), default);
    let changes = [
        "alarm.budget.per_session = 0.02",
        "alarm.budget.per_day = 0.01",
        "alarm.cold_start = \"quiet\"",
        "pools.share = true",
        "detect.joint_weight = 0.8",
        "detect.sessions.idle = \"29m\"",
        "step_up.approvers = [\"a\"]",
        "policy.auto_suspend = true",
    ];
    let mut hashes: Vec<String> = changes.map(|text| accepted(text).engine.hash()).into_iter().chain([default]).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), changes.len() + 1);
}
