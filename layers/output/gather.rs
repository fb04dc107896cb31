//! Many records in one write: what a worker formats is held until 64 KiB are full or nothing more waits.

use std::{
    borrow::Cow,
    io, mem,
    path::Path,
    rc::Rc,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use crate::{
    Delivery, Error, Outcome, Sink,
    caught::catch,
    fork::{self, Heirloom},
    handler::{
        panicked,
        worker::deferred::{DeferredWrite, DeferredWrites},
    },
    ledger::{End, Ledger, Receipt, Receipts},
    sink::{Lines, Owner},
};

/// How much is held at most, in bytes. A longer record is written by itself.
const FULL: usize = 64 << 10;

/// A sink, with what is held for it.
pub(super) struct Gather<S> {
    pub(super) sink: S,
    /// What errors call it.
    pub(super) place: Cow<'static, str>,
    held: Heirloom<Held>,
    /// Whether anything is held; changed under the lock.
    is_any: AtomicBool,
}

/// Whole records, one after the other.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// When each was made.
    times: Vec<SystemTime>,
    receipts: Receipts,
}

impl<S: Sink> Gather<S> {
    pub(super) fn new(sink: S, place: Cow<'static, str>) -> Self {
        fork::check();
        Self { sink, place, held: Heirloom::default(), is_any: AtomicBool::new(false) }
    }

    #[cold]
    pub(super) fn refused(&self, doing: &str, error: io::Error) -> Error {
        Error::io_at(Path::new(&*self.place), doing, error)
    }

    #[cold]
    fn took_nothing(&self) -> Error {
        Error::new(format_args!("cannot write to {}: it took nothing", self.place))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // After a fork, what was held before is the parent's, and receipts are void.
        self.held.lock(Held::clear, Held::default)
    }

    /// Writes a record, or holds it on the thread of a worker.
    #[inline]
    pub(super) fn put(self: &Arc<Self>, line: &[u8], one: &mut One<'_>) -> Result<Outcome, Error> {
        let batch = one.delivery.as_ref().and_then(Delivery::deferred).filter(|_| self.sink.gathers());
        if let Some(batch) = batch.map(Rc::clone) {
            self.hold(line, one, &batch);
            return Ok(Outcome::Queued);
        }
        // In order, should anything be held.
        self.write_held();
        let (ends, times) = ([line.len()], [one.time]);
        let mut lines = Lines::of(one, line, &ends, &times, 0);
        let result = self.sink.write_lines(&mut lines);
        let (_, written) = lines.done();
        let outcome = if written > 0 { Some(Outcome::Written) } else { one.outcome };
        match (outcome, result) {
            (Some(outcome), Ok(())) => Ok(outcome),
            (Some(outcome), Err(error)) => one.tell(self.refused("write to", error)).map(|()| outcome),
            (None, Ok(())) => Err(self.took_nothing()),
            (None, Err(error)) => Err(self.refused("write to", error)),
        }
    }

    /// Holds a record; the worker writes it in a moment.
    fn hold(self: &Arc<Self>, line: &[u8], one: &mut One<'_>, batch: &DeferredWrites) {
        let mut held = self.held();
        if !held.ends.is_empty() && held.bytes.len() + line.len() > FULL {
            drop(held);
            self.write_held();
            held = self.held();
        }
        let is_first = held.ends.is_empty();
        held.bytes.extend_from_slice(line);
        let end = held.bytes.len();
        held.ends.push(end);
        held.times.push(one.time);
        one.hold(&mut held.receipts);
        self.is_any.store(true, Ordering::Release);
        drop(held);
        if is_first {
            batch.add(Arc::<Self>::clone(self));
        }
    }
    /// Writes what is held. The sink is not called under a lock, and no receipt is ended under one.
    #[inline]
    pub(super) fn write_held(&self) {
        if self.is_any.load(Ordering::Acquire) {
            self.write_held_now();
        }
    }

    fn write_held_now(&self) {
        let mut held = {
            let mut held = self.held();
            self.is_any.store(false, Ordering::Release);
            mem::take(&mut *held)
        };
        let mut done = 0;
        while done < held.ends.len() {
            let before = done;
            let mut many = Many { receipts: &mut held.receipts, ended: Vec::new() };
            let mut lines = Lines::of(&mut many, &held.bytes, &held.ends, &held.times, done);
            let result = catch(|| self.sink.write_lines(&mut lines));
            let written;
            (done, written) = lines.done();
            let error = match result {
                Ok(Ok(())) if done > before => None,
                Ok(Ok(())) => Some(self.took_nothing()),
                Ok(Err(error)) => Some(self.refused("write to", error)),
                Err(panic) => Some(panicked("write_lines", &panic)),
            };
            let ledger = error.as_ref().and_then(|_| many.ledger());
            many.ended.into_iter().for_each(|(mut ended, end)| ended.end(ended.len(), end));
            held.receipts.end(written, End::Written);
            match (error, ledger) {
                // Each record is tried: the next may be shorter, or there is room again.
                (Some(error), _) if done < held.ends.len() => {
                    held.receipts.fail(1, error);
                    done += 1;
                }
                (Some(error), Some(ledger)) => ledger.report_error(&error),
                _ => {}
            }
        }
        held.clear();
        // The memory is used again.
        let mut now = self.held();
        if now.ends.is_empty() {
            *now = held;
        }
    }
}

