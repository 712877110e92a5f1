//! The state of shards in the compacted state topic: an epoch now and then, a checkpoint with every commit.
//!
//! The state of the moment at which an epoch began, input offset S, is written over the following commits. A part goes to the slot
//! that does *not* hold the part of the newest complete epoch, so an epoch that is never completed overwrites nothing that counts,
//! not even under compaction. The epoch's own record comes last and makes it valid. What came between S and the checkpoint is read
//! from the input once more.

pub mod commands;
pub mod epochs;
pub mod form;
pub mod packing;
pub mod reader;
pub mod stored;

pub use commands::Commands;
pub use epochs::Epochs;
pub use reader::StateReader;
pub use stored::Stored;
