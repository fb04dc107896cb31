//! Panics of somebody else's code, caught so that nothing of them is left that could panic again.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What somebody panicked with. It may be of any type, also of one that panics in its turn when it is dropped.
pub(crate) struct PanicPayload(Option<Box<dyn Any + Send>>);

/// Runs somebody else's code. This, and not `catch_unwind`, wherever there is such code.
#[inline]
pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, PanicPayload> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| PanicPayload(Some(payload)))
}

impl PanicPayload {
    /// What was said, at most 200 bytes of it.
    pub(crate) fn message(&self) -> &str {
        let payload = self.0.as_deref();
        let text = payload
            .and_then(|payload| payload.downcast_ref::<&'static str>().copied())
            .or_else(|| payload?.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("not a text");
        &text[..text.floor_char_boundary(200)]
    }
}

impl Drop for PanicPayload {
    fn drop(&mut self) {
        if let Some(payload) = self.0.take()
            && let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
        {
            // It might go on for ever.
            mem::forget(again);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::panic::{panic_any, resume_unwind};

    use super::*;

    #[test]
    fn what_was_said_is_known() {
        assert_eq!(catch(|| 7).ok(), Some(7));
        assert_eq!(catch(|| panic!("a text")).unwrap_err().message(), "a text");
        assert_eq!(catch(|| panic!("a {}", "longer one")).unwrap_err().message(), "a longer one");
        assert_eq!(catch(|| panic_any(7)).unwrap_err().message(), "not a text");
        assert_eq!(catch(|| panic_any("é".repeat(300))).unwrap_err().message(), "é".repeat(100));
    }

    #[test]
    fn what_panics_when_it_is_dropped_does_so_in_vain() {
        /// Again and again.
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                resume_unwind(Box::new(Self));
            }
        }
        let caught = catch(|| resume_unwind(Box::new(Bomb)));
        assert_eq!(caught.as_ref().err().map(PanicPayload::message), Some("not a text"));
        drop(caught);
        // Also while something else is unwound.
        let outer = catch(|| {
            let _caught = catch(|| resume_unwind(Box::new(Bomb)));
            panic!("outer");
        });
        assert_eq!(outer.err().map(|outer| outer.message().to_owned()).as_deref(), Some("outer"));
    }
}
