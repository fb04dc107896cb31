//! What happens to a record that finds no room.

use std::time::Duration;

/// What a full queue does with one more record.
///
/// Records of a [protected](crate::handler::queue::QueueBuilder::priority_level) severity (ERROR and above) are never given up while others are
/// there to be: under both `Drop*` policies a protected record takes the place of an unprotected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The caller waits for room; nothing is lost to speed (the default).
    Block {
        /// How long it waits at most; then the record is lost. `None`: as long as it takes.
        deadline: Option<Duration>,
    },
    /// The record that comes is lost. Never waits.
    DropNewest,
    /// The record that has waited longest is lost. Never waits.
    DropOldest,
}

impl Overflow {
    /// Waits without a deadline.
    pub const BLOCK: Self = Self::Block { deadline: None };

    /// Waits so long at most.
    pub const fn block_for(deadline: Duration) -> Self {
        Self::Block { deadline: Some(deadline) }
    }
}

/// Without a deadline: nothing is lost.
impl Default for Overflow {
    fn default() -> Self {
        Self::BLOCK
    }
}
