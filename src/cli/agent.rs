//! `gaitkeeper agent suspend|restore|state`: a person stops an agent or lets it go again.

use std::collections::BTreeMap;

use super::kafka_source::{Cluster, Source, now_ms};
use super::{Exit, Outcome, timestamp};
use crate::engine::identifier;
use crate::event::limits::shown;
use crate::govern::control::{AgentStateRecord, Confirmation, EnforcementState};

/// Suspends an agent, restores it, or shows the states
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// The agent must not act any more
    Suspend(Change),
    /// The agent may act again
    Restore(Change),
    /// Which agents are suspended or watched, and whether that is enforced
    State {
        /// Of this agent only
        #[arg(value_name = "AGENT")]
        agent: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Change {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// Who decides
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub fn run(args: Args) -> Outcome {
    let cluster = args.source.connect()?;
    match args.task {
        Task::Suspend(change) => set(&cluster, &change, EnforcementState::Suspended),
        Task::Restore(change) => set(&cluster, &change, EnforcementState::Active),
        Task::State { agent } => show(&cluster, agent.as_deref()),
    }
}

fn set(cluster: &Cluster, change: &Change, state: EnforcementState) -> Outcome {
    let now = now_ms();
    let state_id = identifier::of(&["state", &change.agent, &change.by, state.as_str(), &now.to_string()]);
    let record = AgentStateRecord {
        agent_id: change.agent.clone(),
        state,
        state_id: Some(state_id.clone()),
        reason: change.reason.clone(),
        finding_id: None,
        set_by: Some(change.by.clone()),
        since: Some(now),
        valid_until: None,
        confirmation: Some(Confirmation::Unconfirmed),
    };
    cluster.send(&cluster.config.topics.agent_state, &change.agent, &record)?;
    println!("{} is {} by {}, unconfirmed; state {state_id}", shown(&change.agent), state.as_str(), shown(&change.by));
    Ok(Exit::Fine)
}

fn show(cluster: &Cluster, agent: Option<&str>) -> Outcome {
    let mut states: BTreeMap<String, AgentStateRecord> = BTreeMap::new();
    for entry in cluster.read(&cluster.config.topics.agent_state)? {
        match entry.value.as_deref().map(serde_json::from_slice) {
            Some(Ok(state)) => drop(states.insert(entry.key, state)),
            Some(Err(error)) => eprintln!("gaitkeeper: state of {} is unreadable: {error}", shown(&entry.key)),
            None => drop(states.remove(&entry.key)),
        }
    }
    for (id, state) in states.iter().filter(|(id, _)| agent.is_none_or(|agent| agent == **id)) {
        let since = state.since.map_or_else(|| "unknown".to_owned(), timestamp::written);
        let by = state.set_by.as_deref().unwrap_or("nobody");
        let confirmation = state.confirmation.unwrap_or(Confirmation::Unconfirmed).as_str();
        let reason = state.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        println!("{}  {}  since {since} by {}  {confirmation}{reason}", shown(id), state.state.as_str(), shown(by));
    }
    Ok(Exit::Fine)
}
