//! The reason of an odd step, and of an odd outcome.

use serde_json::{Map, json};

use super::format;
use super::{Draft, Told, quoted};
use crate::baseline::ToolId;
use crate::baseline::sequence::{self, Nodes, order_1, status_context};
use crate::finding::Evidence;
use crate::stats::count_node::{CountNode, Symbol};

/// Which level a node is from.
pub(super) const LEVELS: [&str; 3] = ["agent", "group", "population"];

/// The node with most of the mass in a back-off chain: the agent's, if it outweighs what is above it, else the group's, else the population's.
pub(super) fn telling_node<K: Symbol>(chain: [Option<&CountNode<K>>; 3]) -> Option<(&'static str, &CountNode<K>)> {
    let heavy = (0..2).find(|&level| chain[level].is_some_and(|node| node.own_share() > 0.5));
    let level = heavy.or_else(|| (0..3).rev().find(|&level| chain[level].is_some_and(|node| node.total() > 0)))?;
    chain[level].map(|node| (LEVELS[level], node))
}

/// The agent's, group's and population's nodes of a context.
pub(super) fn chain<'m, K: Symbol>(
    told: &Told<'m>,
    context: u64,
    nodes: impl Fn(&'m sequence::Counts) -> &'m Nodes<K>,
) -> [Option<&'m CountNode<K>>; 3] {
    let model = &told.detector.model;
    [
        nodes(&model.agent(told.session.agent).counts).get(context),
        told.session.group.and_then(|group| nodes(&model.group(group).counts).get(context)),
        nodes(&model.population.counts).get(context),
    ]
}

/// The tool before and the tool used.
pub(super) fn draft(told: &Told<'_>) -> Draft {
    let tools = &told.detector.model.tools;
    let [tool, last, _] = told.session.history.last;
    let (from, to) = (tools.name(last), tools.name(tool));
    let mut detail = Map::new();
    detail.insert("position".into(), json!(told.session.history.position));
    let chain = chain(told, order_1(last), |counts| &counts.sequence);
    let actual = format!("{} → {}", quoted(from), quoted(to));
    let Some((level, node)) = telling_node(chain) else {
        return Draft {
            field: "transition".into(),
            expected: format!("no step after {} is known yet", quoted(from)),
            title: format!("Tool {} came after {}, where nothing was known", quoted(to), quoted(from)),
            normal_if: "the step were known to the group".into(),
            actual,
            evidence: None,
            detail,
        };
    };
    detail.insert("level_used".into(), json!(level));
    let (count, of) = (node.count(tool), node.total());
    let step = |symbol: ToolId, seen: u32| {
        format!(
            "{} → {} ({} of {})",
            quoted(from),
            quoted(tools.name(symbol)),
            format::percent(f64::from(seen) / f64::from(of)),
            format::count(of.into())
        )
    };
    let usual = node.most_frequent(3);
    let expected = usual.iter().map(|&(symbol, seen)| step(symbol, seen)).collect::<Vec<_>>().join(", ");
    let whose = whose(level);
    let title = format!(
        "Tool {} followed {} in {} of {} transitions of {whose}",
        quoted(to),
        quoted(from),
        format::count(count.into()),
        format::count(of.into())
    );
    let normal_if =
        usual.first().map_or_else(String::new, |&(symbol, _)| format!("{} were followed by {}", quoted(from), quoted(tools.name(symbol))));
    Draft {
        field: "transition".into(),
        expected,
        actual,
        evidence: Some(Evidence { count: count.into(), of: of.into() }),
        title,
        normal_if,
        detail,
    }
}

/// How the call ended.
pub(super) fn status_draft(told: &Told<'_>) -> Draft {
    let tool = told.detector.model.tools.name(told.observation.tool);
    let status = told.observation.status_or_ok();
    let word = told.event.status.map_or("ok", crate::event::Status::as_str);
    let chain = chain(told, status_context(told.observation.tool), |counts| &counts.status);
    let (level, count, of) = telling_node(chain).map_or(("population", 0, 0), |(level, node)| (level, node.count(status), node.total()));
    let share = if of == 0 { 0.0 } else { f64::from(count) / f64::from(of) };
    let mut detail = Map::new();
    detail.insert("level_used".into(), json!(level));
    Draft {
        field: "status".into(),
        expected: format!("{word} in {} of {} calls of {}", format::percent(share), format::count(of.into()), quoted(tool)),
        actual: format!("{} ended as {word}", quoted(tool)),
        evidence: Some(Evidence { count: count.into(), of: of.into() }),
        title: format!(
            "Tool {} ended as {word}, usual in {} of {} calls of {}",
            quoted(tool),
            format::percent(share),
            format::count(of.into()),
            whose(level)
        ),
        normal_if: format!("{} had ended as before", quoted(tool)),
        detail,
    }
}

pub(super) fn whose(level: &str) -> &'static str {
    match level {
        "agent" => "this agent",
        "group" => "its group",
        _ => "the fleet",
    }
}
