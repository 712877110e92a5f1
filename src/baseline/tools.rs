//! Tools as small numbers. A tool's identity is the pair of server and name; an event without a tool is known by its action.

use serde::{Deserialize, Serialize};

use super::write_verbs;
use crate::stats::hash;

/// A tool, or one of the marks below. The lowest bit is that of its text's FNV-1a hash, which decides about singletons at a halving.
pub type ToolId = u16;

/// The end of a session, predicted like a tool.
pub const END: ToolId = 0;
/// What stands before the first tool; only ever a context.
pub const START: ToolId = 1;
/// Any tool past the table's end; never learned, so it stays as odd as a tool never seen.
pub const UNMODELLED: ToolId = 2;
/// In the place of a tool where none matters; never given out.
pub const ANY_TOOL: ToolId = 0xffff;

const MARKS: [ToolId; 4] = [END, START, UNMODELLED, ANY_TOOL];

const FIRST_EVEN: ToolId = 4;
const FIRST_ODD: ToolId = 3;

/// What is known of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `server/name`, the name alone, or the action.
    pub name: Box<str>,
    /// Whether its name says that it writes.
    pub writes: bool,
    /// Whether it was ever learned.
    pub known: bool,
}

/// The tools of a shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tools {
    key: u64,
    #[serde(with = "crate::stats::sorted")]
    ids: hashbrown::HashMap<u64, ToolId, foldhash::fast::FixedState>,
    by_id: Vec<Option<Tool>>,
    next: [ToolId; 2],
    known: u32,
    /// Tools that found no room.
    pub not_modelled: u64,
}

impl Tools {
    /// No tools yet; `key` seeds the hash of their names.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key, ids: hashbrown::HashMap::default(), by_id: Vec::new(), next: [FIRST_EVEN, FIRST_ODD], known: 0, not_modelled: 0 }
    }

    /// The number of `server`'s tool `name`, given out at first sight.
    pub fn intern(&mut self, server: Option<&str>, name: &str) -> ToolId {
        let identity = identity(self.key, server, name);
        if let Some(&id) = self.ids.get(&identity) {
            return id;
        }
        let text = server.map_or_else(|| name.to_owned(), |server| format!("{server}/{name}"));
        self.enter(identity, Tool { writes: write_verbs::is_write(name), known: false, name: text.into() })
    }

    /// The numbers here of the tools that another shard knows under numbers of its own; each is given out at first sight, and
    /// learned if it was learned there.
    pub fn take_in(&mut self, theirs: &Self) -> Renumbering {
        let mut identities: Vec<(ToolId, u64)> = theirs.ids.iter().map(|(&identity, &id)| (id, identity)).collect();
        identities.sort_unstable();
        let mut numbers = vec![UNMODELLED; theirs.by_id.len()];
        for (id, identity) in identities {
            let Some(tool) = theirs.get(id) else { continue };
            let here = self.ids.get(&identity).copied().unwrap_or_else(|| self.enter(identity, Tool { known: false, ..tool.clone() }));
            if tool.known {
                self.learn(here);
            }
            numbers[usize::from(id)] = here;
        }
        Renumbering(numbers)
    }

    fn enter(&mut self, identity: u64, tool: Tool) -> ToolId {
        let parity = usize::from(hash::fnv1a64_parity(tool.name.as_bytes()) == 1);
        let id = self.next[parity];
        let Some(next) = id.checked_add(2) else {
            self.not_modelled += 1;
            return UNMODELLED;
        };
        self.next[parity] = next;
        self.ids.insert(identity, id);
        self.put(id, tool);
        id
    }

    /// The text of a tool or mark.
    #[must_use]
    pub fn name(&self, id: ToolId) -> &str {
        match id {
            END => "END",
            START => "START",
            UNMODELLED => "(a tool past the table)",
            _ => self.get(id).map_or("?", |tool| &tool.name),
        }
    }

    /// Whether the tool's name says that it writes.
    #[must_use]
    pub fn writes(&self, id: ToolId) -> bool {
        self.get(id).is_some_and(|tool| tool.writes)
    }

    /// Whether the tool was ever learned, by any agent.
    #[must_use]
    pub fn is_known(&self, id: ToolId) -> bool {
        self.get(id).is_some_and(|tool| tool.known)
    }

    /// Number of tools ever learned.
    #[must_use]
    pub fn known(&self) -> u32 {
        self.known
    }

    /// Marks a tool as learned.
    pub fn learn(&mut self, id: ToolId) {
        if let Some(tool) = self.by_id.get_mut(usize::from(id)).and_then(Option::as_mut)
            && !tool.known
        {
            tool.known = true;
            self.known += 1;
        }
    }

    fn get(&self, id: ToolId) -> Option<&Tool> {
        self.by_id.get(usize::from(id)).and_then(Option::as_ref)
    }

    fn put(&mut self, id: ToolId, tool: Tool) {
        let at = usize::from(id);
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, None);
        }
        self.by_id[at] = Some(tool);
    }
}

