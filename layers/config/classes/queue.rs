//! `logging.handlers.QueueHandler`, with its listener.

use std::{
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    Delivery, Error, Flush, Format, Handler, Outcome, Queue, Record, Tee,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::{Control, Output},
        handler_args::{HandlerArgs, SetIfSome as _},
        node::Data,
    },
    fork::ForkMutex,
    format::Buffer,
    handler::queue::{Overflow, QueueBuilder, WorkerGuard},
};

pub(super) const QUEUE: Class = Class {
    names: &["logging.handlers.QueueHandler", "handlers.QueueHandler", "queue"],
    keys: &["queue", "handlers", "respect_handler_level", "listener"],
    targets_key: Some("handlers"),
    make,
    ..DEFAULTS
};

fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let args = context.args;
    let respect_level = args.bool("respect_handler_level").unwrap_or(!context.as_python);
    let names = args.texts("handlers").unwrap_or_default();
    if names.is_empty() && !args.has("handlers") && !context.as_python {
        let message = "expected the key \"handlers\", which QueueHandler needs: its listener starts by itself and hands on to them";
        args.report(args.missing("handlers", message));
    } else if names.is_empty() && args.has("handlers") {
        args.report(args.wrong("handlers", "expected at least one handler"));
    }
    let handlers: Tee = names.iter().filter_map(|name| context.target(name, respect_level)).collect();
    // Of Python's queue object and listener class, only the size means something here.
    let max_len = args.node("queue").and_then(|node| node.get("maxsize")).and_then(|node| match node.data {
        Data::Int(size) => usize::try_from(size).ok().filter(|size| *size > 0),
        _ => None,
    });
    if args.node("listener").is_some_and(|node| node.as_str().is_none_or(|name| !name.ends_with("QueueListener"))) {
        args.report(args.wrong("listener", "expected logging.handlers.QueueListener, the only one supported"));
    }
    let target = Arc::new(PausableTarget {
        handlers,
        state: ForkMutex::new(if context.as_python { ListenerState::NotStarted } else { ListenerState::Running }),
        pending: AtomicUsize::new(0),
    });
    let mut builder = Queue::builder().name(context.name);
    if context.as_python {
        // Never blocks: a full queue is an error. The limit in bytes stays.
        builder = builder.capacity(1 << 20).overflow(Overflow::DropNewest);
    } else {
        builder = builder.set_if_some(max_len, QueueBuilder::capacity);
    }
    let (queue, guard) = set_limits(builder, context.strata).build_stopped_with_guard(Arc::clone(&target))?;
    let queue = Arc::new(queue);
    let handler = PausableQueue {
        queue: Arc::clone(&queue),
        format: context.has_formatter.then(|| context.formatting.texts()),
        target: Arc::clone(&target),
        max_len: max_len.filter(|_| context.as_python),
    };
    Ok(Output::new(handler, ListenerControl { target, guard }).started_by(move || queue.start()))
}

/// Sets the limits of a queue.
pub(in crate::config) fn set_limits(mut builder: QueueBuilder, strata: &HandlerArgs<'_>) -> QueueBuilder {
    builder = builder
        .set_if_some(strata.size("capacity"), QueueBuilder::capacity)
        .set_if_some(strata.size("max_bytes"), QueueBuilder::max_bytes)
        .set_if_some(strata.level("priority_level"), QueueBuilder::priority_level)
        .set_if_some(strata.seconds("flush_timeout"), QueueBuilder::flush_timeout)
        .set_if_some(strata.seconds("report_every"), QueueBuilder::report_every);
    let policies =
        [("block", Overflow::BLOCK), ("drop_newest", Overflow::DropNewest), ("drop_oldest", Overflow::DropOldest)];
    let overflow = strata.choice("overflow", &policies);
    if let Some(deadline) = strata.seconds("block_for") {
        if overflow.is_some_and(|overflow| overflow != Overflow::BLOCK) {
            strata.report(strata.wrong("block_for", "expected no such key: only \"overflow: block\" waits"));
        }
        builder = builder.overflow(Overflow::block_for(deadline));
    } else if let Some(overflow) = overflow {
        builder = builder.overflow(overflow);
    }
    builder
}

