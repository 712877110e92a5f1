//! An evaluation as text for a terminal: one row a detector, intervals beside the figures.

use std::fmt::Write as _;

use crate::workbench::metrics::Proportion;

use super::measured::{Detector, EngineFigures, Evaluation, Figure, Figures};

/// Longest attack name printed whole.
const NAME_CHARS: usize = 40;

/// The whole report.
///
/// # Panics
/// Never: a string can always be written to.
#[must_use]
pub fn render(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    write_to(&mut text, evaluation).expect("writing to a string does not fail");
    text
}

fn write_to(text: &mut String, evaluation: &Evaluation) -> std::fmt::Result {
    let counts = &evaluation.counts;
    writeln!(
        text,
        "{} events of {} agents in {} sessions ({} to learn from, {} to test, {} of these with misuse)",
        counts.events, counts.agents, counts.sessions, counts.training_sessions, counts.test_sessions, counts.attack_sessions
    )?;
    if counts.rejected > 0 {
        writeln!(text, "{} lines are no event and were left out", counts.rejected)?;
    }
    if counts.training_attack_sessions > 0 {
        writeln!(text, "warning: {} sessions of the training stretch are labelled as misuse", counts.training_attack_sessions)?;
    }
    ranking_table(text, "Sessions", evaluation.detectors.iter().map(|detector| (detector.name.as_str(), &detector.sessions)))?;
    let engines: Vec<(&Detector, &EngineFigures)> =
        evaluation.detectors.iter().filter_map(|detector| Some((detector, detector.engine.as_ref()?))).collect();
    if engines.iter().any(|(_, figures)| figures.events.attacks > 0) {
        ranking_table(text, "Events", engines.iter().map(|(detector, figures)| (detector.name.as_str(), &figures.events)))?;
    }
    differences(text, evaluation)?;
    calibration(text, &engines)?;
    alarms(text, &engines)?;
    delays(text, evaluation.alpha, &engines)?;
    for (detector, figures) in &engines {
        if figures.attacks.len() > 1 {
            let rows = figures.attacks.iter().map(|(name, figures)| (name.as_str(), figures));
            ranking_table(text, &format!("By attack, {}", detector.name), rows)?;
        }
        if figures.history.len() > 1 {
            let names: Vec<String> =
                figures.history.iter().map(|row| format!("{} to {} sessions", row.sessions.0, row.sessions.1)).collect();
            let rows = names.iter().map(String::as_str).zip(figures.history.iter().map(|row| &row.figures));
            ranking_table(text, &format!("By the agent's history, {}", detector.name), rows)?;
        }
    }
    writeln!(text, "\n[…] 95 %: ranking figures by {} draws of sessions, rates by Clopper and Pearson", evaluation.draws)
}

fn ranking_table<'a>(text: &mut String, title: &str, rows: impl Iterator<Item = (&'a str, &'a Figures)>) -> std::fmt::Result {
    writeln!(
        text,
        "\n{title:<40} {:>8} {:>7}  {:<19} {:<19} {:<8} {:<8} {:<19} {:<8}",
        "misuse", "benign", "ROC-AUC", "average precision", "at .1 %", "at .5 %", "found at 1 %", "at 5 %"
    )?;
    for (name, figures) in rows {
        let name: String = name.chars().take(NAME_CHARS).collect();
        let found = |at: usize| &figures.found[at].found;
        writeln!(
            text,
            "{name:<40} {:>8} {:>7}  {:<19} {:<19} {:<8} {:<8} {:<19} {:<8}",
            figures.attacks,
            figures.benign,
            with_interval(&figures.roc_auc),
            with_interval(&figures.average_precision),
            value(found(0).value),
            value(found(1).value),
            with_interval(found(2)),
            value(found(3).value),
        )?;
    }
    Ok(())
}

fn differences(text: &mut String, evaluation: &Evaluation) -> std::fmt::Result {
    if evaluation.differences.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n{:<40} {:<21} {:<21} {:<21}", "Better than the peer by", "ROC-AUC", "average precision", "found at 1 %")?;
    for row in &evaluation.differences {
        let name = format!("{} − {}", row.detector, row.against);
        writeln!(
            text,
            "{name:<40} {:<21} {:<21} {:<21}",
            with_interval(&row.roc_auc),
            with_interval(&row.average_precision),
            with_interval(&row.found_at_one_percent)
        )?;
    }
    Ok(())
}

fn calibration(text: &mut String, engines: &[(&Detector, &EngineFigures)]) -> std::fmt::Result {
    writeln!(text, "\n{:<40} {:<32} {:<32}", "False alarms asked for", "realised in benign sessions", "misuse found")?;
    for (detector, figures) in engines {
        for row in &figures.calibration {
            let name = format!("{} at {} %", detector.name, row.requested * 100.0);
            writeln!(text, "{name:<40} {:<32} {:<32}", percent(&row.false_alarms), percent(&row.found))?;
        }
        for row in figures.young.iter().filter(|row| row.false_alarms.of > 0) {
            let sessions = match row.sessions {
                (first, Some(last)) => format!("{first} to {last}"),
                (first, None) => format!("from {first} on"),
            };
            let name = format!("{} at 1 %, agent's sessions {sessions}", detector.name);
            writeln!(text, "{name:<40} {:<32}", percent(&row.false_alarms))?;
        }
    }
    Ok(())
}

fn alarms(text: &mut String, engines: &[(&Detector, &EngineFigures)]) -> std::fmt::Result {
    writeln!(text, "\n{:<40} {:<32} {:<32}", "At the engine's budget", "benign sessions", "misuse")?;
    for (detector, figures) in engines {
        let alarms = &figures.alarms;
        let rows =
            [("finding opened", &alarms.benign_opened, &alarms.attack_opened), ("alarmed", &alarms.benign_alarmed, &alarms.attack_alarmed)];
        for (what, benign, misuse) in rows {
            let name = format!("{}: {what}", detector.name);
            writeln!(text, "{name:<40} {:<32} {:<32}", percent(benign), percent(misuse))?;
        }
        if figures.unclosed > 0 {
            writeln!(text, "{}: {} test sessions never closed and rank last", detector.name, figures.unclosed)?;
        }
    }
    Ok(())
}

fn delays(text: &mut String, alpha: f64, engines: &[(&Detector, &EngineFigures)]) -> std::fmt::Result {
    if engines.iter().all(|(_, figures)| figures.delay.sessions == 0) {
        return Ok(());
    }
    let title = format!("From first misuse to p < {alpha}");
    writeln!(text, "\n{title:<40} {:>8}  {:<14} {:<14} {:<14} {:<14}", "sessions", "median events", "at once", "missed", "median s")?;
    for (detector, figures) in engines {
        let delay = &figures.delay;
        writeln!(
            text,
            "{:<40} {:>8}  {:<14} {:<14} {:<14} {:<14}",
            detector.name,
            delay.sessions,
            delay.median_events.map_or_else(|| "–".to_owned(), |events| events.to_string()),
            value(delay.share_at_once),
            value(delay.share_missed),
            delay.median_seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1}"))
        )?;
    }
    Ok(())
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn with_interval(figure: &Figure) -> String {
    match (figure.value, figure.low, figure.high) {
        (Some(value), Some(low), Some(high)) => format!("{value:.3} [{low:.3} {high:.3}]"),
        (value_alone, ..) => value(value_alone),
    }
}

fn percent(proportion: &Proportion) -> String {
    let Some(share) = proportion.share else { return "–".to_owned() };
    format!("{:.2} % [{:.2} {:.2}] of {}", share * 100.0, proportion.low * 100.0, proportion.high * 100.0, proportion.of)
}
