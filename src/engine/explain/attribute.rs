//! The reason of an odd target, destination, peer, credential, principal or source.

use serde_json::{Map, json};

use super::transition::{chain, telling_node, whose};
use super::{Draft, Told, format, quoted};
use crate::baseline::Attribute;
use crate::baseline::attribute::{self, SourceNet};
use crate::baseline::sequence::attribute_context;
use crate::detect::novelty;
use crate::finding::Evidence;

/// Values that are named as usual.
const USUAL_MAX: usize = 3;

/// Whether the value was never seen in the whole fleet.
pub(super) fn is_unseen(told: &Told<'_>, attribute: Attribute) -> bool {
    told.observation
        .attribute(attribute)
        .is_some_and(|value| told.detector.model.population.counts.any[attribute as usize].count(value) == 0)
}

/// The value of an attribute against what is usual.
pub(super) fn draft(told: &Told<'_>, attribute: Attribute) -> Draft {
    let model = &told.detector.model;
    let value = told.observation.attribute(attribute).unwrap_or(0);
    let text = quoted(&text(told, attribute));
    let familiarity = novelty::familiarity(model, told.session.agent, told.session.group, attribute, told.observation.tool, value);
    let tool = quoted(model.tools.name(told.observation.tool));
    let context = attribute_context(attribute, told.observation.tool);
    let field = attribute.field();
    let mut detail = Map::new();
    detail.insert("familiarity".into(), json!(familiarity.as_str()));
    let place = if attribute.per_tool() { format!(" of {tool}") } else { String::new() };
    let Some((level, node)) = telling_node(chain(told, context, |counts| &counts.attributes)) else {
        return Draft {
            field: field.into(),
            expected: format!("no {field}{place} is known yet"),
            title: format!("{field} {text} is {}, and none was known", familiarity.as_str()),
            normal_if: format!("a {field} were known"),
            actual: text,
            evidence: None,
            detail,
        };
    };
    detail.insert("level_used".into(), json!(level));
    let (count, of, distinct) = (node.count(value), node.total(), node.distinct());
    let usual: Vec<String> = node
        .most_frequent(USUAL_MAX)
        .iter()
        .filter_map(|&(value, seen)| model.texts.get(value).map(|text| (text, seen)))
        .map(|(text, seen)| format!("{} ({})", quoted(text), format::percent(f64::from(seen) / f64::from(of))))
        .collect();
    let known = format!("{} values in {} calls of {}", format::count(distinct as u64), format::count(of.into()), whose(level));
    let expected = if usual.is_empty() { format!("one of {known}") } else { format!("{}; {known}", usual.join(", ")) };
    Draft {
        field: field.into(),
        title: format!("{field} {text}{place} is {}: {known} before", familiarity.as_str()),
        normal_if: usual.first().map_or_else(|| format!("the {field} were among those known"), |first| format!("the {field} were {first}")),
        expected,
        actual: text,
        evidence: Some(Evidence { count: count.into(), of: of.into() }),
        detail,
    }
}

/// The value as the event gave it.
fn text(told: &Told<'_>, attribute: Attribute) -> String {
    let event = told.event;
    let text = |field: &Option<std::borrow::Cow<'_, str>>| field.as_deref().unwrap_or("").to_owned();
    match attribute {
        Attribute::Target => text(&event.target),
        Attribute::TargetClass => event.target.as_deref().and_then(attribute::target_class).unwrap_or_default().into_owned(),
        Attribute::Destination => text(&event.destination),
        Attribute::Peer => text(&event.peer_agent_id),
        Attribute::Credential => text(&event.credential_id),
        Attribute::OnBehalfOf => text(&event.on_behalf_of),
        Attribute::SourceNet => event.source_ip.map(|address| SourceNet(address).to_string()).unwrap_or_default(),
    }
}
