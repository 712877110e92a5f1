//! One credential, one agent; not too old; known; from where it was used before.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use crate::config::duration;
use crate::event::limits::shown;
use crate::finding::Kind;

use super::binding::Held;
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
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Read")]
pub(super) struct Credentials {
    slots: hashbrown::HashMap<String, SourceSlot, foldhash::fast::FixedState>,
    sources: Vec<Sources>,
}

/// Where a credential's sources are; it stays the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourceSlot(u32);

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Sources {
    /// Uses from a known network.
    uses: u64,
    networks: SmallVec<[IpAddr; 2]>,
}

/// As stored: by name, in the order of the names.
#[derive(Serialize)]
struct Written<'c> {
    sources: BTreeMap<&'c str, &'c Sources>,
}

#[derive(Deserialize)]
struct Read {
    sources: BTreeMap<String, Sources>,
}

impl Serialize for Credentials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sources = self.slots.iter().map(|(name, slot)| (name.as_str(), &self.sources[slot.0 as usize])).collect();
        Written { sources }.serialize(serializer)
    }
}

impl From<Read> for Credentials {
    fn from(Read { sources }: Read) -> Self {
        let (names, sources): (Vec<String>, Vec<Sources>) = sources.into_iter().unzip();
        Self { slots: names.into_iter().zip((0..).map(SourceSlot)).collect(), sources }
    }
}

/// How old a credential may get, as far as that was declared.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Age {
    /// Epoch ms.
    expires_at: Option<i64>,
    issued_at: Option<i64>,
    max_ms: Option<i64>,
}

impl Age {
    /// By the inventory's word; nothing for a credential that it does not name.
    pub fn declared(credential: Option<&Credential>) -> Self {
        credential.map_or_else(Self::default, |credential| Self {
            expires_at: credential.expires_at,
            issued_at: credential.last_rotated_at.or(credential.created_at),
            max_ms: credential.rotation_ms,
        })
    }
}

impl Credentials {
    /// Everything about the credential of an event; whether it is the agent's alone only unless that was found before. Where its
    /// sources are, if the event names one.
    pub fn judge(
        &mut self,
        asked: &Asked<'_>,
        inventory: &Inventory,
        own: &mut Sightings,
        elsewhere: &Sightings,
        held: Option<&Held>,
        judgement: &mut Judgement,
    ) -> Option<SourceSlot> {
        let id = asked.event.credential_id.as_deref();
        let declared = || Age::declared(id.and_then(|id| asked.contract?.credential(id)));
        let age = held.map_or_else(declared, |held| held.age);
        judgement.violations.extend(stale(asked, age).map(|draft| asked.violation(draft)));
        let id = id?;
        if held.is_none() {
            judge_holder(asked, id, inventory, own, elsewhere, judgement);
        }
        let network = network_of(asked.event.source_ip?);
        let slot = held.and_then(|held| held.source).or_else(|| self.slot(id))?;
        judgement.violations.extend(self.sources[slot.0 as usize].judge(asked, id, network).map(|draft| asked.violation(draft)));
        Some(slot)
    }

    /// Where the credential's sources are; `None` if there is no room for them.
    fn slot(&mut self, id: &str) -> Option<SourceSlot> {
        if let Some(slot) = self.slots.get(id) {
            return Some(*slot);
        }
        let slot = u32::try_from(self.sources.len()).ok().filter(|_| self.sources.len() < CREDENTIALS_MAX).map(SourceSlot)?;
        self.slots.insert(id.to_owned(), slot);
        self.sources.push(Sources::default());
        Some(slot)
    }
}

impl Sources {
    fn judge(&mut self, asked: &Asked<'_>, id: &str, network: IpAddr) -> Option<Draft> {
        if self.networks.contains(&network) {
            self.uses += u64::from(asked.ran());
            return None;
        }
        let is_news = self.uses >= USES_KNOWN && self.networks.len() < NETWORKS_MAX;
        let known: Vec<String> = if is_news { self.networks.iter().copied().map(written).collect() } else { Vec::new() };
        if asked.ran() && self.networks.len() < NETWORKS_MAX {
            self.networks.push(network);
            self.uses += 1;
        }
        let uses = self.uses;
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
fn stale(asked: &Asked<'_>, declared: Age) -> Option<Draft> {
    let event = asked.event;
    let id = || event.credential_id.as_deref().map_or_else(|| "without a name".to_owned(), shown);
    if let Some(expires_at) = declared.expires_at.filter(|expires_at| event.ts >= *expires_at) {
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
    let issued_at = event.credential_issued_at.or(declared.issued_at)?;
    let (max_age_ms, rule) = match declared.max_ms {
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
