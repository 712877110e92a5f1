//! What the service counts. Names and units as Prometheus wants them.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Seconds; a commit of two milliseconds and one of ten seconds must both be seen.
const COMMIT_SECONDS: &[f64] =
    &[0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// Seconds; a machine answers in parts of one, a person in minutes.
const RESPONSE_SECONDS: &[f64] = &[0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0];

/// The counters of one process. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Meters {
    registry: Registry,
    /// Records taken from the inputs.
    pub records: IntCounter,
    /// Events passed on by the ingest stage.
    pub ingested: IntCounter,
    /// Events given to the engine.
    pub events: IntCounter,
    /// Records that went to the dead letters, by reason.
    pub dead_letters: IntCounterVec,
    /// Members of records that are not part of the native event.
    pub unknown_fields: IntCounter,
    /// Findings published, each opening, update and close.
    pub findings: IntCounter,
    /// Step-up requests published.
    pub step_up_requests: IntCounter,
    /// From a finding to the state that it led to, for each state that an enforcement point answered.
    pub finding_to_state_seconds: Histogram,
    /// From a state to what the enforcement point did.
    pub state_to_ack_seconds: Histogram,
    /// Commits that succeeded.
    pub commits: IntCounter,
    /// How long commits took, successful ones.
    pub commit_seconds: Histogram,
    /// Transactions rolled back.
    pub roll_backs: IntCounter,
    /// Times that a lane had to make new clients.
    pub rebuilds: IntCounter,
    /// Partitions owned now.
    pub partitions: IntGauge,
    /// Records behind the end, by topic and partition. Markers of transactions count as records, so one may remain.
    pub lag: IntGaugeVec,
    /// Records that the brokers deleted before they were read.
    pub records_lost: IntCounter,
    /// Bytes written to the state topic.
    pub state_bytes: IntCounter,
    /// Epochs that became complete.
    pub epochs: IntCounter,
    /// How long they took from their beginning.
    pub epoch_seconds: Histogram,
    /// How long events waited for one step of an epoch.
    pub snapshot_pause_seconds: Histogram,
    /// Times that a shard adopted what others know of groups and population.
    pub pools_adopted: IntCounter,
    /// Events applied again, silently, to restore state.
    pub reapplied: IntCounter,
    /// Records that were deleted before state could be restored from them.
    pub reapply_missing: IntCounter,
    /// How long it took to restore the partitions that came together, from the question for their offsets on.
    pub restore_seconds: Histogram,
    /// Restores begun again: the state could not be read, or contradicted the group's offset for a moment.
    pub restore_retries: IntCounter,
    /// Agents remembered now.
    pub agents: IntGauge,
    /// Bytes of what they taught, by its layout.
    pub agent_bytes: IntGauge,
    /// Agents that wait in the state topic.
    pub agents_away: IntGauge,
    /// How long it took to bring back one that acts again.
    pub recall_seconds: Histogram,
    /// Agents forgotten for want of room.
    pub agents_forgotten: IntCounter,
    /// Agents whose ended requests were forgotten for want of room.
    pub asked_forgotten: IntCounter,
}

impl Meters {
    /// Counters at zero in a registry of their own.
    ///
    /// # Panics
    /// Never: every name is valid and registered once.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("gaitkeeper_{name}"), help).expect("a valid name");
            registry.register(Box::new(counter.clone())).expect("a name used once");
            counter
        };
        let dead_letters = IntCounterVec::new(Opts::new("gaitkeeper_dead_letters_total", "Records that could not be scored"), &["reason"])
            .expect("a valid name");
        let commit_seconds = Histogram::with_opts(
            HistogramOpts::new("gaitkeeper_commit_seconds", "Duration of commits that succeeded").buckets(COMMIT_SECONDS.to_vec()),
        )
        .expect("ascending buckets");
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("gaitkeeper_{name}"), help).expect("a valid name");
            registry.register(Box::new(gauge.clone())).expect("a name used once");
            gauge
        };
        let lag = IntGaugeVec::new(Opts::new("gaitkeeper_lag_records", "Records behind the end of the partition"), &["topic", "partition"])
            .expect("a valid name");
        let timed = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(format!("gaitkeeper_{name}_seconds"), help).buckets(buckets.to_vec());
            let histogram = Histogram::with_opts(options).expect("ascending buckets");
            registry.register(Box::new(histogram.clone())).expect("a name used once");
            histogram
        };
        let seconds = |name: &str, help: &str| timed(name, help, COMMIT_SECONDS);
        registry.register(Box::new(lag.clone())).expect("a name used once");
        registry.register(Box::new(dead_letters.clone())).expect("a name used once");
        registry.register(Box::new(commit_seconds.clone())).expect("a name used once");
        Self {
            records: counter("records_total", "Records taken from the inputs"),
            ingested: counter("ingested_events_total", "Events passed on by the ingest stage"),
            events: counter("events_total", "Events given to the engine"),
            dead_letters,
            unknown_fields: counter("unknown_fields_total", "Members of records that are not part of the native event"),
            findings: counter("findings_total", "Findings published, each opening, update and close"),
            step_up_requests: counter("step_up_requests_total", "Step-up requests published"),
            finding_to_state_seconds: timed(
                "finding_to_state",
                "From a finding to the state that it led to, by stream time, for each state that an enforcement point answered",
                RESPONSE_SECONDS,
            ),
            state_to_ack_seconds: timed("state_to_ack", "From a state to what the enforcement point says it did", RESPONSE_SECONDS),
            commits: counter("commits_total", "Commits that succeeded"),
            commit_seconds,
            roll_backs: counter("roll_backs_total", "Transactions rolled back"),
            rebuilds: counter("rebuilds_total", "Times that a lane had to make new clients"),
            partitions: gauge("partitions", "Partitions owned now"),
            lag,
            records_lost: counter("records_lost_total", "Records that the brokers deleted before they were read"),
            state_bytes: counter("state_bytes_total", "Bytes written to the state topic"),
            epochs: counter("epochs_total", "Snapshots that became complete"),
            epoch_seconds: seconds("epoch", "Duration of snapshots from beginning to validity"),
            snapshot_pause_seconds: seconds("snapshot_pause", "How long the events of a lane waited for one step of its snapshots"),
            pools_adopted: counter("pools_adopted_total", "Times that a shard adopted what others know of groups and population"),
            reapplied: counter("reapplied_events_total", "Events applied again, silently, to restore state"),
            reapply_missing: counter("reapply_missing_total", "Records that were deleted before state could be restored from them"),
            restore_seconds: seconds("restore", "Time that the partitions that came together took to restore"),
            restore_retries: counter(
                "restore_retries_total",
                "Restores begun again: state that could not be read, or was not that of the group's offset",
            ),
            agents: gauge("agents", "Agents remembered now"),
            agent_bytes: gauge("agent_bytes", "Bytes of what the remembered agents taught, by its layout"),
            agents_away: gauge("agents_away", "Agents of these that wait in the state topic until they act"),
            recall_seconds: seconds("recall", "Time that an agent took to come back from the state topic"),
            asked_forgotten: counter(
                "asked_forgotten_total",
                "Agents whose ended requests were forgotten for want of room, see the table memory of the settings",
            ),
            agents_forgotten: counter("agents_forgotten_total", "Agents forgotten for want of room, see the table memory of the settings"),
            registry,
        }
    }

    /// Where all of them are registered.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}
