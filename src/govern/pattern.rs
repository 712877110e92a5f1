//! Names with wildcards. `*` may end an action, peer or system name; a destination may also be `*.suffix` or a CIDR; what the
//! operator calls sensitive may have `*` anywhere.

use std::net::IpAddr;

use hashbrown::HashSet;

use crate::event::Event;

/// Names, and beginnings of names.
#[derive(Debug, Clone, Default)]
pub struct NameSet {
    exact: HashSet<Box<str>, foldhash::fast::FixedState>,
    prefixes: Vec<Box<str>>,
}

impl NameSet {
    /// `*` at the end makes a beginning of a name.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut set = Self::default();
        for name in names {
            match name.strip_suffix('*') {
                Some(prefix) => set.prefixes.push(prefix.into()),
                None => drop(set.exact.insert(name.into())),
            }
        }
        set
    }

    /// Whether the name is one of them.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.exact.contains(name) || self.prefixes.iter().any(|prefix| name.starts_with(&**prefix))
    }
}

/// Actions as a contract names them: `tool`, `tool_server/tool`, or an action word.
#[derive(Debug, Clone, Default)]
pub struct ActionSet {
    names: NameSet,
    /// Beginnings with a `/`, which may name the server too.
    qualified: Vec<Box<str>>,
}

/// What an event does, as contracts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionName<'e> {
    /// A tool and its server.
    Tool {
        /// `tool`.
        tool: &'e str,
        /// `tool_server`.
        server: Option<&'e str>,
    },
    /// The word of an action without a tool.
    Word(&'e str),
}

impl<'e> ActionName<'e> {
    /// What the event does.
    #[must_use]
    pub fn of(event: &'e Event<'_>) -> Self {
        match &event.tool {
            Some(tool) => Self::Tool { tool, server: event.tool_server.as_deref() },
            None => Self::Word(event.action.as_str()),
        }
    }
}

impl std::fmt::Display for ActionName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tool { tool, server: Some(server) } => write!(f, "{server}/{tool}"),
            Self::Tool { tool, server: None } => f.write_str(tool),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl ActionSet {
    /// Compiles the names of a contract.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str> + Clone) -> Self {
        let beginnings = names.clone().into_iter().filter_map(|name| name.strip_suffix('*'));
        let qualified = beginnings.filter(|name| name.contains('/')).map(Into::into).collect();
        Self { names: NameSet::new(names), qualified }
    }

    /// Whether the action is one of them.
    #[must_use]
    pub fn holds(&self, action: ActionName<'_>) -> bool {
        match action {
            ActionName::Word(word) => self.names.holds(word),
            ActionName::Tool { tool, server: None } => self.names.holds(tool),
            ActionName::Tool { tool, server: Some(server) } => {
                self.names.holds(tool)
                    || self.names.exact.contains(&*[server, "/", tool].concat())
                    || self.qualified.iter().any(|beginning| begins_with(server, tool, beginning))
            }
        }
    }
}

/// Whether `server/tool` begins so.
fn begins_with(server: &str, tool: &str, beginning: &str) -> bool {
    match beginning.strip_prefix(server).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => tool.starts_with(rest),
        // The beginning ends within the server's name.
        None => beginning.len() <= server.len() && server.starts_with(beginning),
    }
}

/// Hosts, suffixes, networks and full addresses that data may go to.
#[derive(Debug, Clone, Default)]
pub struct DestinationSet {
    hosts: NameSet,
    /// `.example.com` for `*.example.com`.
    suffixes: Vec<Box<str>>,
    networks: Vec<Network>,
    /// Entries that name more than a host (`s3://bucket/x*`, `ops@example.com`) are held against the whole text.
    full: NameSet,
}

impl DestinationSet {
    /// Compiles the destinations of a contract; case does not matter.
    #[must_use]
    pub fn new(entries: &[String]) -> Self {
        let mut set = Self::default();
        let (mut hosts, mut full) = (Vec::new(), Vec::new());
        for entry in entries.iter().map(|entry| entry.to_lowercase()) {
            if let Some(network) = Network::parse(&entry) {
                set.networks.push(network);
            } else if let Some(suffix) = entry.strip_prefix('*').filter(|suffix| suffix.starts_with('.')) {
                set.suffixes.push(suffix.trim_end_matches('.').into());
            } else if entry.contains(['/', '@']) {
                full.push(entry);
            } else {
                hosts.push(entry);
            }
        }
        set.hosts = NameSet::new(hosts.iter().map(String::as_str));
        set.full = NameSet::new(full.iter().map(String::as_str));
        set
    }

    /// Whether data may go there: a host, with or without scheme, user, port and path; an address of mail; an IP address.
    #[must_use]
    pub fn holds(&self, destination: &str) -> bool {
        let text = destination.to_lowercase();
        let host = host_of(&text);
        if self.full.holds(&text) {
            return true;
        }
        if let Some(address) = address_of(host) {
            return self.networks.iter().any(|network| network.holds(address)) || self.hosts.holds(&address.to_string());
        }
        let is_below = |suffix: &str| host.len() > suffix.len() && host.ends_with(suffix);
        self.hosts.holds(host) || self.suffixes.iter().any(|suffix| is_below(suffix))
    }
}

