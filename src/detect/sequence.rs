//! # Watches
//! Which tool comes next, END included, as eight experts expect it from what the session did so far.
//! # Why it matters
//! An injected instruction shows first in the order of calls: a foreign tool, a known tool at the wrong place, a session that goes on.
//! # How it scores
//! `ln Q/P`: `P` the experts' mixture, `Q` a generic misuse alternative.
//! # False alarms
//! New benign work changes the order too; the gate learns it after five sessions, or at once from an analyst.

use crate::baseline::sequence::{self, Context, EXPERTS, ORDER_0, ORDER_1, ORDER_3, TABLE_EXPERTS};
use crate::baseline::tools::END;
use crate::baseline::{AgentIndex, GroupIndex, Model, ToolId};
use crate::stats::table::Hashed;

/// Share of a session's weights that drifts back to the population's at every step.
const WEIGHT_LEAK: f64 = 0.001;

/// Who is asked what comes next.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'m> {
    /// All that was learned.
    pub model: &'m Model,
    /// Whose session.
    pub agent: AgentIndex,
    /// Of which group.
    pub group: Option<GroupIndex>,
    /// The session so far, as contexts.
    pub contexts: [Context; TABLE_EXPERTS],
    /// The session's own counts of a tool, of all tools, and of different tools.
    pub own: SessionCounts<'m>,
}

/// What this session used so far.
#[derive(Debug, Clone, Copy)]
pub struct SessionCounts<'m> {
    /// Tools and how often.
    pub tools: &'m [(ToolId, u32)],
    /// Their sum.
    pub total: u32,
}

/// What the experts say of one symbol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Each expert's probability at the agent's level.
    pub agent: [f64; EXPERTS],
    /// Each expert's at the group's level.
    pub group: [f64; EXPERTS],
    /// The population's, without context.
    pub population: f64,
}

impl Asked<'_> {
    /// What the experts say of `symbol`.
    #[must_use]
    pub fn about(&self, symbol: ToolId) -> Expected {
        let Self { model, contexts, .. } = *self;
        let population = &model.population.counts.sequence;
        let agent = &model.agent(self.agent).counts.sequence;
        let contexts = contexts.map(Hashed::from);
        // Found before any is read, so that they are waited for together.
        let nodes = contexts.map(|context| agent.get(context));
        nodes.iter().flatten().for_each(|node| node.ask_for_symbols());
        let parent = model.parent(self.agent).map(|parent| &parent.counts.sequence);
        let group = self.group.map(|group| &model.group(group).counts.sequence);
        let vocabulary = f64::from(model.tools.known()) + 1.0;
        let order_0 = sequence::probability(population, contexts[ORDER_0], symbol, 1.0 / (vocabulary + 1.0));
        let mut expected = Expected { agent: [0.0; EXPERTS], group: [0.0; EXPERTS], population: order_0 };
        let mut lower_order = order_0;
        for (expert, (context, node)) in contexts.into_iter().zip(nodes).enumerate() {
            let in_population = match expert {
                ORDER_0 => order_0,
                ORDER_1..=ORDER_3 => {
                    lower_order = sequence::probability(population, context, symbol, lower_order);
                    lower_order
                }
                _ => sequence::probability(population, context, symbol, order_0),
            };
            let in_group = group.map_or(in_population, |group| sequence::probability(group, context, symbol, in_population));
            let before = parent.and_then(|parent| parent.get(context)).map_or(in_group, |node| {
                let (total, count) = (f64::from(node.total()), f64::from(node.count(symbol)));
                version_prior(count, total, in_group)
            });
            expected.group[expert] = in_group;
            expected.agent[expert] = node.map_or(before, |node| node.probability(symbol, before));
        }
        let (count, total, distinct) = self.own.of(symbol);
        let session = ((count - 0.5).max(0.0) + (2.0 + 0.5 * distinct) * order_0) / (total + 2.0);
        expected.agent[EXPERTS - 1] = session;
        expected.group[EXPERTS - 1] = session;
        expected
    }

    /// The misuse alternative: something never seen, something the population does, or anything.
    #[must_use]
    pub fn misuse(&self, symbol: ToolId, population: f64) -> f64 {
        let vocabulary = f64::from(self.model.tools.known()) + 1.0;
        let unseen = symbol != END && !self.model.tools.is_known(symbol);
        (if unseen { 0.2 } else { 0.0 }) + 0.4 * population + 0.4 / (vocabulary + 1.0)
    }
}

/// What a new version inherits: the old version's share `count / total`, at most 50 of its sessions' worth, on top of the group's.
#[must_use]
pub fn version_prior(count: f64, total: f64, group: f64) -> f64 {
    if total <= 0.0 {
        return group;
    }
    let strength = (0.25 * total).min(50.0);
    (count * strength / total + group) / (strength + 1.0)
}

impl SessionCounts<'_> {
    fn of(&self, symbol: ToolId) -> (f64, f64, f64) {
        let count = self.tools.iter().find(|entry| entry.0 == symbol).map_or(0, |entry| entry.1);
        (f64::from(count), f64::from(self.total), self.tools.len() as f64)
    }
}

impl Expected {
    /// The agents' and the group's mixtures under the same weights.
    #[must_use]
    pub fn mix(&self, weights: &[f64; EXPERTS]) -> (f64, f64) {
        let dot = |parts: &[f64; EXPERTS]| weights.iter().zip(parts).map(|(weight, part)| weight * part).sum();
        (dot(&self.agent), dot(&self.group))
    }

    /// Moves a session's weights towards the experts that expected what came.
    pub fn reweigh(&self, weights: &mut [f64; EXPERTS], shared: &[f64; EXPERTS]) {
        let mut sum = 0.0;
        for (weight, part) in weights.iter_mut().zip(self.agent) {
            *weight *= part;
            sum += *weight;
        }
        for (weight, shared) in weights.iter_mut().zip(shared) {
            *weight = (1.0 - WEIGHT_LEAK) * (*weight / sum) + WEIGHT_LEAK * shared;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::version_prior;

    #[track_caller]
    fn check(count: f64, total: f64, group: f64, expected: f64) {
        let actual = version_prior(count, total, group);
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }

    #[test]
    fn a_version_without_a_past_starts_from_its_group() {
        check(0.0, 0.0, 0.3, 0.3);
    }

    #[test]
    fn a_short_past_counts_a_quarter_and_a_long_one_at_most_fifty() {
        check(8.0, 8.0, 0.1, (2.0 + 0.1) / 3.0);
        check(1000.0, 2000.0, 0.1, (25.0 + 0.1) / 51.0);
    }
}
