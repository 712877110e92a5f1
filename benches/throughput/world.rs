//! The stream that every measurement uses: a seeded fleet at ordinary work, as events and as JSON lines.
//!
//! 4 task types over the same 12 tools, each task type a Markov chain with three successors a tool; sessions of 8 events on
//! average; log-normal sizes and durations; a handful of targets for each agent and tool and now and then a new one. Agents
//! take turns (warming up) or are drawn by Zipf's law (measuring). Nothing here is misuse: the common path is what is measured.

use std::fmt::Write as _;
use std::ops::Range;

use gaitkeeper::event::{Action, Event, Status};
use rand::{Rng, RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal, Zipf};

pub const SEED: u64 = 7;
pub const ZIPF_EXPONENT: f64 = 0.8;
const TOOLS: usize = 12;
const TASKS: u8 = 4;
const SUCCESSORS: [(f64, usize); 3] = [(0.6, 1), (0.9, 4), (1.0, 7)];
const SESSION_END: f64 = 1.0 / 8.0;
const NEW_TARGET: f64 = 0.01;
const ERRORS: f64 = 0.03;
const TARGETS: u64 = 4;
/// Monday, 2025-01-06T08:00:00Z.
const START_MS: i64 = 1_736_150_400_000;
/// Between two events of one agent, were all alike.
const GAP_MEAN_MS: f64 = 30_000.0;

const TOOL_NAMES: [&str; TOOLS] = [
    "search_orders",
    "lookup_customer",
    "read_ticket",
    "list_shipments",
    "fetch_invoice",
    "summarise_thread",
    "draft_reply",
    "send_message",
    "update_ticket",
    "issue_refund",
    "create_note",
    "close_ticket",
];
const TASK_NAMES: [&str; TASKS as usize] = ["order-support", "billing-support", "returns-handling", "escalation-triage"];
const SERVER_NAMES: [&str; 3] = ["crm.tools.internal", "billing.tools.internal", "desk.tools.internal"];

/// In which order an agent's turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turns {
    /// One after the other, each as often as any.
    Equal,
    /// By Zipf's law.
    Zipf,
}

/// How the JSON lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The same 15 fields in the same order.
    Fixed,
    /// Fields in an order drawn for each line, and two that are not part of the native event.
    Shuffled,
}

/// Where an agent stands in its session.
#[derive(Debug, Clone, Copy)]
struct Walk {
    session: u32,
    tool: u8,
    task: u8,
    begins: bool,
}

/// A fleet that goes on working.
#[derive(Clone)]
pub struct World {
    chance: ChaCha8Rng,
    names: Vec<String>,
    walks: Vec<Walk>,
    zipf: Zipf<f64>,
    next: usize,
    made: u64,
    now_ms: f64,
}

/// Some consecutive events. The text that they share is kept beside them, so that an [`Event`] only borrows.
pub struct Slice<'w> {
    world: &'w World,
    text: String,
    made: Vec<Made>,
}

struct Made {
    agent: u32,
    task: u8,
    tool: u8,
    failed: bool,
    ts: i64,
    bytes_in: u64,
    bytes_out: u64,
    duration_us: u32,
    event_id: Range<usize>,
    session_id: Range<usize>,
    target: Range<usize>,
    credential_id: Range<usize>,
}

impl World {
    pub fn new(agents: usize) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(SEED);
        let walks = (0..agents).map(|_| Walk { session: 0, tool: 0, task: chance.random_range(0..TASKS), begins: true }).collect();
        Self {
            names: (0..agents).map(|agent| format!("support-agent-{agent:07}")).collect(),
            walks,
            zipf: Zipf::new(agents as f64, ZIPF_EXPONENT).expect("at least one agent, a positive exponent"),
            chance,
            next: 0,
            made: 0,
            now_ms: START_MS as f64,
        }
    }

    /// The next `count` events.
    pub fn slice(&mut self, count: usize, turns: Turns) -> Slice<'_> {
        let mut text = String::with_capacity(count * 128);
        let made = (0..count).map(|_| self.step(turns, &mut text)).collect();
        Slice { world: self, text, made }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, positive and bounded by what is drawn")]
    fn step(&mut self, turns: Turns, text: &mut String) -> Made {
        let agent = match turns {
            Turns::Equal => (self.next + 1) % self.walks.len(),
            Turns::Zipf => self.zipf.sample(&mut self.chance) as usize - 1,
        };
        self.next = agent;
        self.made += 1;
        self.now_ms += self.chance.random::<f64>() * 2.0 * GAP_MEAN_MS / self.walks.len() as f64;
        let walk = &mut self.walks[agent];
        if walk.begins {
            *walk = Walk { session: walk.session + 1, tool: 0, task: self.chance.random_range(0..TASKS), begins: false };
        } else {
            let draw: f64 = self.chance.random();
            let step = SUCCESSORS.iter().find(|(below, _)| draw < *below).map_or(1, |(_, step)| *step);
            // Another task type walks another way through the same tools.
            walk.tool = ((usize::from(walk.tool) + step * (2 * usize::from(walk.task) + 1)) % TOOLS) as u8;
        }
        walk.begins = self.chance.random_bool(SESSION_END);
        let walk = *walk;
        let key = agent as u64 * TOOLS as u64 + u64::from(walk.tool);
        let target =
            if self.chance.random_bool(NEW_TARGET) { self.made << 32 | key } else { key * TARGETS + self.chance.random_range(0..TARGETS) };
        let size = 5.0 + f64::from(walk.tool) / 4.0;
        Made {
            agent: agent as u32,
            task: walk.task,
            tool: walk.tool,
            failed: self.chance.random_bool(ERRORS),
            ts: self.now_ms as i64,
            bytes_in: log_normal(&mut self.chance, size + 2.0, 0.7) as u64,
            bytes_out: log_normal(&mut self.chance, size, 0.5) as u64,
            duration_us: log_normal(&mut self.chance, 11.0 + f64::from(walk.tool % 5) / 2.0, 0.4).min(1e9) as u32,
            event_id: append(text, format_args!("ev-{:032x}", self.made)),
            session_id: append(text, format_args!("session-{agent:07}-{:08}", walk.session)),
            target: append(text, format_args!("customer/{target:016x}")),
            credential_id: append(text, format_args!("key-{agent:07}")),
        }
    }
}