/// A queue whose listener can be stopped.
struct PausableQueue {
    queue: Arc<Queue>,
    /// Replaces the message by the formatted record, as Python's `prepare`.
    format: Option<Box<dyn Format>>,
    target: Arc<PausableTarget>,
    /// Python's `maxsize`: a longer queue is an error.
    max_len: Option<usize>,
}

impl Handler for PausableQueue {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        if self.max_len.is_some_and(|max| self.target.pending.load(Ordering::Relaxed) >= max) {
            return Err(Error::new("the queue is full"));
        }
        self.target.pending.fetch_add(1, Ordering::Relaxed);
        let Some(format) = &self.format else { return self.queue.handle(delivery) };
        let mut text = Buffer::new();
        if let Err(error) = format.format(&delivery, &mut text) {
            self.target.pending.fetch_sub(1, Ordering::Relaxed);
            return Err(error);
        }
        let text = text.to_string();
        let mut prepared = Record::clone(&delivery);
        prepared.set_message(&text);
        prepared.set_stack("");
        let errors: Vec<String> = (prepared.fields().iter())
            .filter(|(_, value)| value.as_error().is_some())
            .map(|(name, _)| name.to_owned())
            .collect();
        errors.iter().for_each(|name| {
            prepared.fields_mut().remove(name);
        });
        delivery.with_record(prepared, &self.queue)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        // A stopped listener handles nothing.
        if self.target.is_running() { self.queue.flush(how) } else { Ok(()) }
    }
}

/// The handlers behind the queue. Blocks the worker thread while the listener is stopped.
struct PausableTarget {
    handlers: Tee,
    state: ForkMutex<ListenerState>,
    /// The number of records in the queue or here.
    pending: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ListenerState {
    NotStarted,
    Running,
    Stopped,
    /// Stopped for good.
    Closed,
}

impl PausableTarget {
    fn set(&self, state: ListenerState) {
        *self.lock() = state;
        self.state.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, ListenerState> {
        self.state.lock(|_| {}, || ListenerState::Running)
    }

    fn state(&self) -> ListenerState {
        *self.lock()
    }

    fn is_running(&self) -> bool {
        self.state() == ListenerState::Running
    }
}

impl Handler for PausableTarget {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let mut state = self.lock();
        while matches!(*state, ListenerState::NotStarted | ListenerState::Stopped) {
            let waits = |state: &mut ListenerState| matches!(state, ListenerState::NotStarted | ListenerState::Stopped);
            state = self.state.wait_while(state, WAIT, waits).0;
        }
        let is_running = *state == ListenerState::Running;
        drop(state);
        // Without handlers, Python's application empties the queue itself; here the records are dropped.
        let is_handled = is_running && !self.handlers.handlers().is_empty();
        let result = if is_handled { self.handlers.handle(delivery) } else { Ok(Outcome::Dropped) };
        self.pending.fetch_sub(1, Ordering::Relaxed);
        result
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.handlers.flush(how)
    }
}

struct ListenerControl {
    target: Arc<PausableTarget>,
    guard: WorkerGuard,
}

/// After this time the wait starts again.
const WAIT: Duration = Duration::from_secs(3_600);

/// How long stopping a listener waits for the queued records.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

impl Control for ListenerControl {
    fn listen(&self, on: bool) -> Option<Result<(), Error>> {
        if on {
            self.target.set(ListenerState::Running);
            return Some(Ok(()));
        }
        if !self.target.is_running() {
            return Some(Ok(()));
        }
        let flushed = self.guard.flush(STOP_TIMEOUT);
        self.target.set(ListenerState::Stopped);
        Some(flushed)
    }

    fn is_running(&self) -> Option<bool> {
        Some(self.target.is_running())
    }

    fn buffered(&self) -> Option<usize> {
        Some(self.target.pending.load(Ordering::Relaxed))
    }
}

impl Drop for ListenerControl {
    /// The records of a stopped listener are dropped, as in Python; otherwise the guard waits for them.
    fn drop(&mut self) {
        if !self.target.is_running() {
            self.target.set(ListenerState::Closed);
        }
    }
}
