//! One deadline for all waits of one end.
//!
//! A handler that ends is finished, perhaps more than once, and dropped. A queue that does not get done would be waited for
//! each time.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use super::core::Core;

thread_local! {
    /// While something ends on this thread: how long each queue was waited for.
    static WAITED: RefCell<Option<Vec<(*const Core, Duration)>>> = const { RefCell::new(None) };
}

/// Something ends on this thread, until this is dropped.
#[derive(Debug)]
pub(crate) struct Ending {
    /// It is no part of another end.
    is_outermost: bool,
}

impl Ending {
    pub(crate) fn begin() -> Self {
        let begin = |waited: &RefCell<Option<_>>| {
            let mut waited = waited.borrow_mut();
            let is_outermost = waited.is_none();
            waited.get_or_insert_with(Vec::new);
            is_outermost
        };
        Self { is_outermost: WAITED.try_with(begin).unwrap_or_default() }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.is_outermost {
            WAITED.try_with(|waited| *waited.borrow_mut() = None).unwrap_or_default();
        }
    }
}

/// What one that has nothing to do any more needs to say so.
const GRACE: Duration = Duration::from_millis(100);

/// Waits for a queue: for what is left of its [`drain`](super::QueueBuilder::drain) deadline.
pub(super) fn wait_for<R>(core: &Arc<Core>, wait: impl FnOnce(Duration) -> R) -> R {
    let this = Arc::as_ptr(core);
    let of_this = |waited: &RefCell<Option<Vec<(*const Core, Duration)>>>| {
        let waited = waited.borrow();
        waited.iter().flatten().filter(|(other, _)| *other == this).map(|(_, time)| *time).sum()
    };
    let before: Duration = WAITED.try_with(of_this).unwrap_or_default();
    let began = Instant::now();
    let result = wait(core.drain.saturating_sub(before).max(GRACE.min(core.drain)));
    let add = |waited: &RefCell<Option<Vec<_>>>| {
        if let Some(waited) = &mut *waited.borrow_mut() {
            waited.push((this, began.elapsed()));
        }
    };
    WAITED.try_with(add).unwrap_or_default();
    result
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Error, Handler, Outcome, Queue, Record, output::Null};

    const DRAIN: Duration = Duration::from_millis(200);

    fn core() -> Queue {
        Queue::builder().drain(DRAIN).own(Null).unwrap()
    }

    /// How long it could be waited for; it takes all of that.
    fn wait(queue: &Queue) -> Duration {
        wait_for(&queue.core, |left| {
            std::thread::sleep(left);
            left
        })
    }

    #[test]
    fn a_queue_is_waited_for_once_in_one_end() {
        let (one, other) = (core(), core());
        assert_eq!((wait(&one), wait(&one)), (DRAIN, DRAIN), "nothing ends");
        let ending = Ending::begin();
        assert_eq!((wait(&one), wait(&one), wait(&one)), (DRAIN, GRACE, GRACE));
        let within = Ending::begin();
        assert_eq!((wait(&one), wait(&other), wait(&other)), (GRACE, DRAIN, GRACE));
        drop(within);
        assert_eq!(wait(&one), GRACE);
        drop(ending);
        assert_eq!(wait(&one), DRAIN);
    }

    /// A handler that hangs somewhere is finished, and then dropped, which is one end.
    #[test]
    fn a_handler_that_is_dropped_is_waited_for_once() {
        struct Behind(Queue, std::sync::mpsc::Sender<Duration>);

        impl Handler for Behind {
            fn handle(&self, _: &Record) -> Result<Outcome, Error> {
                Ok(Outcome::Written)
            }

            fn finish(&self) -> Result<(), Error> {
                self.1.send(wait(&self.0)).map_err(Error::new)
            }
        }

        impl Drop for Behind {
            fn drop(&mut self) {
                self.1.send(wait(&self.0)).unwrap();
            }
        }

        let (sender, waited) = std::sync::mpsc::channel();
        drop(Behind(core(), sender).shared("ends"));
        assert_eq!(waited.iter().collect::<Vec<_>>(), [DRAIN, GRACE]);
    }
}
