//! Hashes of names from outside. Stable over versions and machines, since they are part of stored state.

use siphasher::sip::SipHasher13;

/// FNV-1a, 64 bits; decides which singletons survive a halving (DETECTION.md, section 1.1).
#[must_use]
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Bit 0 of [`fnv1a64`] by itself: the multiplier is odd, so the lowest bit is the parity of the bytes' lowest bits and the offset's.
#[must_use]
pub fn fnv1a64_parity(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let eight = words.iter().fold(0, |parity, word| parity ^ u64::from_le_bytes(*word));
    let four = eight ^ eight >> 32;
    let two = four ^ four >> 16;
    rest.iter().fold(1 ^ two ^ two >> 8, |parity, &byte| parity ^ u64::from(byte)) & 1
}

/// A keyed 64-bit hash of a hostile string: under a keyed `SipHash` nobody can choose a new value that collides with a known one. Names
/// are short and come whole: what keeps a hasher ready for more would cost as much as the hash.
#[must_use]
pub fn keyed(bytes: &[u8], key: u64) -> u64 {
    SipHasher13::new_with_keys(key, 0x6761_6974_6b65_6570).hash(bytes)
}

/// [`keyed`], with the lowest bit replaced by that of [`fnv1a64`], so that a count node can halve without the text.
#[must_use]
pub fn value(bytes: &[u8], key: u64) -> u64 {
    (keyed(bytes, key) & !1) | fnv1a64_parity(bytes)
}

#[cfg(test)]
mod tests {
    use super::{fnv1a64, fnv1a64_parity, value};

    #[test]
    fn the_parity_of_every_length_is_that_of_the_whole_hash() {
        let bytes: Vec<u8> = (0..80_u8).map(|number| number.wrapping_mul(167).wrapping_add(3)).collect();
        for begin in 0..8 {
            for end in begin..bytes.len() {
                let text = &bytes[begin..end];
                assert_eq!(fnv1a64_parity(text), fnv1a64(text) & 1, "{text:?}");
            }
        }
    }

    #[test]
    fn the_parity_is_bit_0_of_the_whole_hash() {
        for text in ["", "big", "odd", "s1", "s2", "s3", "zürich", "send_mail"] {
            assert_eq!(fnv1a64_parity(text.as_bytes()), fnv1a64(text.as_bytes()) & 1, "{text}");
            assert_eq!(value(text.as_bytes(), 7) & 1, fnv1a64(text.as_bytes()) & 1, "{text}");
        }
    }

    #[test]
    fn fnv_agrees_with_its_published_values() {
        assert_eq!(fnv1a64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a64(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn another_key_gives_another_hash() {
        assert_ne!(value(b"bank-1", 1), value(b"bank-1", 2));
    }
}
