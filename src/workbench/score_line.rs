//! The lines of `replay --scores`: one for each event, one more for each session that closes (DESIGN.md, section 10).

use std::io::{self, Write};

use serde::Serialize;

use crate::engine::{EventScore, SessionEnd};
use crate::event::Event;

#[derive(Serialize)]
struct ScoreLine<'a> {
    event_id: &'a str,
    ts: i64,
    agent_id: &'a str,
    session_id: Option<&'a str>,
    score: Option<f64>,
    session_score: Option<f64>,
    p_value: Option<f64>,
    state: &'a str,
    decision: &'a str,
}

#[derive(Serialize)]
struct SessionEndLine<'a> {
    session_end: bool,
    ts: i64,
    agent_id: &'a str,
    session_id: Option<&'a str>,
    session_score: f64,
    decision: &'a str,
}

/// Writes the line of one event. Numbers have as many digits as it takes to read them back exactly.
///
/// # Errors
/// Writing failed.
pub fn write_score(out: &mut impl Write, event: &Event<'_>, score: &EventScore) -> io::Result<()> {
    write_line(
        out,
        &ScoreLine {
            event_id: &event.event_id,
            ts: event.ts,
            agent_id: &event.agent_id,
            session_id: event.session_id.as_deref(),
            score: score.score,
            session_score: score.session_score,
            p_value: score.p_value,
            state: score.state.as_str(),
            decision: score.decision.as_str(),
        },
    )
}

/// Writes the line of a session that has closed.
///
/// # Errors
/// Writing failed.
pub fn write_session_end(out: &mut impl Write, end: &SessionEnd) -> io::Result<()> {
    write_line(
        out,
        &SessionEndLine {
            session_end: true,
            ts: end.ts,
            agent_id: &end.agent_id,
            session_id: end.session_id.as_deref(),
            session_score: end.session_score,
            decision: end.decision.as_str(),
        },
    )
}

/// Writes anything as one JSON line.
///
/// # Errors
/// Writing failed.
pub fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ScoreState;
    use crate::event::Action;
    use crate::finding::Decision;

    #[test]
    fn an_event_has_every_field_and_full_precision() {
        let mut event = Event::bare("0-7", 1_736_150_401_656, "a\"1", Action::ToolCall);
        event.session_id = Some("s".into());
        let score = EventScore {
            score: Some(0.1 + 0.2),
            session_score: Some(0.0),
            p_value: Some(1e-30),
            state: ScoreState::Learning,
            decision: Decision::StepUp,
        };
        let mut out = Vec::new();
        write_score(&mut out, &event, &score).expect("memory");
        assert_eq!(
            String::from_utf8(out).expect("JSON"),
            concat!(
                r#"{"event_id":"0-7","ts":1736150401656,"agent_id":"a\"1","session_id":"s","score":0.30000000000000004,"#,
                r#""session_score":0.0,"p_value":1e-30,"state":"learning","decision":"step_up"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_closed_session_says_so_first() {
        let end = SessionEnd { ts: 5, agent_id: "a".into(), session_id: None, session_score: 2.5, decision: Decision::Alert, handle: 9 };
        let mut out = Vec::new();
        write_session_end(&mut out, &end).expect("memory");
        assert_eq!(
            String::from_utf8(out).expect("JSON"),
            "{\"session_end\":true,\"ts\":5,\"agent_id\":\"a\",\"session_id\":null,\"session_score\":2.5,\"decision\":\"alert\"}\n"
        );
    }
}