impl Held {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.times.clear();
        self.receipts = Receipts::default();
    }
}

impl<S: Sink> DeferredWrite for Gather<S> {
    fn write_deferred(&self) {
        self.write_held();
    }
}

// --- whose lines they are

/// A record that is written in the call that brought it.
pub(super) struct One<'a> {
    /// None once it was taken.
    delivery: Option<Delivery<'a>>,
    time: SystemTime,
    outcome: Option<Outcome>,
}

impl<'a> One<'a> {
    #[inline]
    pub(super) fn new(delivery: Delivery<'a>) -> Self {
        Self { time: delivery.time(), delivery: Some(delivery), outcome: None }
    }

    /// Tells of what does not cost the record.
    pub(super) fn tell(&self, error: Error) -> Result<(), Error> {
        // Of a record that was taken, an error is no more than that.
        match self.ledger() {
            Some(ledger) => {
                ledger.report_error(&error);
                Ok(())
            }
            None => Err(error),
        }
    }
}

impl Owner for One<'_> {
    fn end(&mut self, _: usize, end: End) {
        self.outcome = Some(if end == End::Written { Outcome::Written } else { Outcome::Dropped });
    }

    #[inline]
    fn hold(&mut self, receipts: &mut Receipts) {
        self.outcome = Some(Outcome::Queued);
        match self.delivery.take() {
            Some(delivery) => delivery.receipt_to(receipts),
            None => receipts.push(Receipt::on(None)),
        }
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        self.delivery.as_ref()?.ledger()
    }
}

/// Records that were held.
struct Many<'a> {
    receipts: &'a mut Receipts,
    ended: Vec<(Receipts, End)>,
}

impl Owner for Many<'_> {
    fn end(&mut self, count: usize, end: End) {
        self.ended.push((self.receipts.split(count), end));
    }

    fn hold(&mut self, receipts: &mut Receipts) {
        receipts.push(self.receipts.pop().unwrap_or_else(|| Receipt::on(None)));
    }

    fn ledger(&self) -> Option<Arc<Ledger>> {
        self.receipts.ledger()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{NamedHandler, Queue, Record, Severity, ledger::ErrorHandler, output::Stream, sink::Written};

    /// Does what a line says: `written`, `dropped`, an `error`, or nothing.
    struct Obeys;

    impl Sink for Obeys {
        fn write(&self, _: &[u8]) -> io::Result<Written> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn gathers(&self) -> bool {
            true
        }

        fn write_lines(&self, lines: &mut Lines<'_>) -> io::Result<()> {
            while let Some((line, _)) = lines.first() {
                match line {
                    line if line.ends_with(b"written\n") => lines.written(1),
                    line if line.ends_with(b"dropped\n") => lines.dropped(1),
                    line if line.ends_with(b"written, error\n") => {
                        lines.written(1);
                        return Err(io::ErrorKind::Other.into());
                    }
                    line if line.ends_with(b"error\n") => return Err(io::ErrorKind::Other.into()),
                    line if line.ends_with(b"panic\n") => panic!("scripted"),
                    _ => break,
                }
            }
            Ok(())
        }
    }

    #[test]
    fn each_line_ends_as_the_sink_says() {
        let lines = "written dropped error written nothing panic dropped dropped error nothing written";
        let (error_handler, _) = ErrorHandler::counting();
        let direct = NamedHandler::with_error_handler("direct", Stream::sink(Obeys), error_handler.clone());
        let (queue, guard) = Queue::builder().build_with_guard(Stream::sink(Obeys)).unwrap();
        let queued = NamedHandler::with_error_handler("queued", queue, error_handler);
        for handler in [&direct, &queued] {
            lines.split(' ').for_each(|line| handler.emit(&Record::new(Severity::INFO, "t", line)));
        }
        guard.shutdown(std::time::Duration::from_secs(60)).unwrap_err();
        for handler in [direct, queued] {
            let stats = handler.stats();
            assert_eq!((stats.written, stats.dropped, stats.failed, stats.queued), (3, 3, 5, 0), "{}", handler.name());
        }
    }

    #[test]
    fn an_error_after_the_last_line_costs_no_record() {
        let (error_handler, told) = ErrorHandler::counting();
        let direct = NamedHandler::with_error_handler("direct", Stream::sink(Obeys), error_handler.clone());
        let (queue, guard) = Queue::builder().build_with_guard(Stream::sink(Obeys)).unwrap();
        let queued = NamedHandler::with_error_handler("queued", queue, error_handler);
        for handler in [&direct, &queued] {
            handler.emit(&Record::new(Severity::INFO, "t", "written, error"));
        }
        guard.shutdown(std::time::Duration::from_secs(60)).unwrap();
        for handler in [direct, queued] {
            assert_eq!((handler.stats().written, handler.stats().failed, handler.stats().other_errors), (1, 0, 1));
        }
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