/// The host in a URL, address of mail, or `host:port`.
fn host_of(text: &str) -> &str {
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((bracketed, _)) => bracketed,
        // More than one colon is a bare IPv6 address.
        None if host_port.matches(':').count() == 1 => host_port.split_once(':').map_or(host_port, |(host, _)| host),
        None => host_port,
    };
    host.strip_suffix('.').unwrap_or(host)
}

/// IPv6 forms of IPv4 addresses are IPv4 addresses.
fn address_of(host: &str) -> Option<IpAddr> {
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// An address with a prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8` or `2001:db8::/32`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse().ok()?);
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        (bits <= bits_max).then_some(Self { address, bits })
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        // A shift by the whole width leaves nothing to compare.
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Whether `text` is `pattern`, where `*` stands for any text, also none.
#[must_use]
pub fn is_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_action(entry: &str, tool: &str, server: Option<&str>, expected: bool) {
        let set = ActionSet::new([entry]);
        assert_eq!(set.holds(ActionName::Tool { tool, server }), expected, "{entry} on {server:?}/{tool}");
    }

    #[test]
    fn actions_are_tools_with_or_without_their_server() {
        check_action("issue_refund", "issue_refund", None, true);
        check_action("issue_refund", "issue_refund", Some("pay"), true);
        check_action("issue_refund", "issue_refunds", None, false);
        check_action("pay/issue_refund", "issue_refund", Some("pay"), true);
        check_action("pay/issue_refund", "issue_refund", Some("shop"), false);
        check_action("pay/issue_refund", "issue_refund", None, false);
        check_action("issue_*", "issue_refund", Some("pay"), true);
        check_action("pay/*", "anything", Some("pay"), true);
        check_action("pay/*", "anything", Some("payroll"), false);
        check_action("https://a/b/*", "x", Some("https://a/b"), true);
        check_action("*", "anything", Some("any"), true);
        assert!(ActionSet::new(["llm_call"]).holds(ActionName::Word("llm_call")));
    }

    #[track_caller]
    fn check_destination(entry: &str, destination: &str, expected: bool) {
        assert_eq!(DestinationSet::new(&[entry.to_owned()]).holds(destination), expected, "{entry} on {destination}");
    }

    #[test]
    fn hosts_are_found_in_what_surrounds_them() {
        for destination in
            ["api.example.com", "API.example.com.", "https://api.example.com:8443/v1?x#y", "user@api.example.com", "api.example.com:443"]
        {
            check_destination("api.example.com", destination, true);
        }
        for destination in [
            "example.com",
            "api.example.com.evil.io",
            "https://evil.io/api.example.com",
            "api.example.com@evil.io",
            "https://evil.io\\@api.example.com",
            "",
        ] {
            check_destination("api.example.com", destination, false);
        }
    }

    #[test]
    fn suffixes_take_what_is_below_them() {
        check_destination("*.example.com", "a.example.com", true);
        check_destination("*.example.com", "https://a.b.example.com/", true);
        check_destination("*.example.com", "example.com", false);
        check_destination("*.example.com", "badexample.com", false);
    }

    #[test]
    fn prefixes_of_hosts_do_not_reach_into_the_rest() {
        check_destination("api.*", "api.example.com", true);
        check_destination("api.*", "api.x@evil.io", false);
        check_destination("s3://bucket/*", "s3://bucket/key", true);
        check_destination("s3://bucket/*", "s3://bucket2/key", false);
        check_destination("ops@example.com", "Ops@Example.com", true);
        check_destination("ops@example.com", "dev@example.com", false);
        check_destination("*", "anything", true);
    }

    #[test]
    fn networks_take_addresses_in_them() {
        check_destination("10.0.0.0/8", "10.200.3.4", true);
        check_destination("10.0.0.0/8", "http://10.1.1.1:80/x", true);
        check_destination("10.0.0.0/8", "::ffff:10.1.1.1", true);
        check_destination("10.0.0.0/8", "11.0.0.1", false);
        check_destination("2001:db8::/32", "[2001:db8::1]:443", true);
        check_destination("2001:db8::/32", "2001:db9::1", false);
        check_destination("0.0.0.0/0", "8.8.8.8", true);
        check_destination("10.0.0.0/8", "10.evil.io", false);
        check_destination("10.0.0.7", "10.0.0.7", true);
        assert_eq!(Network::parse("10.0.0.0/33"), None);
    }

    #[test]
    fn sensitive_patterns_may_have_wildcards_anywhere() {
        for (pattern, text, expected) in [
            ("*payout*", "change_payout_iban", true),
            ("*payout*", "refund", false),
            ("prod-*-db", "prod-eu-db", true),
            ("prod-*-db", "prod-db", false),
            ("a*a", "a", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("*", "", true),
        ] {
            assert_eq!(is_match(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
