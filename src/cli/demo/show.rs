//! What the viewer reads: a line or two for each finding as it comes, and a summary.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use super::cluster::Seen;
use super::tally::{Found, Tally};
use crate::config::AlarmBudget;
use crate::finding::{Activity, Finding, Severity, StepUpRequest};
use crate::stream::Meters;
use crate::workbench::generate::Generated;

/// Longest line of text from outside, characters.
const TEXT_MAX: usize = 160;

/// Standard output, with colours on a terminal only.
pub struct Screen {
    colours: bool,
    started: Instant,
}

#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
}

impl Screen {
    /// Says what is about to happen.
    pub fn start(events: &[Generated], quiet_until: i64, seconds: u64) -> Self {
        let screen = Self { colours: io::stdout().is_terminal(), started: Instant::now() };
        let learning = events.partition_point(|event| event.ts <= quiet_until);
        let agents: std::collections::BTreeSet<&str> = events.iter().map(|event| &*event.agent_id).collect();
        println!(
            "{} {} agents do {} things in about {seconds} s; the first {} are ordinary, then some of the agents are misused.",
            screen.paint("gaitkeeper demo:", Style::Bold),
            agents.len(),
            grouped(events.len() as u64),
            grouped(learning as u64),
        );
        screen
    }

    /// Says where it happens.
    pub fn connected(&self, brokers: &str) {
        println!("{}", self.paint(&format!("{brokers}: events → agent-events, findings ← agent-alerts"), Style::Dim));
    }

    /// One publication; updates and ends of findings are only counted.
    pub fn show(&self, seen: &Seen, tally: &Tally) {
        match seen {
            Seen::Finding(finding) if finding.activity == Activity::Open => self.finding(finding, tally.attack(finding)),
            Seen::Finding(_) => (),
            Seen::Request(request) => self.request(request),
        }
    }

    fn finding(&self, finding: &Finding, attack: Option<&str>) {
        let style = match finding.severity {
            Severity::Low => Style::Dim,
            Severity::Medium => Style::Yellow,
            Severity::High | Severity::Critical => Style::Red,
        };
        let truth = attack.map_or_else(|| "ordinary in truth".to_owned(), |attack| format!("injected: {attack}"));
        println!(
            "{} {} {} {} {} {}",
            self.time(),
            self.paint(&format!("{:<8}", finding.severity.as_str()), style),
            self.paint(&clean(&finding.agent_id), Style::Bold),
            clean(&finding.title),
            self.paint(&format!("→ {}", finding.decision.as_str()), style),
            self.paint(&format!("[{truth}]"), if attack.is_some() { Style::Green } else { Style::Dim }),
        );
        if let Some(reason) = finding.reasons.first() {
            let line = format!("{} {}: {}, expected {}", reason.channel, reason.field, clean(&reason.actual), clean(&reason.expected));
            println!("         {}", self.paint(&line, Style::Dim));
        }
    }

    fn request(&self, request: &StepUpRequest) {
        let action = &request.action;
        let what: Vec<String> = [&action.tool, &action.target, &action.destination].into_iter().flatten().map(|text| clean(text)).collect();
        let asked = match request.decision_required {
            crate::finding::step_up_request::DecisionRequired::Reauthenticate => "proves who it is",
            crate::finding::step_up_request::DecisionRequired::HumanApproval => "waits for a person",
        };
        println!(
            "{} {} {} {asked}: {}",
            self.time(),
            self.paint("step-up ", Style::Yellow),
            self.paint(&clean(&request.agent.id), Style::Bold),
            what.join(" ")
        );
    }

    /// What came of it all.
    pub fn summary(&self, tally: &Tally, produced: u64, meters: &Meters, elapsed: Duration) {
        println!();
        println!("{}", self.paint("attack             injected   found", Style::Bold));
        let mut all = Found::default();
        for (kind, found) in tally.attacks() {
            println!("{kind:<18} {:>8} {:>7}", found.injected, found.found);
            all.injected += found.injected;
            all.found += found.found;
        }
        println!("{:<18} {:>8} {:>7}   ({} missed)", "all", all.injected, all.found, all.injected - all.found);
        let (alarms, sessions) = tally.false_alarms();
        let budget = match crate::config::EngineConfig::default().alarm.budget {
            AlarmBudget::PerSession(share) => format!("budget {:.1} %", 100.0 * share),
            AlarmBudget::PerDay(alarms) => format!("budget {alarms} a day"),
        };
        let share = 100.0 * alarms as f64 / (sessions as f64).max(1.0);
        println!("false alarms       {alarms} of {} ordinary sessions ({share:.2} %, {budget})", grouped(sessions as u64));
        println!(
            "events             {} in, {} scored, {:.0} events/s",
            grouped(produced),
            grouped(meters.events.get()),
            produced as f64 / elapsed.as_secs_f64().max(0.001)
        );
        println!(
            "published          {} findings opened, {} records about findings, {} step-up requests",
            tally.opened(),
            tally.findings(),
            tally.requests()
        );
    }

    fn time(&self) -> String {
        self.paint(&format!("{:5.1} s", self.started.elapsed().as_secs_f64()), Style::Dim)
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Red => 31,
            Style::Green => 32,
            Style::Yellow => 33,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Text from outside must not move the cursor or fill the screen.
fn clean(text: &str) -> String {
    let mut clean: String = text.chars().take(TEXT_MAX).map(|character| if character.is_control() { ' ' } else { character }).collect();
    if text.chars().nth(TEXT_MAX).is_some() {
        clean.push('…');
    }
    clean
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            ["7", "999", "1,000", "86,097", "1,234,567"],
            [7, 999, 1_000, 86_097, 1_234_567].map(grouped).each_ref().map(String::as_str)
        );
    }

    #[test]
    fn text_from_outside_cannot_move_the_cursor() {
        assert_eq!(clean("a\x1b[2Jb\nc"), "a [2Jb c");
        assert_eq!(clean(&"x".repeat(TEXT_MAX + 1)).chars().count(), TEXT_MAX + 1);
        assert_eq!(clean(&"x".repeat(TEXT_MAX)), "x".repeat(TEXT_MAX));
    }
}
