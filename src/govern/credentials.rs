//! One credential, one agent; not too old; known; from where it was used before.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::config::duration;
use crate::event::limits::shown;
use crate::finding::Kind;

use super::contract::Contract;
use super::inventory::Inventory;
use super::judge::{Asked, Judgement};
use super::record::Credential;
use super::sightings::{Sighting, Sightings};
use super::violation::{Draft, listed};

/// Uses after which a new network means something; below it no word about novelty is honest.
const USES_KNOWN: u64 = 50;
/// Networks of one credential; one with more roams, and a further one means nothing.
const NETWORKS_MAX: usize = 32;
/// Credentials whose networks are remembered.
const CREDENTIALS_MAX: usize = 1 << 20;

/// Words in the free text of a credential's type that say that it is a person's.
const PERSONAL: [&str; 3] = ["human", "personal", "user"];

/// From where each credential was used.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Credentials {
    #[serde(with = "crate::stats::sorted")]
    sources: hashbrown::HashMap<String, Sources, foldhash::fast::FixedState>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Sources {
    /// Uses from a known network.
    uses: u64,
    networks: Vec<IpAddr>,
}

impl Credentials {
    /// Everything about the credential of an event; whether it is the agent's alone only unless that was found before.
    pub fn judge(
        &mut self,
        asked: &Asked<'_>,
        inventory: &Inventory,
        own: &mut Sightings,
        elsewhere: &Sightings,
        is_held: bool,
        judgement: &mut Judgement,
    ) {
        let declared = asked.event.credential_id.as_deref().and_then(|id| asked.contract?.credential(id));
        judgement.violations.extend(stale(asked, declared).map(|draft| asked.violation(draft)));
        let Some(id) = asked.event.credential_id.as_deref() else { return };
        if !is_held {
            judge_holder(asked, id, inventory, own, elsewhere, judgement);
        }
        judgement.violations.extend(self.new_source(asked, id).map(|draft| asked.violation(draft)));
    }

    fn new_source(&mut self, asked: &Asked<'_>, id: &str) -> Option<Draft> {
        let network = network_of(asked.event.source_ip?);
        if self.sources.len() >= CREDENTIALS_MAX && !self.sources.contains_key(id) {
            return None;
        }
        let sources = self.sources.entry_ref(id).or_default();
        if sources.networks.contains(&network) {
            sources.uses += u64::from(asked.ran());
            return None;
        }
        let is_news = sources.uses >= USES_KNOWN && sources.networks.len() < NETWORKS_MAX;
        let known: Vec<String> = if is_news { sources.networks.iter().copied().map(written).collect() } else { Vec::new() };
        if asked.ran() && sources.networks.len() < NETWORKS_MAX {
            sources.networks.push(network);
            sources.uses += 1;
        }
        let uses = sources.uses;
        is_news.then(|| Draft {
            kind: Kind::CredentialNewSource,
            rule: "credential_new_source".into(),
            title: format!("credential {} comes from {}, where it was never used before", shown(id), written(network)),
            field: "source_ip",
            expected: format!("one of {} ({uses} uses)", listed(&known)),
            actual: written(network),
            normal_if: "it came from a network of earlier uses".into(),
        })
    }
}

/// Whether the credential is the agent's, and its alone.
fn judge_holder(asked: &Asked<'_>, id: &str, inventory: &Inventory, own: &mut Sightings, elsewhere: &Sightings, judgement: &mut Judgement) {
    judgement.violations.extend(unknown(asked, id).map(|draft| asked.violation(draft)));
    judgement.violations.extend(personal(asked, id, inventory).map(|draft| asked.violation(draft)));
    if own.note_use(id, &asked.event.agent_id, asked.now_ms) {
        judgement.sightings.push(Sighting::CredentialUse {
            credential_id: id.to_owned(),
            agent_id: asked.event.agent_id.to_string(),
            since: asked.now_ms,
        });
    }
    judgement.violations.extend(shared(asked, id, own, elsewhere).map(|draft| asked.violation(draft)));
}

