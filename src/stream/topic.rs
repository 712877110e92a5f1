//! The topics (DESIGN.md, section 6): names, who cleans them up, and the settings they need.

use std::collections::BTreeMap;

use crate::config::{Config, Topics};
use crate::govern::ControlTopic;

/// How long entries of the control topics are kept, ms: 30 days.
const TABLE_RETENTION_MS: &str = "2592000000";
/// How long a superseded record of a table by which events are judged is kept at least, ms, so that a restore finds what was in force
/// then: a day.
const SUPERSEDED_KEPT_MS: &str = "86400000";
/// How long sightings are of use, ms: the longest window of a declared limit, 90 days.
const SIGHTINGS_RETENTION_MS: &str = "7776000000";
/// Largest record of the dead-letter topic: the largest ordinary record with its headers and ours.
const DEAD_LETTER_BYTES_MAX: &str = "4194304";

/// What happens to old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// They go when the brokers' default says so.
    Delete,
    /// They go after a month: a table that every instance reads whole.
    DeleteLate,
    /// The newest of each key stays.
    Compact,
    /// The same for a table by which events are judged: what was in force stays for a while too.
    CompactLate,
    /// The same, until nobody has any use for it.
    CompactLateAndDelete,
}

impl Cleanup {
    /// The value of `cleanup.policy`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete | Self::DeleteLate => "delete",
            Self::Compact | Self::CompactLate => "compact",
            Self::CompactLateAndDelete => "compact,delete",
        }
    }

    /// Whether a restore needs what a newer record has superseded.
    #[must_use]
    pub fn keeps_superseded(self) -> bool {
        matches!(self, Self::CompactLate | Self::CompactLateAndDelete)
    }

    /// What a topic is created with beside the policy.
    fn settings(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let compaction = match self {
            Self::Compact | Self::CompactLate | Self::CompactLateAndDelete => COMPACT_OFTEN,
            Self::Delete | Self::DeleteLate => &[],
        };
        let kept_ms = match self {
            Self::DeleteLate => Some(TABLE_RETENTION_MS),
            Self::CompactLateAndDelete => Some(SIGHTINGS_RETENTION_MS),
            Self::Delete | Self::Compact | Self::CompactLate => None,
        };
        let superseded_ms = self.keeps_superseded().then_some((SUPERSEDED_KEPT, SUPERSEDED_KEPT_MS));
        compaction.iter().copied().chain(kept_ms.map(|ms| ("retention.ms", ms))).chain(superseded_ms)
    }
}

/// How many partitions a topic must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitions {
    /// Any number.
    Free,
    /// As many as the input with the most.
    AsInput,
    /// Exactly one.
    One,
}

/// What a topic must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name with the prefix.
    pub name: String,
    /// What happens to old records.
    pub cleanup: Cleanup,
    /// How many partitions it must have.
    pub partitions: Partitions,
    /// Further settings when the topic is created.
    pub settings: BTreeMap<&'static str, &'static str>,
}

/// Every topic by its purpose, prefix included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicNames {
    /// Events are scored from here, in the order of the configuration.
    pub inputs: Vec<String>,
    /// Records come from here that pass through the ingest stage.
    pub ingested: Vec<String>,
    /// They go here as native events keyed by agent.
    pub events: String,
    /// Findings go here, in the order of the configuration.
    pub outputs: Vec<String>,
    /// Step-up requests go here.
    pub step_up_requests: String,
    /// Records that could not be scored go here.
    pub dead_letters: String,
    /// State of the shards.
    pub state: String,
    /// The control tables, the order of [`ControlTopic::ALL`].
    pub tables: Vec<(ControlTopic, String)>,
    /// The why-trail goes here.
    pub audit: String,
    /// States of agents go here.
    pub agent_state: String,
    /// What one shard tells the others goes here.
    pub sightings: String,
    /// What shards tell each other of groups and population.
    pub pools: String,
    others: Vec<(String, Cleanup, Partitions)>,
}

