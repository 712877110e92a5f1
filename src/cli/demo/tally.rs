//! What the demo has seen, against what it knows to be true of its own fleet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cluster::Seen;
use crate::finding::{Activity, Finding};
use crate::workbench::generate::{Campaign, Generated};

/// Sessions, attacks and what was said of them.
pub struct Tally {
    /// The attack of each session, if there is one in it.
    sessions: HashMap<String, Option<String>>,
    campaigns: Vec<Campaign>,
    flagged: BTreeSet<String>,
    publications: u64,
    findings: u64,
    opened: u64,
    requests: u64,
}

/// Attacks of one kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub injected: usize,
    pub found: usize,
}

impl Tally {
    pub fn new(events: &[Generated], campaigns: &[Campaign]) -> Self {
        let mut sessions: HashMap<String, Option<String>> = HashMap::new();
        for event in events {
            let attack = sessions.entry(event.session_id.clone()).or_default();
            if attack.is_none() {
                attack.clone_from(&event.truth.attack);
            }
        }
        Self { sessions, campaigns: campaigns.to_vec(), flagged: BTreeSet::new(), publications: 0, findings: 0, opened: 0, requests: 0 }
    }

    pub fn count(&mut self, seen: Seen) {
        self.publications += 1;
        match seen {
            Seen::Request(_) => self.requests += 1,
            Seen::Finding(finding) => {
                self.findings += 1;
                if finding.activity == Activity::Open {
                    self.opened += 1;
                    self.flagged.extend(finding.session_id);
                }
            }
        }
    }

    /// The attack behind a finding, if the fleet planted one.
    pub fn attack(&self, finding: &Finding) -> Option<&str> {
        self.sessions.get(finding.session_id.as_deref()?)?.as_deref()
    }

    /// Everything that came back.
    pub fn publications(&self) -> u64 {
        self.publications
    }

    pub fn findings(&self) -> u64 {
        self.findings
    }

    pub fn opened(&self) -> u64 {
        self.opened
    }

    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Injected and found attacks by kind. One is found when a finding was opened in any of its sessions.
    pub fn attacks(&self) -> BTreeMap<&'static str, Found> {
        let mut kinds: BTreeMap<&'static str, Found> = BTreeMap::new();
        for campaign in self.campaigns.iter().filter(|campaign| campaign.onset.is_some()) {
            let kind = kinds.entry(campaign.attack).or_default();
            kind.injected += 1;
            kind.found += usize::from(campaign.sessions.iter().any(|session| self.flagged.contains(session)));
        }
        kinds
    }

    /// Ordinary sessions with a finding, and all ordinary sessions.
    pub fn false_alarms(&self) -> (usize, usize) {
        let ordinary = self.sessions.iter().filter(|(_, attack)| attack.is_none());
        ordinary.fold((0, 0), |(flagged, all), (session, _)| (flagged + usize::from(self.flagged.contains(session)), all + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::generate::{Generator, Settings};

    /// A small fleet with one attack flagged and one ordinary session flagged.
    #[test]
    fn a_finding_in_any_session_of_an_attack_finds_it() {
        let mut generator = Generator::new(Settings { sessions: 120, quiet_until: 0, ..Settings::default() });
        let events: Vec<Generated> = generator.by_ref().take(20_000).collect();
        let mut tally = Tally::new(&events, generator.campaigns());
        let begun = |campaign: &&Campaign| campaign.onset.is_some();
        let attack = generator.campaigns().iter().find(begun).expect("an attack among 20,000 events").clone();
        let ordinary = events.iter().find(|event| tally.sessions[&event.session_id].is_none()).expect("an ordinary session");
        assert!(tally.attacks().values().all(|kind| kind.found == 0 && kind.injected > 0));
        assert_eq!(tally.false_alarms().0, 0);

        tally.flagged.insert(attack.sessions[0].clone());
        tally.flagged.insert(ordinary.session_id.clone());
        assert_eq!(tally.attacks()[attack.attack].found, 1);
        assert_eq!(tally.attacks().values().map(|kind| kind.found).sum::<usize>(), 1);
        assert_eq!(tally.false_alarms().0, 1);
    }
}