/// Age by the event's own word, else by the inventory's.
fn stale(asked: &Asked<'_>, declared: Option<&Credential>) -> Option<Draft> {
    let event = asked.event;
    let id = || event.credential_id.as_deref().map_or_else(|| "without a name".to_owned(), shown);
    if let Some(expires_at) = declared.and_then(|credential| credential.expires_at).filter(|expires_at| event.ts >= *expires_at) {
        return Some(Draft {
            kind: Kind::CredentialStale,
            rule: "credentials.expires_at".into(),
            title: format!("{} uses credential {} after its end", asked.agent(), id()),
            field: "credential_id",
            expected: format!("use before {expires_at}"),
            actual: event.ts.to_string(),
            normal_if: "the credential had been renewed".into(),
        });
    }
    let declared_at = || declared.and_then(|credential| credential.last_rotated_at.or(credential.created_at));
    let issued_at = event.credential_issued_at.or_else(declared_at)?;
    let (max_age_ms, rule) = match declared.and_then(|credential| credential.rotation_ms) {
        Some(rotation_ms) => (rotation_ms, "credentials.rotation"),
        None => (asked.policy.credential_max_age_ms, "credential_max_age"),
    };
    let age_ms = event.ts.saturating_sub(issued_at);
    (age_ms > max_age_ms).then(|| {
        let age = format!("{} days", age_ms / 86_400_000);
        Draft {
            kind: Kind::CredentialStale,
            rule: rule.into(),
            title: format!("{} uses credential {}, which is {age} old", asked.agent(), id()),
            field: "credential_issued_at",
            expected: format!("at most {}", duration::written(max_age_ms)),
            actual: age,
            normal_if: "the credential had been rotated".into(),
        }
    })
}

fn unknown(asked: &Asked<'_>, id: &str) -> Option<Draft> {
    let credentials = asked.contract?.record().credentials.as_deref()?;
    if credentials.iter().any(|credential| credential.id == id) {
        return None;
    }
    let known: Vec<&str> = credentials.iter().map(|credential| &*credential.id).collect();
    Some(Draft {
        kind: Kind::CredentialUnknown,
        rule: "credentials".into(),
        title: format!("{} uses credential {}, which it was not given", asked.agent(), shown(id)),
        field: "credential_id",
        expected: format!("one of {}", listed(&known)),
        actual: shown(id),
        normal_if: "the credential were declared for the agent".into(),
    })
}

/// A person's credential in an agent's hand.
fn personal(asked: &Asked<'_>, id: &str, inventory: &Inventory) -> Option<Draft> {
    let form_of = |contract: &Contract| contract.credential(id).and_then(|credential| credential.form.clone());
    let elsewhere = || inventory.holders(id).iter().find_map(|holder| inventory.contract(holder).and_then(|contract| form_of(contract)));
    let form = asked.contract.and_then(form_of).or_else(elsewhere)?;
    let is_personal = form.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).any(|word| PERSONAL.contains(&word));
    is_personal.then(|| Draft {
        kind: Kind::Delegation,
        rule: "credentials.type".into(),
        title: format!("{} uses credential {}, which is a person's", asked.agent(), shown(id)),
        field: "credential_id",
        expected: "a credential of its own".into(),
        actual: format!("{} ({})", shown(id), shown(&form)),
        normal_if: "the agent had a credential of its own and named the principal".into(),
    })
}

/// Raised on whoever came later; of two at the same time, on the later name.
fn shared(asked: &Asked<'_>, id: &str, own: &Sightings, elsewhere: &Sightings) -> Option<Draft> {
    let agent = &*asked.event.agent_id;
    let here = own.users(id);
    if here.is_some_and(|users| users.len() == 1) && elsewhere.users(id).is_none() {
        return None;
    }
    let since = here.and_then(|users| users.get(agent)).copied().unwrap_or(asked.now_ms);
    let others = here.into_iter().chain(elsewhere.users(id)).flatten();
    let mut earlier: BTreeMap<&str, i64> = BTreeMap::new();
    for (other, at) in others.filter(|(other, at)| ***other != *agent && (**at, &***other) < (since, agent)) {
        earlier.entry(other).and_modify(|first| *first = (*at).min(*first)).or_insert(*at);
    }
    let first_at = *earlier.values().min()?;
    let names: Vec<&str> = earlier.into_keys().collect();
    Some(Draft {
        kind: Kind::CredentialShared,
        rule: "credential_shared".into(),
        title: format!("{} uses credential {}, which is also used by {}", asked.agent(), shown(id), listed(&names)),
        field: "credential_id",
        expected: "a credential of one agent".into(),
        actual: format!("used by {} since {first_at}", listed(&names)),
        normal_if: "each agent had a credential of its own".into(),
    })
}

/// The /24 or /48 around an address.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => std::net::Ipv4Addr::from_bits(address.to_bits() & !0xFF).into(),
        IpAddr::V6(address) => std::net::Ipv6Addr::from_bits(address.to_bits() >> 80 << 80).into(),
    }
}

fn written(network: IpAddr) -> String {
    format!("{network}/{}", if network.is_ipv4() { 24 } else { 48 })
}
