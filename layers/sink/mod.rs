//! Bytes → a place.

use std::{io, sync::Arc};

use crate::trap::Ledger;

/// Takes finished lines. Object-safe; called from many threads at once.
///
/// Anything that is [`io::Write`] or a `MakeWriter` is made one by [`Stream::writer`](crate::output::Stream::writer) and
/// [`Stream::make_writer`](crate::output::Stream::make_writer).
pub trait Sink: Send + Sync + 'static {
    /// Writes one record, whole, or fails.
    fn write(&self, bytes: &[u8]) -> io::Result<Written>;

    /// Brings what is held back to its place.
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether a person is likely to read it right away (colour is for terminals only).
    fn is_terminal(&self) -> bool {
        false
    }

    /// The ledger of the handler that writes here, once it hangs somewhere: for sinks that hold records back.
    fn attach(&self, ledger: &Arc<Ledger>) {
        let _ = ledger;
    }
}

/// What became of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// They are at their place.
    Through,
    /// They are held back; the sink has told its [`Ledger`] with [`Ledger::queue`] and settles them there.
    Held,
}

/// Writes a line to stderr, whatever becomes of it: the last resort for reports, which must never fail or recurse.
pub(crate) fn stderr_line(line: &str) {
    use io::Write as _;
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    io::stderr().write_all(&bytes).unwrap_or_default();
}
