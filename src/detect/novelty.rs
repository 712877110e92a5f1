//! # Watches
//! Targets, their class, destinations, peers, credentials, principals and source networks: which values this agent uses, with which tool.
//! # Why it matters
//! Data that goes somewhere new, or a credential in other hands, is how misuse ends.
//! # How it scores
//! The probability `P` of the value on three levels against a misuse alternative; for a value never seen anywhere, the mass kept for new
//! values. Where new values are the rule, they become cheap by themselves.
//! # False alarms
//! New customers and files are new targets; the escape mass learned per agent and tool says how ordinary that is.

use crate::baseline::sequence::{self, attribute_context};
use crate::baseline::{AgentIndex, Attribute, GroupIndex, Model, ToolId};

use super::sequence::version_prior;
use crate::stats::table::Hashed;

/// What the levels say of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// With the group's share mixed in: what is scored.
    pub probability: f64,
    /// The agent's own level.
    pub agent: f64,
    /// The group's level.
    pub group: f64,
    /// `Q/P`, whose logarithm is the raw score.
    pub ratio: f64,
}

/// How well known a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Familiarity {
    /// At least 3 times by this agent in this context.
    Known,
    /// Once or twice.
    Rare,
    /// By this agent, with another tool.
    Elsewhere,
    /// By agents of its group.
    Peers,
    /// By agents of other groups.
    Fleet,
    /// By nobody.
    BrandNew,
}

impl Familiarity {
    /// The word for explanations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Rare => "rare",
            Self::Elsewhere => "elsewhere",
            Self::Peers => "peers",
            Self::Fleet => "fleet",
            Self::BrandNew => "brand-new",
        }
    }
}

/// What the levels say of `value`; `group_share` is γa.
#[must_use]
pub fn expected(
    model: &Model,
    agent: AgentIndex,
    group: Option<GroupIndex>,
    attribute: Attribute,
    tool: ToolId,
    value: u64,
    group_share: f64,
) -> Expected {
    let context = Hashed::from(attribute_context(attribute, tool));
    let population = &model.population.counts;
    let root = &population.any[attribute as usize];
    let unit = 1.0 / (root.distinct() as f64 + 2.0);
    let count = root.count(value);
    let anywhere = root.probability_of(count, unit);
    let in_population = sequence::probability(&population.attributes, context, value, anywhere);
    let in_group =
        group.map_or(in_population, |group| sequence::probability(&model.group(group).counts.attributes, context, value, in_population));
    let before = model
        .parent(agent)
        .and_then(|parent| parent.counts.attributes.get(context))
        .map_or(in_group, |node| version_prior(f64::from(node.count(value)), f64::from(node.total()), in_group));
    let own = sequence::probability(&model.agent(agent).counts.attributes, context, value, before);
    let probability = if group.is_some() { (1.0 - group_share) * own + group_share * in_group } else { own };
    let ratio = if count == 0 { 0.5 / (probability / unit).min(1.0) } else { (0.3 * anywhere + 0.3 * unit) / probability };
    Expected { probability, agent: own, group: in_group, ratio }
}

/// How well `value` is known.
#[must_use]
pub fn familiarity(
    model: &Model,
    agent: AgentIndex,
    group: Option<GroupIndex>,
    attribute: Attribute,
    tool: ToolId,
    value: u64,
) -> Familiarity {
    let own = &model.agent(agent).counts;
    match sequence::count(&own.attributes, attribute_context(attribute, tool), value) {
        3.. => Familiarity::Known,
        1..3 => Familiarity::Rare,
        0 if own.anywhere(attribute, value) > 0 => Familiarity::Elsewhere,
        0 if group.is_some_and(|group| model.group(group).counts.anywhere(attribute, value) > 0) => Familiarity::Peers,
        0 if model.population.counts.any[attribute as usize].count(value) > 0 => Familiarity::Fleet,
        0 => Familiarity::BrandNew,
    }
}
