//! One shard from outside: sessions, what renaming and shifting must not change, and bounds under hostile streams.

mod away;
mod bounds;
mod campaigns;
mod cold_start;
mod context;
mod declared;
mod eviction;
mod feedback;
mod interleavings;
mod invariance;
mod pools;
mod sessions;
mod shard;
mod snapshot;
