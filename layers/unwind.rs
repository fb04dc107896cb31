//! Catches panics of user code, so that nothing is left that could panic again.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{Error, text::head};

/// What a panic carries. It may be of any type, even one that panics when it is dropped.
pub(crate) struct PanicPayload(Option<Box<dyn Any + Send>>);

/// Runs user code. Use this, not `catch_unwind`.
#[inline]
pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, PanicPayload> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| PanicPayload(Some(payload)))
}

/// The error of a handler that panicked in the method `method`.
pub(crate) fn panicked(method: &str, panic: &PanicPayload) -> Error {
    Error::panicked(format_args!("panicked in {method}(): {}", panic.message()))
}

impl PanicPayload {
    /// Its text, at most 200 bytes.
    pub(crate) fn message(&self) -> &str {
        let text = self.0.as_deref().and_then(text).unwrap_or("not a text");
        head(text, 200)
    }
}

/// What a panic says, if it is a text.
pub(crate) fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

impl Drop for PanicPayload {
    fn drop(&mut self) {
        if let Some(payload) = self.0.take() {
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                // Dropping it might panic for ever.
                mem::forget(again);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::panic::{panic_any, resume_unwind};

    use super::*;

    #[test]
    fn the_message_is_known() {
        assert_eq!(catch(|| 7).ok(), Some(7));
        assert_eq!(catch(|| panic!("a text")).unwrap_err().message(), "a text");
        assert_eq!(catch(|| panic!("a {}", "longer one")).unwrap_err().message(), "a longer one");
        assert_eq!(catch(|| panic_any(7)).unwrap_err().message(), "not a text");
        assert_eq!(catch(|| panic_any("é".repeat(300))).unwrap_err().message(), "é".repeat(100));
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_forgotten() {
        /// Again and again.
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                resume_unwind(Box::new(Self));
            }
        }
        let payload = catch(|| resume_unwind(Box::new(Bomb)));
        assert_eq!(payload.as_ref().err().map(PanicPayload::message), Some("not a text"));
        drop(payload);
        // Also while something else is unwound.
        let outer = catch(|| {
            let _payload = catch(|| resume_unwind(Box::new(Bomb)));
            panic!("outer");
        });
        assert_eq!(outer.err().map(|outer| outer.message().to_owned()).as_deref(), Some("outer"));
    }
}
