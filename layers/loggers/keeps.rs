//! Whether any handler keeps records, which is asked for each record.

use std::sync::atomic::{AtomicU64, Ordering};

/// The answer, as long as it holds: the lowest two bits, below a number that changes with the handlers.
#[derive(Debug, Default)]
pub(super) struct Keeps(AtomicU64);

const ANSWER: u64 = 0b11;
const NO: u64 = 0b01;
const YES: u64 = 0b10;

impl Keeps {
    /// The handlers change. To be called while the tree is locked for writing.
    pub(super) fn forget(&self) {
        let state = self.0.load(Ordering::Relaxed);
        // Only answers come in between, and they are not wanted any more.
        self.0.store((state | ANSWER).wrapping_add(1), Ordering::Release);
    }

    /// The answer; `ask` has to find it out after a change, and is not called under a lock.
    #[inline]
    pub(super) fn or_ask(&self, ask: impl FnOnce() -> bool) -> bool {
        let state = self.0.load(Ordering::Acquire);
        match state & ANSWER {
            YES => true,
            NO => false,
            _ => {
                let keeps = ask();
                let answer = state | if keeps { YES } else { NO };
                // Where the handlers have changed meanwhile, the next one asks again.
                self.0.compare_exchange(state, answer, Ordering::AcqRel, Ordering::Relaxed).unwrap_or_default();
                keeps
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_until_the_handlers_change() {
        let keeps = Keeps::default();
        for answer in [true, false, false, true] {
            assert_eq!(keeps.or_ask(|| answer), answer);
            assert_eq!(keeps.or_ask(|| !answer), answer);
            keeps.forget();
        }
    }

    #[test]
    fn an_answer_that_is_out_of_date_is_not_kept() {
        let keeps = Keeps::default();
        let late = keeps.or_ask(|| {
            keeps.forget();
            true
        });
        assert!(late);
        assert!(!keeps.or_ask(|| false));
    }
}
