//! Running user code (`Debug`, `Display`, `source`) so that nothing it does hurts: it may panic, log, or never end.

use std::{
    cell::Cell,
    error::Error as StdError,
    fmt::{self, Write as _},
};

use crate::unwind::{PanicPayload, catch};

/// Default bound on what one value may take, in bytes.
pub(crate) const VALUE_LIMIT: usize = 64 * 1024;
/// How often a value may go on writing after it was told that there is no room, before it is unwound: far more often than
/// any that ends, and over in milliseconds. (Unwinding may poison what the value has locked.)
#[cfg(panic = "unwind")]
const PATIENCE: u32 = 1_000_000;
/// How deeply values may log values that log values …
const MAX_NESTING: u32 = 4;

thread_local! {
    static NESTING: Cell<u32> = const { Cell::new(0) };
}

/// Marks a capture on this thread; `None` if values log values too deeply.
pub(crate) struct CaptureGuard;

impl CaptureGuard {
    #[inline]
    pub(crate) fn enter() -> Option<Self> {
        NESTING
            .try_with(|depth| {
                (depth.get() < MAX_NESTING).then(|| {
                    depth.set(depth.get() + 1);
                    Self
                })
            })
            // The thread is ending: nothing can nest any more.
            .unwrap_or_else(|_| Some(Self))
    }
}

/// Whether this thread captures an event or a span, or is silenced.
pub(crate) fn is_capturing() -> bool {
    NESTING.try_with(Cell::get).unwrap_or_default() > 0
}

/// For threads of ours: no event or span that is born here is captured any more (each is counted as dropped), so that
/// handlers never feed each other.
pub(crate) fn silence_this_thread() {
    // Never undone: such a thread does nothing else.
    NESTING.try_with(|depth| depth.set(MAX_NESTING)).unwrap_or_default();
}

/// The same for a while.
pub(crate) fn silenced<R>(work: impl FnOnce() -> R) -> R {
    struct Back(u32);

    impl Drop for Back {
        fn drop(&mut self) {
            NESTING.try_with(|depth| depth.set(self.0)).unwrap_or_default();
        }
    }

    let _back = Back(NESTING.try_with(|depth| depth.replace(MAX_NESTING)).unwrap_or_default());
    work()
}

impl Drop for CaptureGuard {
    #[inline]
    fn drop(&mut self) {
        // Fails only where `enter` could not count either.
        NESTING.try_with(|depth| depth.set(depth.get().saturating_sub(1))).unwrap_or_default();
    }
}

#[cfg(panic = "unwind")]
/// Unwinds a value that does not stop. Not a panic: no hook runs and nothing is printed.
struct Endless;

struct Limited<'a> {
    out: &'a mut String,
    /// How much may still come; 0 after a refusal, whatever was left.
    room: usize,
    refused: u32,
}

impl fmt::Write for Limited<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some(room) = self.room.checked_sub(text.len()) else { return self.refuse(text) };
        match text.as_bytes() {
            // Half of what `fmt` writes is one character of punctuation. Where nothing has to grow, no call is made.
            [byte @ ..0x80] if self.out.len() < self.out.capacity() => {
                self.out.push(char::from(*byte));
                self.room = room;
                Ok(())
            }
            _ => self.several(text),
        }
    }
}

impl Limited<'_> {
    #[inline(never)]
    fn several(&mut self, text: &str) -> fmt::Result {
        self.room -= text.len();
        self.out.push_str(text);
        Ok(())
    }

    #[cold]
    fn refuse(&mut self, text: &str) -> fmt::Result {
        if self.refused == 0 {
            self.out.push_str(&text[..text.floor_char_boundary(self.room)]);
            self.room = 0;
        }
        self.refused = self.refused.saturating_add(1);
        // Where a panic aborts, nothing can stop a value that never ends; one that ends is only slow.
        #[cfg(panic = "unwind")]
        if self.refused > PATIENCE {
            std::panic::resume_unwind(Box::new(Endless));
        }
        Err(fmt::Error)
    }
}

/// Renders a value. False if it had to be marked: `…[cut]` at the limit, `<panicked: why>`, `<error>` where its own
/// `fmt` failed.
#[inline]
pub(crate) fn write(out: &mut String, value: fmt::Arguments<'_>, limit: usize) -> bool {
    if let Some(text) = value.as_str()
        && text.len() <= limit
    {
        out.push_str(text);
        return true;
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

/// `source()` of a stranger's error; a panic there ends the chain.
pub(super) fn source<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    catch(|| error.source()).unwrap_or(None)
}

/// The names of the standard library's errors; a `dyn Error` does not tell its own type.
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
