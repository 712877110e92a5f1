//! Whether an action that ran was covered by an approval (STANDARDS.md, section 8).

use super::Requests;
use super::life::{State, Tracked, Transition};
use super::question::Acted;
use crate::event::Event;
use crate::event::limits::shown;

/// A field in which an action is not the one that was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name in the event.
    pub field: &'static str,
    /// What was approved.
    pub approved: String,
    /// What ran.
    pub ran: String,
}

/// What is known of an action's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cover {
    /// None is needed, and none was misused.
    NotNeeded,
    /// It ran under this request, whose uses may be spent now.
    Covered(String, Option<Transition>),
    /// It needed an approval; what it has, if anything, approves nothing (yet, or any more).
    Missing(Option<(String, State)>),
    /// It is not what was approved.
    Mismatch(String, Difference),
    /// The approval was spent before.
    Replayed(String),
    /// It had been denied, or nobody answered.
    Refused(String, State),
}

impl Requests {
    /// Judges an action that ran; `is_required` says whether a rule or the agent's state asks for an approval.
    pub fn cover(&mut self, event: &Event<'_>, is_required: bool) -> Cover {
        if !self.may_cover(event, is_required) {
            return Cover::NotNeeded;
        }
        let ran_amount = event.amount.as_ref().map(super::request::amount);
        let ran_amount = ran_amount.as_deref();
        if let Some(approval_id) = event.approval_id.as_deref() {
            let named = self.find(approval_id).map(|tracked| (differing(&tracked, event, ran_amount).map(Difference::from), tracked));
            return match named {
                Some((Some(difference), _)) => Cover::Mismatch(approval_id.to_owned(), difference),
                Some((None, tracked)) if tracked.state() == State::Approved => self.use_once(approval_id),
                Some((None, tracked)) => tracked.as_told(is_required),
                None if is_required => Cover::Missing(None),
                None => Cover::NotNeeded,
            };
        }
        let is_same = |tracked: &Tracked| differing(tracked, event, ran_amount).is_none();
        let approved = self.iter_open().find(|open| open.state() == State::Approved && is_same(open));
        if let Some(approved) = approved {
            let request_id = approved.request.request_id.clone();
            return self.use_once(&request_id);
        }
        let mut newest_first = self.iter().rev();
        match newest_first.find(|tracked| is_same(tracked)) {
            Some(newest) if is_required => newest.as_told(true),
            // What nobody had to ask for is no offence when nobody answered, but it is when somebody said no.
            Some(newest) if newest.state() == State::Denied && !newest.ran_before => newest.as_told(false),
            None if is_required => Cover::Missing(None),
            _ => Cover::NotNeeded,
        }
    }

    /// Whether anything that is remembered could make a difference to the event. Nearly always nothing could.
    #[must_use]
    pub fn may_cover(&self, event: &Event<'_>, is_required: bool) -> bool {
        is_required || self.answered > 0 || event.approval_id.is_some()
    }

    fn use_once(&mut self, request_id: &str) -> Cover {
        let transition = self.change(request_id, Tracked::use_once).flatten();
        Cover::Covered(request_id.to_owned(), transition)
    }
}

impl Tracked {
    /// What is said of an action that ran with this, which is no approval that is open.
    fn as_told(&self, is_required: bool) -> Cover {
        let id = self.request.request_id.clone();
        match self.state() {
            State::Consumed if self.ran_before && !is_required => Cover::NotNeeded,
            State::Consumed => Cover::Replayed(id),
            state @ (State::Denied | State::Expired) => Cover::Refused(id, state),
            state @ (State::Approved | State::Pending | State::Superseded | State::Lapsed) if is_required => {
                Cover::Missing(Some((id, state)))
            }
            State::Approved | State::Pending | State::Superseded | State::Lapsed => Cover::NotNeeded,
        }
    }
}

/// A field by its name, what was approved and what ran.
type Field<'a> = (&'static str, Option<&'a str>, Option<&'a str>);

impl From<Field<'_>> for Difference {
    fn from((field, approved, ran): Field<'_>) -> Self {
        let [approved, ran] = [approved, ran].map(|value| value.map_or_else(|| "none".to_owned(), shown));
        Self { field, approved, ran }
    }
}

/// The first field in which the event is not the action that was asked for. What only one of the two names says nothing, except
/// for what names the action itself, and for the parameters.
fn differing<'a>(tracked: &'a Tracked, event: &'a Event<'_>, ran_amount: Option<&'a str>) -> Option<Field<'a>> {
    let request = &tracked.request;
    let Acted { tool, tool_server, target, destination, amount, currency } = &request.action;
    let named = [
        ("tool", tool.as_deref(), event.tool.as_deref()),
        ("tool_server", tool_server.as_deref(), event.tool_server.as_deref()),
        ("target", target.as_deref(), event.target.as_deref()),
        ("params_hash", request.params_hash.as_deref(), event.params_hash.as_deref()),
    ];
    let told = [
        ("amount", amount.as_deref(), ran_amount),
        ("currency", currency.as_deref(), event.currency.as_deref()),
        ("destination", destination.as_deref(), event.destination.as_deref()),
    ];
    let has_hash = request.params_hash.is_some();
    let differs = |&(field, approved, ran): &Field<'_>| match (approved, ran) {
        (Some(_), None) | (None, Some(_)) if has_hash && matches!(field, "amount" | "currency" | "destination") => false,
        (Some(approved), Some(ran)) if field == "amount" => !is_same_amount(approved, ran),
        (approved, ran) => approved != ran,
    };
    told.into_iter().chain(named).find(differs)
}

/// 80 is 80.00.
fn is_same_amount(one: &str, other: &str) -> bool {
    match (one.parse::<rust_decimal::Decimal>(), other.parse::<rust_decimal::Decimal>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
