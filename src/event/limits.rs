//! How large a record and its strings may be. Names from outside are hostile: what is longer goes to the dead letters, so that
//! no agent can fill the memory with one name.

/// Bytes of one native record.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Bytes of names and identifiers: agents, tools, sessions, credentials, versions.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of `event_id`. Longer than a name, because a `CloudEvents` id is a source URI and an id in one.
pub const EVENT_ID_BYTES_MAX: usize = 1024;

/// Bytes of `target` and `destination`: paths, URLs, statements, recipients.
pub const PLACE_BYTES_MAX: usize = 4096;

/// Bytes of a value from outside that are shown in a message.
pub const SHOWN_BYTES_MAX: usize = 64;

/// A value from outside as a message may show it: control characters escaped, cut after [`SHOWN_BYTES_MAX`] bytes.
#[must_use]
pub fn shown(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars() {
        if text.len() >= SHOWN_BYTES_MAX {
            text.push('…');
            break;
        }
        if character.is_control() || is_bidi(character) {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    text
}

/// Characters that reorder the text around them; in a log they can make a name read as another.
fn is_bidi(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_values_are_cut_and_escaped() {
        assert_eq!(shown("plain ü"), "plain ü");
        assert_eq!(shown("a\nb\u{202e}c"), "a\\u{a}b\\u{202e}c");
        assert_eq!(shown(&"x".repeat(100)), format!("{}…", "x".repeat(64)));
    }
}
