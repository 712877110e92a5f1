//! The service: lanes, the watchdog and the eye on the brokers. `run`, `demo` and the tests all start it here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::health::ServicePages;
use super::lane::{Lane, LaneError};
use super::link::Link;
use super::meters::Meters;
use super::ordinal::{self, Ordinal};
use super::progress::{LagWatch, Progress};
use super::shards::{Assembly, Work};
use super::topic::TopicNames;
use super::topics::{KeptTooShort, TopicKeeper};
use super::watchdog::{self, Watch};
use super::{Stop, StreamError};
use crate::admin::Server;
use crate::config::{Config, Delivery, Input, InputFormat, OutputFormat};

/// Everything has ended this long after the stop, or is left behind.
const STOP_WITHIN: Duration = Duration::from_millis(9_500);
/// First and longest pause before a lane makes new clients.
const REBUILD_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A lane that lived this long begins with the first pause again.
const LIVED_LONG: Duration = Duration::from_mins(1);
/// How soon the end of a lane is noticed.
const NAP: Duration = Duration::from_millis(20);

/// How closely the topics are looked at before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicCheck {
    /// All of them, with partitions and cleanup policy.
    Full,
    /// Only that the inputs are there: the in-process cluster has no settings to look at, and no compaction, so no state is kept there.
    Inputs,
}

/// A running service.
pub struct Service {
    assembly: Arc<Assembly>,
    lanes: Vec<JoinHandle<Result<(), StreamError>>>,
    stop: Stop,
    /// Ends the threads that are not lanes.
    ended: Stop,
    admin: Option<Server>,
}