impl TopicNames {
    /// The names that a configuration gives.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let named = |name: &String| format!("{}{name}", config.kafka.topic_prefix);
        let Topics {
            events,
            step_up_requests,
            step_up_responses,
            agent_state,
            enforcement_acks,
            inventory,
            changes,
            feedback,
            audit,
            dead_letters,
            state,
            pools,
            sightings,
        } = &config.topics;
        let others = [
            (events, Cleanup::Delete, Partitions::Free),
            (audit, Cleanup::Delete, Partitions::Free),
            (step_up_responses, Cleanup::DeleteLate, Partitions::Free),
            (enforcement_acks, Cleanup::DeleteLate, Partitions::Free),
            (changes, Cleanup::DeleteLate, Partitions::Free),
            (feedback, Cleanup::DeleteLate, Partitions::Free),
            (agent_state, Cleanup::CompactLate, Partitions::Free),
            (inventory, Cleanup::CompactLate, Partitions::Free),
            (sightings, Cleanup::CompactLateAndDelete, Partitions::Free),
            (pools, Cleanup::Compact, Partitions::One),
        ];
        let table = |topic: ControlTopic| match topic {
            ControlTopic::Inventory => inventory,
            ControlTopic::Changes => changes,
            ControlTopic::Feedback => feedback,
            ControlTopic::StepUpResponses => step_up_responses,
            ControlTopic::EnforcementAcks => enforcement_acks,
            ControlTopic::AgentState => agent_state,
            ControlTopic::Sightings => sightings,
        };
        Self {
            tables: ControlTopic::ALL.into_iter().map(|topic| (topic, named(table(topic)))).collect(),
            audit: named(audit),
            agent_state: named(agent_state),
            sightings: named(sightings),
            pools: named(pools),
            inputs: config.scored_inputs().iter().map(|input| named(&input.topic)).collect(),
            ingested: config.ingested_inputs().iter().map(|input| named(&input.topic)).collect(),
            events: named(events),
            outputs: config.outputs.iter().map(|output| named(&output.topic)).collect(),
            step_up_requests: named(step_up_requests),
            dead_letters: named(dead_letters),
            state: named(state),
            others: others.map(|(name, cleanup, partitions)| (named(name), cleanup, partitions)).to_vec(),
        }
    }

    /// What every topic must be like, inputs first, each once.
    #[must_use]
    pub fn specs(&self) -> Vec<TopicSpec> {
        let mut specs: Vec<TopicSpec> = Vec::new();
        let mut add = |name: &str, cleanup: Cleanup, partitions, settings: &[(&'static str, &'static str)]| {
            if specs.iter().all(|spec| spec.name != name) {
                let settings = cleanup.settings().chain(settings.iter().copied()).collect();
                specs.push(TopicSpec { name: name.to_owned(), cleanup, partitions, settings });
            }
        };
        for name in self.inputs.iter().chain(&self.ingested).chain(&self.outputs).chain([&self.step_up_requests]) {
            add(name, Cleanup::Delete, Partitions::Free, &[]);
        }
        add(&self.dead_letters, Cleanup::Delete, Partitions::Free, &[("max.message.bytes", DEAD_LETTER_BYTES_MAX)]);
        for (name, cleanup, partitions) in &self.others {
            add(name, *cleanup, *partitions, &[]);
        }
        add(&self.state, Cleanup::Compact, Partitions::AsInput, &[]);
        specs
    }
}

/// The setting that spares superseded records from compaction for a time.
pub const SUPERSEDED_KEPT: &str = "min.compaction.lag.ms";
/// The active segment is never cleaned: with Kafka's defaults a partition grows to a gigabyte before the first compaction, and a
/// restore would read all of it.
const COMPACT_OFTEN: &[(&str, &str)] = &[("segment.bytes", "33554432"), ("segment.ms", "600000"), ("min.cleanable.dirty.ratio", "0.1")];

#[cfg(test)]
mod tests {
    use super::*;

    fn named(prefix: &str) -> TopicNames {
        let mut config = Config::default();
        config.kafka.topic_prefix = prefix.into();
        TopicNames::new(&config)
    }

    #[test]
    fn the_prefix_precedes_every_topic() {
        let specs = named("test.").specs();
        assert!(specs.iter().all(|spec| spec.name.starts_with("test.")), "{specs:?}");
        assert_eq!(specs.len(), 14, "DESIGN.md lists fourteen topics");
    }

    #[test]
    fn only_tables_of_the_newest_value_are_compacted() {
        let compacted: Vec<String> =
            named("").specs().into_iter().filter(|spec| spec.cleanup.as_str().contains("compact")).map(|spec| spec.name).collect();
        assert_eq!(compacted, ["agent-state", "agent-inventory", "gaitkeeper-sightings", "gaitkeeper-pools", "gaitkeeper-state"]);
    }

    #[test]
    fn what_a_restore_judges_by_outlives_its_successor() {
        let kept: Vec<String> =
            named("").specs().into_iter().filter(|spec| spec.settings.contains_key(SUPERSEDED_KEPT)).map(|spec| spec.name).collect();
        assert_eq!(kept, ["agent-state", "agent-inventory", "gaitkeeper-sightings"]);
    }

    #[test]
    fn a_topic_named_twice_is_specified_once() {
        let mut names = named("");
        names.outputs.push("agent-alerts".into());
        assert_eq!(names.specs().iter().filter(|spec| spec.name == "agent-alerts").count(), 1);
    }
}
