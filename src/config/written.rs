//! A configuration as TOML that reads back as the same one, and the hash by which findings name it.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::engine::{
    Alarm, AlarmBudget, Audit, Detect, EngineConfig, KindVerdict, Memory, Policy, Pools, SessionRules, StepUp, Structuring,
};
use super::kafka::{Input, Kafka, Output};
use super::read_engine::{CLOCKS, COLD_STARTS, FAMILIES};
use super::read_kafka::{DELIVERIES, INPUT_FORMATS, OUTPUT_FORMATS};
use super::{Config, duration};

/// What stands for a secret.
pub(super) const MASK: &str = "***";

/// Whether a setting of the client may hold a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["password", "secret", "key", "token", "oauthbearer.config"].iter().any(|word| name.contains(word))
}

impl Config {
    /// Every key with its value in force, as TOML; secrets are masked.
    #[must_use]
    pub fn effective(&self) -> String {
        let Self { engine, kafka, topics, inputs, outputs, admin_listen } = self;
        let mut root = engine_tables(engine);
        root.insert("kafka".into(), kafka_table(kafka));
        root.insert("topics".into(), table(topics.entries().map(|(key, topic)| (key, topic.into()))));
        root.insert("input".into(), Value::Array(inputs.iter().map(input).collect()));
        root.insert("output".into(), Value::Array(outputs.iter().map(output).collect()));
        root.insert("admin".into(), table([("listen", admin_listen.as_str().into())]));
        root.to_string()
    }
}

impl EngineConfig {
    /// 16 hex digits that change whenever a setting changes that the engine judges by; the policy version of findings.
    #[must_use]
    pub fn hash(&self) -> String {
        // The tables are ordered by key, and the writer gives each value one form.
        let digest = Sha256::digest(engine_tables(self).to_string());
        HEXLOWER.encode(&digest[..8])
    }
}

/// Taken apart by name, here and below, so that a new setting cannot be forgotten.
fn engine_tables(config: &EngineConfig) -> Table {
    // The key of the trail judges nothing: its value enters neither the hash nor any output.
    let EngineConfig { alarm, pools, memory: Memory { agents, asked, megabytes }, detect, step_up, policy, audit: Audit { redaction_key } } =
        config;
    let Alarm { budget, cold_start } = alarm;
    let budget = match budget {
        AlarmBudget::PerSession(share) => ("per_session", (*share).into()),
        AlarmBudget::PerDay(alarms) => ("per_day", (*alarms).into()),
    };
    let Pools { share } = pools;
    let StepUp { expires_after_ms, approvers, acr_values, max_age_ms, require_signature, keys, open_max, ack_within_ms } = step_up;
    Table::from_iter([
        ("alarm".to_owned(), table([("budget", table([budget])), ("cold_start", word(*cold_start, &COLD_STARTS))])),
        ("pools".to_owned(), table([("share", (*share).into())])),
        ("memory".to_owned(), table([("agents", whole(*agents)), ("asked", whole(*asked)), ("megabytes", whole(*megabytes))])),
        ("audit".to_owned(), table([("redaction_key", if redaction_key.is_empty() { "" } else { MASK }.into())])),
        ("detect".to_owned(), detect_table(detect)),
        (
            "step_up".to_owned(),
            table([
                ("expires_after", duration::written(*expires_after_ms).into()),
                ("approvers", approvers.clone().into()),
                ("acr_values", acr_values.clone().into()),
                ("max_age", duration::written(*max_age_ms).into()),
                ("require_signature", (*require_signature).into()),
                ("keys", keys.texts().to_vec().into()),
                ("open", whole(*open_max)),
                ("ack_within", duration::written(*ack_within_ms).into()),
            ]),
        ),
        ("policy".to_owned(), policy_table(policy)),
    ])
}

