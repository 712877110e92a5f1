//! Inventory files as a person wrote them.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::cli::Failure;
use crate::config::ConfigError;
use crate::govern::inventory;
use crate::govern::record::{self, Placed};
use crate::workbench::recording;

/// The records of all files, or everything that is wrong, a line each.
pub fn records(files: &[PathBuf]) -> Result<Result<Vec<Placed>, String>, Failure> {
    let mut all = Vec::new();
    let mut wrong = Vec::new();
    let mut owners: Vec<(String, String)> = Vec::new();
    for path in files {
        let file = path.display().to_string();
        let content = recording::read_whole(path).map_err(Failure::io)?;
        let text = String::from_utf8(content).map_err(|error| Failure::usage(anyhow!("{file}: is no UTF-8 text: {error}")))?;
        match record::parse(&text) {
            Ok(records) => {
                for Placed { record, .. } in &records {
                    if let Some((_, other)) = owners.iter().find(|(agent, other)| *agent == record.agent && *other != file) {
                        wrong.push(format!("{file}: agent \"{}\" is declared in {other} too", record.agent));
                    }
                    owners.push((record.agent.clone(), file.clone()));
                }
                let problems = inventory::between(&records);
                if !problems.is_empty() {
                    wrong.push(ConfigError { file, problems }.to_string());
                }
                all.extend(records);
            }
            Err(problems) => wrong.push(ConfigError { file, problems }.to_string()),
        }
    }
    if wrong.is_empty() {
        // Each file may be fine and a circle run through several.
        wrong.extend(inventory::between(&all).into_iter().map(|problem| problem.message));
    }
    Ok(if wrong.is_empty() { Ok(all) } else { Err(wrong.join("\n")) })
}
