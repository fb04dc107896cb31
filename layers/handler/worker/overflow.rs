//! What a full queue does.

use std::time::Duration;

/// What a full queue does with one more record.
///
/// Records of the [priority level](crate::handler::queue::QueueBuilder::priority_level) (ERROR) and above are never
/// dropped while there are others: under both `Drop*` policies they take the place of a lower record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The caller waits for space, so a slow handler loses nothing (the default).
    Block {
        /// How long it waits at most; then the record is dropped. `None`: as long as it takes.
        deadline: Option<Duration>,
    },
    /// The new record is dropped. Never waits.
    DropNewest,
    /// The record that has waited longest is dropped. Never waits.
    DropOldest,
}

impl Overflow {
    /// Waits without a deadline.
    pub const BLOCK: Self = Self::Block { deadline: None };

    /// Waits for `deadline` at most.
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