fn policy_table(policy: &Policy) -> Value {
    let Policy {
        auto_suspend,
        sensitive,
        shadow_grace_ms,
        credential_max_age_ms,
        dormant_after_ms,
        structuring: Structuring { amounts, above_percent, window_ms },
        delegation_depth,
        kinds,
    } = policy;
    let verdict = |verdict: &KindVerdict| {
        let severity = verdict.severity.map(|severity| ("severity", severity.as_str().into()));
        table(severity.into_iter().chain(verdict.decision.map(|decision| ("decision", decision.as_str().into()))))
    };
    table([
        ("auto_suspend", (*auto_suspend).into()),
        ("sensitive", sensitive.clone().into()),
        ("shadow_grace", duration::written(*shadow_grace_ms).into()),
        ("credential_max_age", duration::written(*credential_max_age_ms).into()),
        ("dormant_after", duration::written(*dormant_after_ms).into()),
        (
            "structuring",
            table([
                ("amounts", whole(*amounts)),
                ("above_percent", whole(*above_percent)),
                ("window", duration::written(*window_ms).into()),
            ]),
        ),
        ("delegation_depth", whole(*delegation_depth)),
        ("kinds", table(kinds.iter().map(|(kind, own)| (kind.as_str(), verdict(own))))),
    ])
}

fn detect_table(detect: &Detect) -> Value {
    let Detect {
        clock,
        sessions,
        group_share_sequence,
        group_share_attributes,
        joint_weight,
        end_factor,
        identity_cap,
        family_shares,
        tail_exponents,
        seal_after_sessions,
    } = detect;
    let SessionRules { idle_ms, events_max, length_ms, open_max } = sessions;
    table([
        ("clock", word(*clock, &CLOCKS)),
        (
            "sessions",
            table([
                ("idle", duration::written(*idle_ms).into()),
                ("events", i64::from(*events_max).into()),
                ("length", duration::written(*length_ms).into()),
                ("open", whole(*open_max)),
            ]),
        ),
        ("group_share_sequence", (*group_share_sequence).into()),
        ("group_share_attributes", (*group_share_attributes).into()),
        ("joint_weight", (*joint_weight).into()),
        ("end_factor", (*end_factor).into()),
        ("identity_cap", (*identity_cap).into()),
        ("family_shares", table(FAMILIES.into_iter().zip(family_shares.map(Value::from)))),
        ("tail_exponents", table(FAMILIES.into_iter().zip(tail_exponents.map(Value::from)))),
        ("seal_after_sessions", seal_after_sessions.map_or_else(|| "never".into(), |sessions| i64::from(sessions).into())),
    ])
}

fn kafka_table(kafka: &Kafka) -> Value {
    let Kafka {
        brokers,
        group,
        topic_prefix,
        partitions,
        replication,
        delivery,
        commit_interval_ms,
        lanes,
        snapshot_interval_ms,
        resident_megabytes,
        state_dir,
        client,
    } = kafka;
    let mut entries: Vec<(&str, Value)> = vec![
        ("brokers", brokers.as_str().into()),
        ("group", group.as_str().into()),
        ("topic_prefix", topic_prefix.as_str().into()),
        ("partitions", (*partitions).into()),
        ("replication", (*replication).into()),
        ("delivery", word(*delivery, &DELIVERIES)),
        ("commit_interval_ms", whole(*commit_interval_ms)),
        ("lanes", whole(*lanes)),
        ("snapshot_interval", duration::written(i64::try_from(*snapshot_interval_ms).unwrap_or(i64::MAX)).into()),
        ("resident_megabytes", whole(*resident_megabytes)),
    ];
    if let Some(folder) = state_dir {
        entries.push(("state_dir", folder.display().to_string().into()));
    }
    let shown = |name: &str, value: &str| if is_secret(name) { MASK.into() } else { value.into() };
    entries.push(("client", table(client.iter().map(|(name, value)| (name.as_str(), shown(name, value))))));
    table(entries)
}

fn input(input: &Input) -> Value {
    let Input { topic, format, keyed } = input;
    table([("topic", topic.as_str().into()), ("format", word(*format, &INPUT_FORMATS)), ("keyed", (*keyed).into())])
}

fn output(output: &Output) -> Value {
    let Output { topic, format } = output;
    table([("topic", topic.as_str().into()), ("format", word(*format, &OUTPUT_FORMATS))])
}

fn table<'k>(entries: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn whole<T: TryInto<i64>>(number: T) -> Value {
    number.try_into().unwrap_or(i64::MAX).into()
}

fn word<T: PartialEq + Copy>(value: T, words: &[(&str, T)]) -> Value {
    words.iter().find(|(_, other)| *other == value).map_or("", |(word, _)| *word).into()
}
