//! `gaitkeeper inventory apply`: shows what would change, then publishes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::Value;

use super::read;
use crate::cli::kafka_source::Source;
use crate::cli::{Exit, Failure, Outcome};
use crate::event::limits::shown;

/// Shows how the records differ from those in force, and publishes those that do
#[derive(Debug, clap::Args)]
pub struct Args {
    /// YAML or JSON, several documents a file
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only shows what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    source: Source,
}

pub fn run(args: &Args) -> Outcome {
    let records = match read::records(&args.files)? {
        Ok(records) => records,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(Exit::Usage);
        }
    };
    if let Some(draft) = records.iter().find(|placed| placed.record.draft) {
        let agent = shown(&draft.record.agent);
        return Err(Failure::usage(anyhow!("the record of {agent} is a draft; take `draft: true` away once somebody has ratified it")));
    }
    let cluster = args.source.connect()?;
    let topic = &cluster.config.topics.inventory;
    let in_force = cluster.newest(topic)?;
    let mut changed = BTreeMap::new();
    for placed in records {
        let lines = difference(in_force.get(&placed.record.agent), &placed.value);
        if !lines.is_empty() {
            println!("{}\n{}", shown(&placed.record.agent), lines.join("\n"));
            changed.insert(placed.record.agent, placed.value);
        }
    }
    if args.dry_run || changed.is_empty() {
        println!("{} records would change{}", changed.len(), if args.dry_run { "; nothing was published" } else { "" });
        return Ok(Exit::Fine);
    }
    cluster.send_all(topic, changed.iter().map(|(agent, record)| (agent.as_str(), record.to_string().into_bytes())))?;
    println!("{} records published to {}", changed.len(), cluster.named(topic));
    Ok(Exit::Fine)
}

/// A line for each member that comes, goes or changes.
fn difference(before: Option<&Value>, after: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let members = |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&empty).clone();
    let (before, after) = (members(before), members(Some(after)));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let line = |key: &String| match (before.get(key), after.get(key)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => Some(format!("  - {key}: {}\n  + {key}: {}", escaped(old), escaped(new))),
        (Some(old), None) => Some(format!("  - {key}: {}", escaped(old))),
        (None, Some(new)) => Some(format!("  + {key}: {}", escaped(new))),
        (None, None) => None,
    };
    keys.into_iter().filter_map(line).collect()
}

/// As JSON, without characters that a terminal would act on.
fn escaped(value: &Value) -> String {
    value
        .to_string()
        .chars()
        .flat_map(|letter| if letter.is_control() { letter.escape_unicode().collect() } else { vec![letter] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_shown() {
        let before = json!({"agent": "a", "owner": "o", "peers": ["b"], "role": "r"});
        let after = json!({"agent": "a", "owner": "p", "peers": ["b"], "purpose": "x"});
        assert_eq!(difference(Some(&before), &after), ["  - owner: \"o\"\n  + owner: \"p\"", "  + purpose: \"x\"", "  - role: \"r\""]);
        assert!(difference(Some(&before), &before).is_empty());
        assert_eq!(difference(None, &json!({"agent": "a"})), ["  + agent: \"a\""]);
    }
}
