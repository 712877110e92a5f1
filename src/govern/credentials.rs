//! One credential, one agent; not too old; known; from where it was used before.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize, Serializer};
use thin_vec::ThinVec;

use crate::config::duration;
use crate::event::limits::shown;
use crate::finding::Kind;
use crate::stats::prefetch::prefetch;

use super::binding::{Given, Held};
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

/// In few bytes, so that those of a large fleet stay in the cache.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "WholeSources", into = "WholeSources")]
struct Sources {
    /// Uses from a known network.
    uses: u64,
    /// The first one, if there is any, stands by itself: most credentials have one.
    first: Option<Network>,
    others: ThinVec<Network>,
}

/// As stored.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Sources")]
struct WholeSources {
    uses: u64,
    networks: Vec<IpAddr>,
}

/// A /24 or a /48, in eight bytes: its bits and, above them, its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network(NonZeroU64);

const V4: u64 = 4 << 48;
const V6: u64 = 6 << 48;

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
#[derive(Debug, Clone, Copy)]
pub(super) struct Age {
    /// Epoch ms.
    expires_at: Given,
    issued_at: Given,
    max_ms: Given,
}

impl Age {
    /// By the inventory's word; nothing for a credential that it does not name.
    pub fn declared(credential: Option<&Credential>) -> Self {
        let given = |of: fn(&Credential) -> Option<i64>| credential.and_then(of).into();
        Self {
            expires_at: given(|credential| credential.expires_at),
            issued_at: given(|credential| credential.last_rotated_at.or(credential.created_at)),
            max_ms: given(|credential| credential.rotation_ms),
        }
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
        let network = Network::of(asked.event.source_ip?);
        let slot = held.and_then(|held| held.source).or_else(|| self.slot(id))?;
        judgement.violations.extend(self.sources[slot.0 as usize].judge(asked, id, network).map(|draft| asked.violation(draft)));
        Some(slot)
    }

    /// Asks for a credential's sources.
    pub fn prefetch(&self, slot: SourceSlot) {
        if let Some(sources) = self.sources.get(slot.0 as usize) {
            prefetch(sources);
        }
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

impl Network {
    /// The one around an address.
    fn of(address: IpAddr) -> Self {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => V4 | u64::from(address.to_bits() >> 8),
            IpAddr::V6(address) => V6 | u64::try_from(address.to_bits() >> 80).unwrap_or_default(),
        };
        Self(NonZeroU64::new(bits).expect("the kind is no zero"))
    }

    /// Its first address.
    fn address(self) -> IpAddr {
        match self.0.get() {
            bits if bits >= V6 => std::net::Ipv6Addr::from_bits(u128::from(bits ^ V6) << 80).into(),
            bits => std::net::Ipv4Addr::from_bits(u32::try_from((bits ^ V4) << 8).unwrap_or_default()).into(),
        }
    }
}

impl From<WholeSources> for Sources {
    fn from(WholeSources { uses, networks }: WholeSources) -> Self {
        let mut networks = networks.into_iter().map(Network::of);
        Self { uses, first: networks.next(), others: networks.collect() }
    }
}

impl From<Sources> for WholeSources {
    fn from(sources: Sources) -> Self {
        Self { uses: sources.uses, networks: sources.networks().map(Network::address).collect() }
    }
}

impl Sources {
    fn networks(&self) -> impl Iterator<Item = Network> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    fn judge(&mut self, asked: &Asked<'_>, id: &str, network: Network) -> Option<Draft> {
        if self.networks().any(|known| known == network) {
            self.uses += u64::from(asked.ran());
            return None;
        }
        let has_room = self.networks().count() < NETWORKS_MAX;
        let is_news = self.uses >= USES_KNOWN && has_room;
        let known: Vec<String> = if is_news { self.networks().map(written).collect() } else { Vec::new() };
        if asked.ran() && has_room {
            match self.first {
                None => self.first = Some(network),
                Some(_) => self.others.push(network),
            }
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
    if let Some(expires_at) = declared.expires_at.get().filter(|expires_at| event.ts >= *expires_at) {
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
    let issued_at = event.credential_issued_at.or(declared.issued_at.get())?;
    let (max_age_ms, rule) = match declared.max_ms.get() {
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

fn written(network: Network) -> String {
    let address = network.address();
    format!("{address}/{}", if address.is_ipv4() { 24 } else { 48 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_written_as_their_first_address_with_their_length() {
        for (address, expected) in [
            ("10.1.2.3", "10.1.2.0/24"),
            ("0.0.0.9", "0.0.0.0/24"),
            ("255.255.255.255", "255.255.255.0/24"),
            ("::ffff:10.1.2.3", "10.1.2.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1::/48"),
            ("ffff:ffff:ffff:ffff::", "ffff:ffff:ffff::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(written(Network::of(address.parse().unwrap())), expected, "{address}");
        }
    }

    #[test]
    fn sources_are_stored_as_addresses() {
        let stored = r#"{"uses":7,"networks":["10.1.2.0","2001:db8:1::","::"]}"#;
        let sources: Sources = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&sources).unwrap(), stored);
    }
}
