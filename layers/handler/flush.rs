//! What a flush does.

/// What [`Handler::flush`](super::Handler::flush) is to do. A wrapper passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    pub(super) kind: Kind,
    /// Whether it may wait for other threads.
    pub(super) waits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Earlier records are handled before what is done next.
    Barrier,
    Plain,
    /// Logging may end.
    Last,
    /// The handler is dropped after it.
    End,
}

impl Flush {
    /// Writes what is buffered.
    pub const PLAIN: Self = Self::of(Kind::Plain);
    /// The flush of [`flush_all`](crate::flush_all): logging may end here, or go on.
    pub const LAST: Self = Self::of(Kind::Last);
    /// Handles earlier records before later ones; buffers may stay full.
    pub(crate) const BARRIER: Self = Self::of(Kind::Barrier);
    pub(crate) const END: Self = Self::of(Kind::End);

    const fn of(kind: Kind) -> Self {
        Self { kind, waits: true }
    }

    /// Whether logging may end with it. A handler that would rather discard its buffer does so then.
    pub fn is_last(self) -> bool {
        self.kind >= Kind::Last
    }

    /// Whether it only keeps the order of records: buffers may stay full.
    pub fn is_barrier(self) -> bool {
        self.kind == Kind::Barrier
    }

    /// The same, without waiting for other threads.
    pub(super) fn without_waiting(self) -> Self {
        Self { waits: false, ..self }
    }

    /// Whether it may wait for other threads.
    pub(crate) fn waits(self) -> bool {
        self.waits
    }

    /// Its verb in errors.
    pub(super) fn verb(self) -> &'static str {
        if self.is_last() { "finish" } else { "flush" }
    }
}

impl Default for Flush {
    fn default() -> Self {
        Self::PLAIN
    }
}