/// The numbers of one shard's tools in another.
#[derive(Debug, Clone)]
pub struct Renumbering(Vec<ToolId>);

impl Renumbering {
    /// The number of a tool there; marks are the same everywhere.
    #[must_use]
    pub fn of(&self, tool: ToolId) -> ToolId {
        if MARKS.contains(&tool) { tool } else { self.0.get(usize::from(tool)).copied().unwrap_or(UNMODELLED) }
    }
}

/// Hash of the pair. The lengths keep ("a", "b/c") and ("a/b", "c") apart.
fn identity(key: u64, server: Option<&str>, name: &str) -> u64 {
    match server {
        None => hash::keyed(name.as_bytes(), key),
        Some(server) => hash::keyed(name.as_bytes(), hash::keyed(server.as_bytes(), !key)),
    }
}

#[cfg(test)]
mod tests {
    use super::{ANY_TOOL, END, START, Tools, UNMODELLED};
    use crate::stats::hash::fnv1a64;

    #[test]
    fn the_same_name_on_two_servers_is_two_tools() {
        let mut tools = Tools::new(1);
        let ids = [tools.intern(None, "read"), tools.intern(Some("a"), "read"), tools.intern(Some("b"), "read")];
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_eq!(tools.intern(Some("a"), "read"), ids[1]);
        assert_eq!(tools.name(ids[1]), "a/read");
    }

    #[test]
    fn the_lowest_bit_of_a_number_is_that_of_the_names_hash() {
        let mut tools = Tools::new(1);
        for name in ["read", "write", "send_mail", "x"] {
            assert_eq!(u64::from(tools.intern(None, name) & 1), fnv1a64(name.as_bytes()) & 1, "{name}");
        }
        assert_eq!(u64::from(END & 1), fnv1a64(b"END") & 1);
    }

    #[test]
    fn tools_of_another_shard_keep_their_identity_under_other_numbers() {
        let (mut here, mut there) = (Tools::new(1), Tools::new(1));
        let write = here.intern(None, "write");
        let theirs = [there.intern(Some("a"), "b/c"), there.intern(None, "write"), there.intern(Some("a/b"), "c")];
        there.learn(theirs[0]);
        let numbers = here.take_in(&there);
        assert_eq!(numbers.of(theirs[1]), write);
        assert_ne!(numbers.of(theirs[0]), numbers.of(theirs[2]), "of one text, but two tools");
        assert_eq!(numbers.of(theirs[0]), here.intern(Some("a"), "b/c"));
        assert!(here.is_known(numbers.of(theirs[0])) && !here.is_known(write));
        assert_eq!([END, START, UNMODELLED, ANY_TOOL, 999].map(|mark| numbers.of(mark)), [END, START, UNMODELLED, ANY_TOOL, UNMODELLED]);
    }

    #[test]
    fn tools_past_the_table_are_counted_and_never_known() {
        let mut tools = Tools::new(1);
        let ids: Vec<_> = (0..70_000).map(|n| tools.intern(None, &format!("tool{n}"))).collect();
        assert_eq!(*ids.last().unwrap(), UNMODELLED);
        assert!(tools.not_modelled > 0);
        tools.learn(UNMODELLED);
        assert!(!tools.is_known(UNMODELLED) && !tools.is_known(START));
    }
}
