//! Whether what an action does can be undone: from its effect, its name, and whether it reaches outside.

use crate::event::{Effect, Event};
use crate::finding::step_up_request::Reversibility;

/// Words of tools whose deed nobody takes back.
const IRREVERSIBLE: &[&str] =
    &["delete", "destroy", "drop", "pay", "payout", "purge", "purchase", "refund", "send", "terminate", "transfer", "wipe"];

/// The class of the action; `writes` is what the detector made of effect and name.
#[must_use]
pub fn of(event: &Event<'_>, writes: bool) -> Reversibility {
    let name = event.tool.as_deref().unwrap_or_else(|| event.action.as_str()).to_ascii_lowercase();
    let irreversible_name = name.split(|letter: char| !letter.is_ascii_alphabetic()).any(|word| IRREVERSIBLE.contains(&word));
    match event.effect {
        Some(Effect::Read) => Reversibility::ReadOnly,
        Some(Effect::Destructive) => Reversibility::Irreversible,
        _ if event.amount.is_some() || (writes && irreversible_name) => Reversibility::Irreversible,
        _ if !writes => Reversibility::ReadOnly,
        _ if event.destination.is_some() || event.peer_agent_id.is_some() => Reversibility::ExternallyReversible,
        _ => Reversibility::Reversible,
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::event::{Action, Effect, Event};
    use crate::finding::step_up_request::Reversibility;

    #[track_caller]
    fn check(tool: &str, effect: Option<Effect>, destination: Option<&str>, writes: bool, expected: Reversibility) {
        let mut event = Event::bare("e", 0, "a", Action::ToolCall);
        event.tool = Some(tool.into());
        event.effect = effect;
        event.destination = destination.map(Into::into);
        assert_eq!(of(&event, writes), expected, "{tool}");
    }

    #[test]
    fn reading_can_always_be_undone() {
        check("get_mail", None, Some("x.example"), false, Reversibility::ReadOnly);
        check("delete_mail", Some(Effect::Read), None, false, Reversibility::ReadOnly);
    }

    #[test]
    fn what_leaves_or_destroys_cannot() {
        check("send_mail", None, None, true, Reversibility::Irreversible);
        check("tidy", Some(Effect::Destructive), None, true, Reversibility::Irreversible);
    }

    #[test]
    fn a_write_outside_needs_somebody_elses_help() {
        check("update_ticket", None, Some("crm.example"), true, Reversibility::ExternallyReversible);
        check("update_ticket", None, None, true, Reversibility::Reversible);
    }
}