impl Slice<'_> {
    pub fn events(&self) -> Vec<Event<'_>> {
        self.made.iter().map(|made| self.event(made)).collect()
    }

    fn event(&self, made: &Made) -> Event<'_> {
        let text = |range: &Range<usize>| self.text[range.clone()].into();
        let mut event = Event::bare(&self.text[made.event_id.clone()], made.ts, &self.world.names[made.agent as usize], Action::ToolCall);
        event.agent_version = Some("2.4.1".into());
        event.session_id = Some(text(&made.session_id));
        event.task_type = Some(TASK_NAMES[usize::from(made.task)].into());
        event.tool = Some(TOOL_NAMES[usize::from(made.tool)].into());
        event.tool_server = Some(SERVER_NAMES[usize::from(made.tool) / 4].into());
        event.target = Some(text(&made.target));
        event.bytes_in = Some(made.bytes_in);
        event.bytes_out = Some(made.bytes_out);
        event.duration_ms = Some(f64::from(made.duration_us) / 1_000.0);
        event.status = Some(if made.failed { Status::Error } else { Status::Ok });
        event.credential_id = Some(text(&made.credential_id));
        event
    }

    /// One line for each event.
    pub fn json(&self, shape: Shape) -> Vec<u8> {
        let mut chance = ChaCha8Rng::seed_from_u64(SEED);
        let mut out = String::with_capacity(self.made.len() * 480);
        for made in &self.made {
            let mut fields = fields(&self.event(made));
            if shape == Shape::Shuffled {
                fields.push(("sdk_build".into(), format!("{}", made.duration_us)));
                fields.push(("labels".into(), format!(r#"{{"region":"eu-west-{}","canary":false}}"#, made.task)));
                for at in (1..fields.len()).rev() {
                    fields.swap(at, chance.random_range(0..=at));
                }
            }
            out.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                write!(out, r#"{comma}"{name}":{value}"#).expect("memory");
            }
            out.push_str("}\n");
        }
        out.into_bytes()
    }
}

/// Names and JSON values. No text of this world needs escaping.
fn fields(event: &Event<'_>) -> Vec<(String, String)> {
    let text = |name: &str, value: &str| (name.to_owned(), format!(r#""{value}""#));
    let ts = jiff::Timestamp::from_millisecond(event.ts).expect("within a few years of the start");
    vec![
        text("event_id", &event.event_id),
        text("ts", &format!("{ts:.3}")),
        text("agent_id", &event.agent_id),
        text("agent_version", event.agent_version.as_deref().unwrap_or_default()),
        text("session_id", event.session_id.as_deref().unwrap_or_default()),
        text("task_type", event.task_type.as_deref().unwrap_or_default()),
        text("action", event.action.as_str()),
        text("tool", event.tool.as_deref().unwrap_or_default()),
        text("tool_server", event.tool_server.as_deref().unwrap_or_default()),
        text("target", event.target.as_deref().unwrap_or_default()),
        ("bytes_in".to_owned(), event.bytes_in.unwrap_or_default().to_string()),
        ("bytes_out".to_owned(), event.bytes_out.unwrap_or_default().to_string()),
        ("duration_ms".to_owned(), event.duration_ms.unwrap_or_default().to_string()),
        text("status", event.status.map_or("ok", Status::as_str)),
        text("credential_id", event.credential_id.as_deref().unwrap_or_default()),
    ]
}

fn log_normal(chance: &mut impl Rng, mean: f64, spread: f64) -> f64 {
    let deviate: f64 = StandardNormal.sample(chance);
    (mean + spread * deviate).exp()
}

fn append(text: &mut String, what: std::fmt::Arguments<'_>) -> Range<usize> {
    let start = text.len();
    text.write_fmt(what).expect("memory");
    start..text.len()
}
