//! The service: lanes, the watchdog and the eye on the brokers. `run`, `demo` and the tests all start it here.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::lane::{Lane, LaneError};
use super::link::Link;
use super::ordinal::{self, Ordinal};
use super::shards::Assembly;
use super::watchdog::{self, Watch};
use super::{Stop, StreamError};
use crate::config::Delivery;

/// Everything has ended this long after the stop, or is left behind.
const STOP_WITHIN: Duration = Duration::from_millis(9_500);
/// Pause before a lane makes new clients.
const REBUILD_AFTER: Duration = Duration::from_secs(1);
/// How soon the end of a lane is noticed.
const NAP: Duration = Duration::from_millis(20);

/// A running service.
pub struct Service {
    lanes: Vec<JoinHandle<Result<(), StreamError>>>,
    stop: Stop,
    /// Ends the threads that are not lanes.
    ended: Stop,
}

impl Service {
    /// Starts `lanes` lanes; `on_hang` is called when a call into the client library does not come back, and should end the
    /// process.
    ///
    /// # Errors
    /// When the locks of the transactional ids cannot be taken.
    pub fn start(
        assembly: &Arc<Assembly>,
        lanes: usize,
        link: &Arc<Link>,
        stop: &Stop,
        on_hang: impl FnOnce(&'static str) + Send + 'static,
    ) -> Result<Self, StreamError> {
        let ended = Stop::new();
        let mut watches = Vec::new();
        let mut threads = Vec::new();
        for number in 0..lanes {
            let watch = Arc::new(Watch::default());
            watches.push(Arc::clone(&watch));
            let ordinal = claim(assembly)?;
            let kafka = &assembly.config.kafka;
            let transactional_id = ordinal.as_ref().map(|ordinal| ordinal::transactional_id(&kafka.topic_prefix, &kafka.group, ordinal));
            let lane = Lane { assembly: Arc::clone(assembly), transactional_id, link: Arc::clone(link), watch, stop: stop.clone() };
            threads.push(spawn(&format!("lane-{number}"), move || {
                let _held = ordinal;
                keep_running(&lane)
            })?);
        }
        {
            let (link, assembly, ended) = (Arc::clone(link), Arc::clone(assembly), ended.clone());
            spawn("link", move || link.watch(&assembly.config.kafka, &ended))?;
        }
        {
            let ended = ended.clone();
            spawn("watchdog", move || watchdog::guard(&watches, &ended, watchdog::HANGS_AFTER, on_hang))?;
        }
        Ok(Self { lanes: threads, stop: stop.clone(), ended })
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
    loop {
        match lane.run() {
            Ok(()) => return Ok(()),
            Err(LaneError::Refused(error)) => return Err(StreamError::Lane(error)),
            Err(LaneError::Broken(error)) if lane.stop.is_requested() => return Err(StreamError::Lane(error)),
            Err(LaneError::Broken(error)) => {
                tracing::warn!(%error, "starting afresh from the last commit");
                lane.assembly.meters.rebuilds.inc();
                lane.stop.sleep(REBUILD_AFTER);
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
