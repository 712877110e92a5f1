//! Hashes of names from outside. Stable over versions and machines, since they are part of stored state.

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

/// A keyed 64-bit hash of a hostile string, `SipHash-1-3`: nobody can choose a new value that collides with a known one. Written out,
/// since names are short and come whole: what keeps a hasher ready for more would cost as much as the hash.
#[must_use]
pub fn keyed(bytes: &[u8], key: u64) -> u64 {
    let mut state = Sip {
        v0: key ^ 0x736f_6d65_7073_6575,
        v1: SECOND_KEY ^ 0x646f_7261_6e64_6f6d,
        v2: key ^ 0x6c79_6765_6e65_7261,
        v3: SECOND_KEY ^ 0x7465_6462_7974_6573,
    };
    let (words, rest) = bytes.as_chunks();
    for word in words {
        state.take(u64::from_le_bytes(*word));
    }
    let last = match words.last() {
        // The last eight bytes, without those that were taken already.
        Some(_) if !rest.is_empty() => bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last)) >> (64 - 8 * rest.len()),
        Some(_) => 0,
        None => rest.iter().rev().fold(0, |last, &byte| last << 8 | u64::from(byte)),
    };
    state.take((bytes.len() as u64) << 56 | last);
    state.v2 ^= 0xff;
    state.round();
    state.round();
    state.round();
    state.v0 ^ state.v1 ^ state.v2 ^ state.v3
}

/// Beside the caller's key.
const SECOND_KEY: u64 = 0x6761_6974_6b65_6570;

struct Sip {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl Sip {
    fn take(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }

    fn round(&mut self) {
        let Self { v0, v1, v2, v3 } = self;
        *v0 = v0.wrapping_add(*v1);
        *v2 = v2.wrapping_add(*v3);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v1);
        *v0 = v0.wrapping_add(*v3);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.rotate_left(32);
    }
}

/// [`keyed`], with the lowest bit replaced by that of [`fnv1a64`], so that a count node can halve without the text.
#[must_use]
pub fn value(bytes: &[u8], key: u64) -> u64 {
    (keyed(bytes, key) & !1) | fnv1a64_parity(bytes)
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use siphasher::sip::SipHasher13;

    use super::{SECOND_KEY, fnv1a64, fnv1a64_parity, keyed, value};

    #[test]
    fn the_keyed_hash_is_siphash_1_3_and_the_parity_that_of_fnv() {
        let bytes: Vec<u8> = (0..80_u8).map(|number| number.wrapping_mul(167).wrapping_add(3)).collect();
        for begin in 0..8 {
            for end in begin..bytes.len() {
                let text = &bytes[begin..end];
                let mut hasher = SipHasher13::new_with_keys(end as u64, SECOND_KEY);
                hasher.write(text);
                assert_eq!(keyed(text, end as u64), hasher.finish(), "{text:?}");
                assert_eq!(fnv1a64_parity(text), fnv1a64(text) & 1, "{text:?}");
            }
        }
        let long = vec![7; 1_000];
        let mut hasher = SipHasher13::new_with_keys(1, SECOND_KEY);
        hasher.write(&long);
        assert_eq!(keyed(&long, 1), hasher.finish(), "the length counts in one byte");
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
