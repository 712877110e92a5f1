//! Whether a tool changes the world, as far as its name tells (DETECTION.md, section 2.2).

/// Verbs of tools that change something; one of a name's first four words decides.
const VERBS: &[&str] = &[
    "add",
    "append",
    "assume",
    "attach",
    "book",
    "cancel",
    "change",
    "checkout",
    "commit",
    "create",
    "delete",
    "detach",
    "disable",
    "drop",
    "edit",
    "enable",
    "execute",
    "forward",
    "grant",
    "insert",
    "install",
    "invite",
    "make",
    "merge",
    "modify",
    "move",
    "order",
    "pay",
    "place",
    "post",
    "purchase",
    "push",
    "put",
    "remove",
    "rename",
    "reply",
    "reschedule",
    "reserve",
    "reset",
    "revoke",
    "run",
    "schedule",
    "send",
    "set",
    "share",
    "start",
    "stop",
    "submit",
    "terminate",
    "transfer",
    "update",
    "upload",
    "write",
];

/// True if the name says that the tool writes. Words end at non-letters and at a capital after a small letter.
#[must_use]
pub fn is_write(tool: &str) -> bool {
    words(tool).take(4).any(|word| VERBS.binary_search(&word.as_str()).is_ok())
}

fn words(tool: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = tool;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic());
        let mut small_before = false;
        let end = rest
            .char_indices()
            .find(|&(_, letter)| {
                let ends = !letter.is_ascii_alphabetic() || (small_before && letter.is_ascii_uppercase());
                small_before = letter.is_ascii_lowercase();
                ends
            })
            .map_or(rest.len(), |(at, _)| at);
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then(|| word.to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::{VERBS, is_write};

    #[track_caller]
    fn check(tool: &str, expected: bool) {
        assert_eq!(is_write(tool), expected, "{tool}");
    }

    #[test]
    fn the_verbs_are_sorted_for_the_search() {
        assert!(VERBS.is_sorted());
    }

    #[test]
    fn a_verb_among_the_first_four_words_makes_a_write() {
        check("send_mail", true);
        check("updateTicket", true);
        check("runQuery2", true);
        check("Reset", true);
        check("a_b_c_delete_d", true);
    }

    #[test]
    fn a_verb_elsewhere_does_not() {
        check("get_mail", false);
        check("a_b_c_d_delete", false);
        check("preset", false);
        check("resend", false);
        check("", false);
    }
}
