//! SIGINT and SIGTERM ask for the end; a second one does not wait for it.

use std::io;
use std::process;
use std::thread;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::Exit;
use crate::stream::Stop;

/// Requests the stop at the first signal and ends the process at the second.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn stop_on_signal(stop: &Stop) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let stop = stop.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async move {
            for last in [false, true] {
                tokio::select! {
                    _ = interrupt.recv() => (),
                    _ = terminate.recv() => (),
                }
                if last {
                    process::exit(Exit::Io as i32);
                }
                tracing::info!("stopping: finishing, committing, leaving the group");
                stop.request();
            }
        });
    })?;
    Ok(())
}