impl Service {
    /// Waits for the brokers, checks the topics and starts the lanes; `None` when the stop came first. `on_hang` is called when a
    /// call into the client library does not come back, and should end the process.
    ///
    /// # Errors
    /// When the configuration asks for what is not there, the brokers refuse this client, a topic is not as it must be, or the
    /// locks of the transactional ids cannot be taken.
    #[expect(clippy::needless_pass_by_value, reason = "a handle: clones count together")]
    pub fn launch(
        config: &Arc<Config>,
        check: TopicCheck,
        meters: Meters,
        stop: &Stop,
        on_hang: impl FnOnce(&'static str) + Send + 'static,
    ) -> Result<Option<Self>, StreamError> {
        supported(config)?;
        Self::launch_stages(config, &Stages::of(config), check, &meters, stop, on_hang)
    }

    /// The same for the ingest stage alone.
    ///
    /// # Errors
    /// As [`Self::launch`]; also when every input is scored as it comes, so that there is nothing to do.
    #[expect(clippy::needless_pass_by_value, reason = "a handle: clones count together")]
    pub fn launch_ingest(
        config: &Arc<Config>,
        meters: Meters,
        stop: &Stop,
        on_hang: impl FnOnce(&'static str) + Send + 'static,
    ) -> Result<Option<Self>, StreamError> {
        supported(config)?;
        let Stages { ingest: Some(ingest), .. } = Stages::of(config) else {
            let message = "an ingest stage without work: every input holds native records keyed by agent and is scored as it comes";
            return Err(StreamError::Unsupported(message.into()));
        };
        Self::launch_stages(config, &Stages { score: None, ingest: Some(ingest) }, TopicCheck::Full, &meters, stop, on_hang)
    }

    fn launch_stages(
        config: &Arc<Config>,
        stages: &Stages,
        check: TopicCheck,
        meters: &Meters,
        stop: &Stop,
        on_hang: impl FnOnce(&'static str) + Send + 'static,
    ) -> Result<Option<Self>, StreamError> {
        let link = Link::new(&config.kafka.brokers, &TopicNames::new(config).inputs[0]);
        link.wait(&config.kafka, stop, None)?;
        if stop.is_requested() {
            return Ok(None);
        }
        let keeper = TopicKeeper::new(config, &link)?;
        if check == TopicCheck::Full {
            let faults = keeper.check()?;
            if !faults.is_empty() {
                return Err(StreamError::TopicFaults(faults));
            }
            for KeptTooShort { topic, setting, kept_ms } in keeper.kept_too_short()? {
                let interval_ms = config.kafka.snapshot_interval_ms;
                tracing::warn!(
                    topic,
                    setting,
                    kept_ms,
                    interval_ms,
                    "records are kept for less than two kafka.snapshot_interval: a restore may miss some"
                );
            }
        }
        let mut assemblies = Vec::new();
        for (stage, work) in [(&stages.score, Work::Score), (&stages.ingest, Work::Ingest)] {
            let Some((config, inputs, topics)) = stage else { continue };
            let mut names = TopicNames::new(config);
            names.inputs.clone_from(topics);
            let partitions = keeper.partitions_of(&names.inputs)?;
            assemblies.push(Arc::new(Assembly {
                config: Arc::clone(config),
                names,
                partitions,
                meters: meters.clone(),
                progress: Progress::default(),
                keeps_state: check == TopicCheck::Full && work == Work::Score,
                work,
                inputs: inputs.clone(),
            }));
        }
        Self::start(&assemblies, &link, stop, on_hang).map(Some)
    }

    fn start(
        assemblies: &[Arc<Assembly>],
        link: &Arc<Link>,
        stop: &Stop,
        on_hang: impl FnOnce(&'static str) + Send + 'static,
    ) -> Result<Self, StreamError> {
        let assembly = Arc::clone(&assemblies[0]);
        let ended = Stop::new();
        let mut lanes = Vec::new();
        for assembly in assemblies {
            let kafka = &assembly.config.kafka;
            for _ in 0..kafka.lanes {
                let ordinal = claim(assembly)?;
                let transactional_id =
                    ordinal.as_ref().map(|ordinal| ordinal::transactional_id(&kafka.topic_prefix, &kafka.group, ordinal));
                let lane = Lane {
                    assembly: Arc::clone(assembly),
                    transactional_id,
                    link: Arc::clone(link),
                    watch: Arc::new(Watch::default()),
                    stop: stop.clone(),
                };
                lanes.push((lane, ordinal));
            }
        }
        let watches: Vec<Arc<Watch>> = lanes.iter().map(|(lane, _)| Arc::clone(&lane.watch)).collect();
        let until = ended.clone();
        spawn("watchdog", move || watchdog::guard(&watches, &until, watchdog::HANGS_AFTER, on_hang))?;
        let (eye, settings, until) = (Arc::clone(link), Arc::clone(&assembly.config), ended.clone());
        let (looked, mut lag) = (assemblies.to_vec(), LagWatch::new(assembly.meters.clone()));
        spawn("link", move || {
            eye.watch(&settings.kafka, &until, |asker| lag.look(asker, looked.iter().map(|assembly| &assembly.progress)))
        })?;
        let lanes = lanes.into_iter().enumerate().map(|(number, (lane, ordinal))| {
            spawn(&format!("lane-{number}"), move || {
                let _held = ordinal;
                keep_running(&lane)
            })
        });
        let lanes = lanes.collect::<Result<_, _>>()?;
        let admin = serve(&assembly, link);
        Ok(Self { assembly, lanes, stop: stop.clone(), ended, admin })
    }

    /// What is counted.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.assembly.meters
    }

    /// Where health and metrics are served, if they are.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Server::address)
    }

    /// Waits for the end: a stop that was asked for, or a lane that cannot go on.
    ///
    /// # Errors
    /// When a lane cannot go on, or does not end in time after a stop.
    pub fn wait(mut self) -> Result<(), StreamError> {
        let mut result = Ok(());
        while !self.lanes.is_empty() {
            if let Some(index) = self.lanes.iter().position(JoinHandle::is_finished) {
                let ended = self.lanes.swap_remove(index).join().unwrap_or(Err(StreamError::Panicked));
                if ended.is_err() {
                    // One lane alone cannot be missed: its partitions would wait for it.
                    self.stop.request();
                }
                result = result.and(ended);
            } else if self.stop.since().is_some_and(|since| since > STOP_WITHIN) {
                result = result.and(Err(StreamError::StillRunning { lanes: self.lanes.len(), within: STOP_WITHIN }));
                break;
            } else {
                thread::sleep(NAP);
            }
        }
        self.ended.request();
        result
    }
}

/// What the service consists of: each stage with its configuration, its inputs and their topics.
struct Stages {
    score: Option<Stage>,
    ingest: Option<Stage>,
}

type Stage = (Arc<Config>, Vec<Input>, Vec<String>);

impl Stages {
    /// Scoring, and the ingest stage where an input needs it. That is a group of its own, so that any number of services and of
    /// stages on their own share its partitions.
    fn of(config: &Arc<Config>) -> Self {
        let names = TopicNames::new(config);
        let score = (Arc::clone(config), config.scored_inputs(), names.inputs);
        let ingest = (!names.ingested.is_empty()).then(|| {
            let mut ingest = Config::clone(config);
            ingest.kafka.group.push_str("-ingest");
            ingest.kafka.lanes = 1;
            (Arc::new(ingest), config.ingested_inputs(), names.ingested)
        });
        Self { score: Some(score), ingest }
    }
}

/// What a later version will do is refused now, not ignored.
fn supported(config: &Config) -> Result<(), StreamError> {
    if config.inputs.is_empty() {
        return Err(StreamError::Unsupported("a configuration without an input".into()));
    }
    for input in &config.inputs {
        if input.format != InputFormat::Native {
            let message = format!("input {} ({:?}); only native records are read", input.topic, input.format);
            return Err(StreamError::Unsupported(message));
        }
    }
    for output in &config.outputs {
        if output.format != OutputFormat::Native {
            return Err(StreamError::Unsupported(format!(
                "output {} ({:?}); only native findings are written",
                output.topic, output.format
            )));
        }
    }
    Ok(())
}

/// Health and metrics are no reason not to score.
fn serve(assembly: &Arc<Assembly>, link: &Arc<Link>) -> Option<Server> {
    let listen = &assembly.config.admin_listen;
    if listen == "off" {
        return None;
    }
    match Server::start(listen, Arc::new(ServicePages { assembly: Arc::clone(assembly), link: Arc::clone(link) })) {
        Ok(server) => {
            tracing::info!(address = %server.address(), "health and metrics are served");
            Some(server)
        }
        Err(error) => {
            tracing::warn!(listen, %error, "health and metrics are not served, running without them");
            None
        }
    }
}

/// Exactly once needs an id that a restart finds again.
fn claim(assembly: &Assembly) -> Result<Option<Ordinal>, StreamError> {
    let kafka = &assembly.config.kafka;
    if kafka.delivery == Delivery::AtLeastOnce {
        return Ok(None);
    }
    let folder = kafka.state_dir.clone().unwrap_or_else(ordinal::default_folder);
    Ordinal::claim(&folder, &kafka.group).map(Some).map_err(|source| StreamError::StateFolder { folder, source })
}

/// New clients as often as it takes: a broker that was away longer than a transaction lives makes them necessary.
fn keep_running(lane: &Lane) -> Result<(), StreamError> {
    let mut pause = REBUILD_AFTER.0;
    loop {
        let since = Instant::now();
        match lane.run() {
            Ok(()) => return Ok(()),
            Err(LaneError::Refused(error)) => return Err(StreamError::Lane(error)),
            Err(LaneError::Contradiction(message)) => return Err(StreamError::State(message)),
            Err(LaneError::Broken(error)) if lane.stop.is_requested() => return Err(StreamError::Lane(error)),
            Err(error) => {
                tracing::warn!(%error, "starting afresh from the last commit");
                lane.assembly.meters.rebuilds.inc();
                if since.elapsed() > LIVED_LONG {
                    pause = REBUILD_AFTER.0;
                }
                lane.stop.sleep(pause);
                pause = REBUILD_AFTER.1.min(2 * pause);
            }
        }
        if lane.stop.is_requested() {
            return Ok(());
        }
    }
}

fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, StreamError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(StreamError::Thread)
}
