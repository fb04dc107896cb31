//! What a flush asks for.

/// What [`Handler::flush`](super::Handler::flush) is asked for. A wrapper passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    pub(super) kind: Kind,
    /// Whether it may wait for what other threads do.
    pub(super) waits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Records that were given before come before what is done next.
    Barrier,
    Plain,
    /// Logging ends, perhaps.
    Last,
    /// The handler is dropped after it.
    End,
}

impl Flush {
    /// Brings what is held back to its place.
    pub const PLAIN: Self = Self::of(Kind::Plain);
    /// What [`flush_all`](crate::flush_all) asks for: logging may end here, or go on.
    pub const LAST: Self = Self::of(Kind::Last);
    /// Records that were given before are handled before what comes after; buffers may stay full.
    pub(crate) const BARRIER: Self = Self::of(Kind::Barrier);
    pub(crate) const END: Self = Self::of(Kind::End);

    const fn of(kind: Kind) -> Self {
        Self { kind, waits: true }
    }

    /// Whether logging may end with it: a handler that rather gives up what it holds back does so then.
    pub fn is_last(self) -> bool {
        self.kind >= Kind::Last
    }

    /// Whether it only asks for the order of records: what is in a buffer may stay there.
    pub fn is_barrier(self) -> bool {
        self.kind == Kind::Barrier
    }

    /// The same on this thread alone, which waits for no other.
    pub(super) fn without_waiting(self) -> Self {
        Self { waits: false, ..self }
    }

    /// What is said to do when it fails.
    pub(super) fn verb(self) -> &'static str {
        if self.is_last() { "finish" } else { "flush" }
    }
}

impl Default for Flush {
    fn default() -> Self {
        Self::PLAIN
    }
}
