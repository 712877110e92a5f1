//! A bar on standard error while a stream is read; nothing when standard error is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `bytes_total` bytes, or a running count when the total is unknown.
pub fn bar(bytes_total: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes_total {
        Some(total) => (ProgressBar::new(total), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
    bar
}
