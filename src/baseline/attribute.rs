//! The named things an event touches or comes with (DETECTION.md, section 1.4).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A categorical attribute of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Attribute {
    /// What is acted on.
    Target = 0,
    /// Class of what is acted on: the domain of an address, the host of a URL.
    TargetClass = 1,
    /// Where data goes.
    Destination = 2,
    /// The other agent.
    Peer = 3,
    /// The credential used.
    Credential = 4,
    /// The principal.
    OnBehalfOf = 5,
    /// Network of the caller: /24 or /48.
    SourceNet = 6,
}

/// Number of attributes.
pub const ATTRIBUTES: usize = 7;
/// Values are cut to this many bytes.
pub const VALUE_BYTES_MAX: usize = 80;
const CLASS_CHARS_MAX: usize = 30;

impl Attribute {
    /// All, in the order of their numbers.
    pub const ALL: [Self; ATTRIBUTES] =
        [Self::Target, Self::TargetClass, Self::Destination, Self::Peer, Self::Credential, Self::OnBehalfOf, Self::SourceNet];

    /// Whether it is judged per tool; the others are judged whatever the tool.
    #[must_use]
    pub fn per_tool(self) -> bool {
        matches!(self, Self::Target | Self::TargetClass)
    }

    /// The event field.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::TargetClass => "target_class",
            Self::Destination => "destination",
            Self::Peer => "peer_agent_id",
            Self::Credential => "credential_id",
            Self::OnBehalfOf => "on_behalf_of",
            Self::SourceNet => "source_net",
        }
    }
}

/// The value as it is stored: at most [`VALUE_BYTES_MAX`] bytes, cut between characters.
#[must_use]
pub fn cut(value: &str) -> &str {
    if value.len() <= VALUE_BYTES_MAX { value } else { &value[..value.floor_char_boundary(VALUE_BYTES_MAX)] }
}

/// Class of a target: what follows the last `@` (with it, lower case, at most 30 characters of it); else the host of a URL, port kept; else none.
#[must_use]
pub fn target_class(target: &str) -> Option<Cow<'_, str>> {
    if let Some(at) = memchr::memrchr(b'@', target.as_bytes()) {
        let domain: String = target[at + 1..].chars().flat_map(char::to_lowercase).take(CLASS_CHARS_MAX).collect();
        return Some(Cow::Owned(format!("@{domain}")));
    }
    let scheme_end = memchr::memchr_iter(b':', target.as_bytes()).find(|&at| target[at..].starts_with("://"));
    let host = match scheme_end {
        Some(at) => &target[at + 3..],
        None if target.starts_with("www.") => target,
        None => return None,
    };
    let host = host.split('/').next().unwrap_or(host);
    if host.chars().any(char::is_uppercase) { Some(Cow::Owned(host.to_lowercase())) } else { Some(Cow::Borrowed(host)) }
}

/// The network of a caller: the /24 of an IPv4 address, the /48 of an IPv6 one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceNet(pub IpAddr);

impl fmt::Display for SourceNet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                write!(formatter, "{a}.{b}.{c}.0/24")
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                write!(formatter, "{a:x}:{b:x}:{c:x}::/48")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceNet, cut, target_class};

    #[track_caller]
    fn check(target: &str, expected: Option<&str>) {
        assert_eq!(target_class(target).as_deref(), expected, "{target}");
    }

    #[test]
    fn the_class_of_an_address_is_its_domain() {
        check("Bob@Evil.Example", Some("@evil.example"));
        check("a@b@C.d", Some("@c.d"));
        check("user@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", Some("@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
    }

    #[test]
    fn the_class_of_a_url_is_its_host_with_the_port() {
        check("https://Acme.example:8443/p/1?x=y", Some("acme.example:8443"));
        check("www.Acme.example/index", Some("www.acme.example"));
        check("ftp://h/", Some("h"));
    }

    #[test]
    fn anything_else_has_no_class() {
        check("plain", None);
        check("c:/a:b:/", None);
        check("", None);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(cut(&"ü".repeat(60)).len(), 80);
        assert_eq!(cut(&format!("x{}", "ü".repeat(60))).len(), 79);
    }

    #[test]
    fn networks_hide_the_host() {
        assert_eq!(SourceNet("10.1.2.3".parse().unwrap()).to_string(), "10.1.2.0/24");
        assert_eq!(SourceNet("2001:db8:7:1::9".parse().unwrap()).to_string(), "2001:db8:7::/48");
    }
}
