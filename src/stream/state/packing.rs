//! Parts compressed and cut into pieces that fit a record, and put together again.
//!
//! A part is a few kilobytes and a snapshot has thousands: the working memory of the compressor, which is larger than most parts, is
//! kept from one to the next.

use std::fmt;

use zstd::bulk::{Compressor, Decompressor};

use super::form::FormError;

/// Largest piece of a part in one record, bytes; brokers take a megabyte by default.
const PIECE_BYTES: usize = 512 << 10;
/// Fast rather than small: a snapshot is read once at most.
const LEVEL: i32 = 1;

/// Compresses parts.
pub struct Packer(Compressor<'static>);

/// Undoes what a [`Packer`] did.
pub struct Unpacker(Decompressor<'static>);

impl Packer {
    /// With its working memory.
    ///
    /// # Panics
    /// Without memory.
    #[must_use]
    pub fn new() -> Self {
        Self(Compressor::new(LEVEL).expect("there is memory for a compressor"))
    }

    /// A part compressed.
    ///
    /// # Panics
    /// Without memory for a copy.
    pub fn pack(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.compress(bytes).expect("there is memory for a copy")
    }
}

impl Default for Packer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Unpacker {
    /// With its working memory.
    ///
    /// # Panics
    /// Without memory.
    #[must_use]
    pub fn new() -> Self {
        Self(Decompressor::new().expect("there is memory for a decompressor"))
    }

    /// The part whose pieces, one behind the other, are `packed`; `key` is the key of its first record.
    ///
    /// # Errors
    /// When the pieces are not those of one part.
    pub fn unpack(&mut self, key: &str, packed: &[u8]) -> Result<Vec<u8>, FormError> {
        let unreadable = |cause: String| FormError::Unreadable { key: key.to_owned(), cause };
        let size = Decompressor::upper_bound(packed).ok_or_else(|| unreadable("it does not say how large it is".into()))?;
        self.0.decompress(packed, size).map_err(|error| unreadable(error.to_string()))
    }
}

impl Default for Unpacker {
    fn default() -> Self {
        Self::new()
    }
}

/// What goes into each record of a compressed part.
pub fn pieces(packed: &[u8]) -> impl Iterator<Item = &[u8]> {
    packed.chunks(PIECE_BYTES)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{PIECE_BYTES, Packer, Unpacker, pieces};

    #[test]
    fn parts_of_any_size_come_back_whole_and_one_after_the_other() {
        let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
        // Bytes that no compressor makes smaller, so that the last part takes several records.
        let mut noise = vec![0; 3 * PIECE_BYTES];
        ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut noise);
        for (part, records) in [(&b""[..], 1), (b"one", 1), (&[7; 10_000], 1), (&noise, 4)] {
            let compressed = packer.pack(part);
            assert_eq!(pieces(&compressed).count(), records);
            assert_eq!(unpacker.unpack("k", &pieces(&compressed).collect::<Vec<_>>().concat()).expect("whole"), part);
        }
    }

    #[test]
    fn what_is_not_a_whole_part_is_refused_with_its_key() {
        let compressed = Packer::new().pack(&[7; 1_000]);
        for broken in [&compressed[..compressed.len() - 1], b"no frame"] {
            let error = Unpacker::new().unpack("a/agent-1.0.0", broken).expect_err("not whole");
            assert!(error.to_string().starts_with("record a/agent-1.0.0 cannot be read: "), "{error}");
        }
    }
}
