//! Runs user code (`Debug`, `Display`, `source`) safely: it may panic, log, or never end.

use std::{
    cell::Cell,
    error::Error as StdError,
    fmt::{self, Write as _},
};

use crate::{
    text::head,
    unwind::{PanicPayload, catch},
};

/// Default limit of one value, in bytes.
pub(crate) const VALUE_LIMIT: usize = 64 * 1024;
/// How often a value may write past the limit before it is unwound: more often than any value that ends ever does, and
/// reached within milliseconds. (Unwinding may poison a lock that the value holds.)
#[cfg(panic = "unwind")]
const MAX_REFUSALS: u32 = 1_000_000;
/// How deeply values may log values that log values …
const MAX_DEPTH: u32 = 4;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A capture in progress on this thread.
pub(crate) struct CaptureGuard;

impl CaptureGuard {
    /// `None` if values log values too deeply, or the thread is silenced.
    #[inline]
    pub(crate) fn enter() -> Option<Self> {
        DEPTH
            .try_with(|depth| {
                (depth.get() < MAX_DEPTH).then(|| {
                    depth.set(depth.get() + 1);
                    Self
                })
            })
            // The thread is ending: nesting is no longer counted.
            .unwrap_or_else(|_| Some(Self))
    }
}

/// Whether this thread captures an event or a span, or is silenced.
pub(crate) fn is_capturing() -> bool {
    DEPTH.try_with(Cell::get).unwrap_or_default() > 0
}

/// For the crate's own threads: events and spans from here are no longer captured (each counts as dropped), so that handlers
/// never feed each other.
pub(crate) fn silence_this_thread() {
    // Never undone: such a thread has no other work.
    DEPTH.try_with(|depth| depth.set(MAX_DEPTH)).unwrap_or_default();
}

/// Silences this thread for the duration of a call.
pub(crate) fn silenced<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(u32);

    impl Drop for Restore {
        fn drop(&mut self) {
            DEPTH.try_with(|depth| depth.set(self.0)).unwrap_or_default();
        }
    }

    let _restore = Restore(DEPTH.try_with(|depth| depth.replace(MAX_DEPTH)).unwrap_or_default());
    work()
}

impl Drop for CaptureGuard {
    #[inline]
    fn drop(&mut self) {
        // Fails only where `enter` did not count either.
        DEPTH.try_with(|depth| depth.set(depth.get().saturating_sub(1))).unwrap_or_default();
    }
}

/// Unwinds a value that does not stop writing. Not a panic: no hook runs and nothing is printed.
#[cfg(panic = "unwind")]
struct Endless;

struct Limited<'a> {
    out: &'a mut String,
    /// How many bytes may follow; 0 after a refusal.
    room: usize,
    refused: u32,
}

impl fmt::Write for Limited<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some(room) = self.room.checked_sub(text.len()) else { return self.refuse(text) };
        match text.as_bytes() {
            // Half of what `fmt` writes is single punctuation characters: no call for them while the buffer has room.
            [byte @ ..0x80] if self.out.len() < self.out.capacity() => {
                self.out.push(char::from(*byte));
                self.room = room;
                Ok(())
            }
            _ => self.push(text),
        }
    }
}

impl Limited<'_> {
    #[inline(never)]
    fn push(&mut self, text: &str) -> fmt::Result {
        self.room -= text.len();
        self.out.push_str(text);
        Ok(())
    }

    #[cold]
    fn refuse(&mut self, text: &str) -> fmt::Result {
        if self.refused == 0 {
            self.out.push_str(head(text, self.room));
            self.room = 0;
        }
        self.refused = self.refused.saturating_add(1);
        // With `panic = "abort"` nothing can stop a value that never ends; one that ends is only slow.
        #[cfg(panic = "unwind")]
        if self.refused > MAX_REFUSALS {
            std::panic::resume_unwind(Box::new(Endless));
        }
        Err(fmt::Error)
    }
}

/// Renders a value. False if it needed a marker: `…[cut]` at the limit, `<panicked: why>`, or `<error>` if its `fmt`
/// failed.
#[inline]
pub(crate) fn write(out: &mut String, value: fmt::Arguments<'_>, limit: usize) -> bool {
    if let Some(text) = value.as_str() {
        if text.len() <= limit {
            out.push_str(text);
            return true;
        }
    }
    let mut limited = Limited { out, room: limit, refused: 0 };
    let result = catch(|| limited.write_fmt(value));
    let refused = limited.refused;
    match result {
        Ok(Ok(())) if refused == 0 => true,
        other => {
            mark(out, other, refused);
            false
        }
    }
}

#[cold]
fn mark(out: &mut String, result: Result<fmt::Result, PanicPayload>, refused: u32) {
    match result {
        _ if refused > 0 => mark_truncated(out, None),
        Ok(_) => out.push_str("<error>"),
        Err(panic) => {
            out.push_str("<panicked: ");
            out.push_str(panic.message());
            out.push('>');
        }
    }
}

/// `…[cut]`, or `…[N bytes cut]` where the number is known.
#[cold]
pub(crate) fn mark_truncated(out: &mut String, missing: Option<usize>) {
    match missing {
        Some(bytes) => {
            out.push_str("…[");
            out.push_str(itoa::Buffer::new().format(bytes));
            out.push_str(" bytes cut]");
        }
        None => out.push_str("…[cut]"),
    }
}

/// `source()` of a user's error; a panic there ends the chain.
pub(super) fn source<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    catch(|| error.source()).unwrap_or(None)
}

/// The type name of an error of the standard library; a `dyn Error` does not know its type.
pub(super) fn known_type(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    macro_rules! known {
        ($($kind:ty),* $(,)?) => {
            $(if error.is::<$kind>() { return Some(stringify!($kind)); })*
        };
    }
    known!(
        std::io::Error,
        std::fmt::Error,
        std::num::ParseIntError,
        std::num::ParseFloatError,
        std::num::TryFromIntError,
        std::str::Utf8Error,
        std::str::ParseBoolError,
        std::string::FromUtf8Error,
        std::char::ParseCharError,
        std::env::VarError,
        std::net::AddrParseError,
        std::time::SystemTimeError,
        std::sync::mpsc::RecvError,
        std::sync::mpsc::RecvTimeoutError,
    );
    error.is::<crate::Error>().then_some("tracing_strata::Error")
}
