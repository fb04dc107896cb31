//! `logging.handlers.QueueHandler`, with its listener.

use std::{
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{Class, Making, PLAIN};
use crate::{
    Delivery, Error, Flush, Format, Handler, Outcome, Queue, Record, Tee,
    config::{
        keywords::HandlerArgs,
        slot::{Control, Output},
    },
    fork::Heirloom,
    format::Buffer,
    handler::queue::Overflow,
};

pub(super) const QUEUE: Class = Class {
    names: &["logging.handlers.QueueHandler", "handlers.QueueHandler", "queue"],
    keys: &["queue", "handlers", "respect_handler_level", "listener"],
    refers: Some("handlers"),
    make,
    ..PLAIN
};

fn make(making: &Making<'_, '_>) -> Result<Output, Error> {
    let keywords = making.keywords;
    let with_level = keywords.bool("respect_handler_level").unwrap_or(!making.setup.as_python);
    let names = keywords.texts("handlers").unwrap_or_default();
    if names.is_empty() && !keywords.has("handlers") && !making.setup.as_python {
        let message = "expected the key \"handlers\", which QueueHandler needs: its listener starts by itself and hands on to them";
        keywords.note(keywords.missing("handlers", message));
    } else if names.is_empty() && keywords.has("handlers") {
        keywords.note(keywords.wrong("handlers", "expected at least one handler"));
    }
    let handlers: Tee = names.iter().filter_map(|name| making.target(name, with_level)).collect();
    // Python's queue objects and listener classes: only the size means something here.
    let most = keywords.node("queue").and_then(|node| node.get("maxsize")).and_then(|node| match node.data {
        crate::config::node::Data::Int(size) => usize::try_from(size).ok().filter(|size| *size > 0),
        _ => None,
    });
    if keywords.node("listener").is_some_and(|node| node.as_str().is_none_or(|name| !name.ends_with("QueueListener"))) {
        keywords.note(keywords.wrong("listener", "expected logging.handlers.QueueListener, which is what there is"));
    }
    let gate = Arc::new(Gate {
        handlers,
        state: Heirloom::new(if making.setup.as_python { Listening::NotYet } else { Listening::On }),
        waiting: AtomicUsize::new(0),
    });
    let mut builder = Queue::builder().name(making.name);
    if making.setup.as_python {
        // Nobody waits, and what finds no room is told; the bound on memory stays.
        builder = builder.capacity(1 << 20).overflow(Overflow::DropNewest);
    } else if let Some(most) = most {
        builder = builder.capacity(most);
    }
    let (queue, guard) = limits(builder, making.ours).build_with_guard(Arc::clone(&gate))?;
    let front = Front {
        queue,
        format: making.has_formatter.then(|| making.dress.texts()),
        gate: Arc::clone(&gate),
        most: most.filter(|_| making.setup.as_python),
    };
    Ok(Output::new(front, Listener { gate, guard }))
}

/// Our own keys.
pub(in crate::config) fn limits(
    mut builder: crate::handler::queue::QueueBuilder,
    ours: &HandlerArgs<'_>,
) -> crate::handler::queue::QueueBuilder {
    if let Some(records) = ours.size("capacity") {
        builder = builder.capacity(records);
    }
    if let Some(bytes) = ours.size("max_bytes") {
        builder = builder.max_bytes(bytes);
    }
    if let Some(least) = ours.level("protect") {
        builder = builder.priority_level(least);
    }
    if let Some(deadline) = ours.seconds("drain") {
        builder = builder.flush_timeout(deadline);
    }
    if let Some(interval) = ours.seconds("report_every") {
        builder = builder.report_every(interval);
    }
    let policies =
        [("block", Overflow::BLOCK), ("drop_newest", Overflow::DropNewest), ("drop_oldest", Overflow::DropOldest)];
    let overflow = ours.choice("overflow", &policies);
    if let Some(deadline) = ours.seconds("block_for") {
        if overflow.is_some_and(|overflow| overflow != Overflow::BLOCK) {
            ours.note(ours.wrong("block_for", "expected no such key where nobody waits (overflow: block)"));
        }
        builder = builder.overflow(Overflow::block_for(deadline));
    } else if let Some(overflow) = overflow {
        builder = builder.overflow(overflow);
    }
    builder
}

/// The keys of [`limits`].
pub(in crate::config) const LIMITS: &[&str] =
    &["capacity", "max_bytes", "overflow", "block_for", "protect", "drain", "report_every"];

/// What the callers meet.
struct Front {
    queue: Queue,
    /// A queue with a formatter makes the message of what it formats, as Python's `prepare`.
    format: Option<Box<dyn Format>>,
    gate: Arc<Gate>,
    most: Option<usize>,
}

impl Handler for Front {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        if self.most.is_some_and(|most| self.gate.waiting.load(Ordering::Relaxed) >= most) {
            return Err(Error::new("the queue is full"));
        }
        self.gate.waiting.fetch_add(1, Ordering::Relaxed);
        let Some(format) = &self.format else { return self.queue.handle(delivery) };
        let mut text = Buffer::new();
        if let Err(error) = format.format(&delivery, &mut text) {
            self.gate.waiting.fetch_sub(1, Ordering::Relaxed);
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
        // A listener that was not started brings nothing anywhere.
        if self.gate.is_running() { self.queue.flush(how) } else { Ok(()) }
    }
}

/// In front of the handlers, on the listener's thread: lets records through once it is opened.
struct Gate {
    handlers: Tee,
    state: Heirloom<Listening>,
    /// Records that are in the queue or here.
    waiting: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listening {
    NotYet,
    On,
    Stopped,
    /// Nobody will ever start it again.
    Over,
}

impl Gate {
    fn set(&self, state: Listening) {
        *self.lock() = state;
        self.state.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Listening> {
        self.state.lock(|_| {}, || Listening::On)
    }

    fn state(&self) -> Listening {
        *self.lock()
    }

    fn is_running(&self) -> bool {
        self.state() == Listening::On
    }
}

impl Handler for Gate {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let mut state = self.lock();
        while matches!(*state, Listening::NotYet | Listening::Stopped) {
            let waits = |state: &mut Listening| matches!(state, Listening::NotYet | Listening::Stopped);
            state = self.state.wait_while(state, LONG, waits).0;
        }
        let is_on = *state == Listening::On;
        drop(state);
        // Python has queues without handlers, which the application empties itself; nobody does here.
        let goes_on = is_on && !self.handlers.handlers().is_empty();
        let result = if goes_on { self.handlers.handle(delivery) } else { Ok(Outcome::Dropped) };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        result
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.handlers.flush(how)
    }
}

struct Listener {
    gate: Arc<Gate>,
    guard: crate::handler::queue::WorkerGuard,
}

/// Then it waits again.
const LONG: Duration = Duration::from_secs(3_600);

/// How long stopping a listener waits for what is queued.
const PATIENCE: Duration = Duration::from_secs(30);

impl Control for Listener {
    fn listen(&self, on: bool) -> Option<Result<(), Error>> {
        if on {
            self.gate.set(Listening::On);
            return Some(Ok(()));
        }
        if !self.gate.is_running() {
            return Some(Ok(()));
        }
        let flushed = self.guard.flush(PATIENCE);
        self.gate.set(Listening::Stopped);
        Some(flushed)
    }

    fn is_running(&self) -> Option<bool> {
        Some(self.gate.is_running())
    }

    fn buffered(&self) -> Option<usize> {
        Some(self.gate.waiting.load(Ordering::Relaxed))
    }
}

impl Drop for Listener {
    /// What waits in a queue nobody listens to is given up, as in Python; otherwise the guard waits for it.
    fn drop(&mut self) {
        if !self.gate.is_running() {
            self.gate.set(Listening::Over);
        }
    }
}
