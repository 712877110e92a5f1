//! Ids of findings and requests: hashes of what they are about, so that a repeat of the stream gives the same ids.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// 128 bits in hex over `parts`; each part's length goes in too, so that no two lists read alike.
#[must_use]
pub fn of(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    HEXLOWER.encode(&hasher.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_border_between_parts_counts() {
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_eq!(of(&["ab", "c"]).len(), 32);
    }
}
