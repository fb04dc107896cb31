//! Many records in one write: lines that a worker formats are buffered up to 64 KiB, or until no more records wait.

use std::{
    borrow::Cow,
    cell::Cell,
    io, mem,
    num::NonZeroU16,
    path::Path,
    rc::Rc,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    Delivery, Error, Flush, Outcome, Sink,
    fork::{self, ForkMutex},
    handler::worker::deferred::{DeferredWrite, DeferredWrites},
    ledger::{End, Ledger, Receipt, Receipts},
    sink::{LineOwner, Lines, SinkProperties},
    unwind::{catch, panicked},
};

/// The most that is buffered, in bytes. A longer record is written alone.
const CAPACITY: usize = 64 << 10;
/// How long a thread waits while another one writes: a sink that hangs holds up no other thread for ever.
const WAIT: Duration = Duration::from_secs(60);

/// A sink, and the lines that are buffered for it.
pub(super) struct BatchWriter<S> {
    pub(super) sink: S,
    /// Asked once: a sink may have to ask the system.
    pub(super) properties: SinkProperties,
    terminal: TerminalWidth,
    /// Names the sink in errors.
    pub(super) name: Cow<'static, str>,
    pending: ForkMutex<PendingLines>,
    /// Lines are buffered, or taken out and not written yet. Changed under the lock.
    has_pending: AtomicBool,
}

/// The width of a terminal, which is asked for once a second at most: it costs a system call.
struct TerminalWidth {
    columns: AtomicU16,
    /// In which second.
    asked: AtomicU64,
}

impl TerminalWidth {
    fn new(columns: Option<NonZeroU16>) -> Self {
        Self { columns: AtomicU16::new(columns.map_or(0, NonZeroU16::get)), asked: AtomicU64::new(0) }
    }

    fn at(&self, now: SystemTime, ask: impl FnOnce() -> Option<NonZeroU16>) -> Option<NonZeroU16> {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.asked.swap(second, Ordering::Relaxed) != second {
            self.columns.store(ask().map_or(0, NonZeroU16::get), Ordering::Relaxed);
        }
        NonZeroU16::new(self.columns.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
struct PendingLines {
    /// A thread has taken lines out and writes them. Others wait for it: lines are written in the order they came.
    is_writing: bool,
    /// How many wait.
    waiting: usize,
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// When each was made.
    times: Vec<SystemTime>,
    receipts: Receipts,
}

impl<S: Sink> BatchWriter<S> {
    pub(super) fn new(sink: S, name: Cow<'static, str>) -> Self {
        fork::check();
        let properties = sink.properties();
        let terminal = TerminalWidth::new(properties.columns);
        Self { sink, properties, terminal, name, pending: ForkMutex::default(), has_pending: AtomicBool::new(false) }
    }

    /// How wide the terminal is: somebody may have changed it.
    pub(super) fn columns(&self, now: SystemTime) -> Option<NonZeroU16> {
        self.terminal.at(now, || self.sink.properties().columns)
    }

    #[cold]
    pub(super) fn io_error(&self, doing: &str, error: io::Error) -> Error {
        Error::io_at(Path::new(&*self.name), doing, error)
    }

    #[cold]
    fn nothing_written(&self) -> Error {
        Error::new(format_args!("cannot write to {}: it took nothing", self.name))
    }

    fn pending(&self) -> MutexGuard<'_, PendingLines> {
        // After a fork, lines buffered before it belong to the parent, and their receipts are void.
        self.pending.lock(PendingLines::clear, PendingLines::default)
    }

    /// Writes a record, or buffers it on a worker's thread.
    #[inline]
    pub(super) fn write(self: &Arc<Self>, line: &[u8], record: &mut SingleRecord<'_>) -> Result<Outcome, Error> {
        let deferred =
            record.delivery.as_ref().and_then(Delivery::deferred).filter(|_| self.properties.supports_batching);
        if let Some(deferred) = deferred.map(Rc::clone) {
            self.buffer(line, record, &deferred);
            return Ok(Outcome::Queued);
        }
        // Keeps the order.
        self.write_pending();
        let (ends, times) = ([line.len()], [record.time]);
        let mut lines = Lines::of(record, line, &ends, &times, 0);
        let result = self.sink.write(&mut lines);
        let (_, written) = lines.done();
        let outcome = if written > 0 { Some(Outcome::Written) } else { record.outcome };
        match (outcome, result) {
            (Some(outcome), Ok(())) => Ok(outcome),
            (Some(outcome), Err(error)) => record.report(self.io_error("write to", error)).map(|()| outcome),
            (None, Ok(())) => Err(self.nothing_written()),
            (None, Err(error)) => Err(self.io_error("write to", error)),
        }
    }

    /// Buffers a record; the worker writes it before it waits again.
    fn buffer(self: &Arc<Self>, line: &[u8], record: &mut SingleRecord<'_>, deferred: &DeferredWrites) {
        let mut pending = self.pending();
        if !pending.ends.is_empty() && pending.bytes.len() + line.len() > CAPACITY {
            drop(pending);
            self.write_pending();
            pending = self.pending();
        }
        let is_first = pending.ends.is_empty();
        pending.bytes.extend_from_slice(line);
        let end = pending.bytes.len();
        pending.ends.push(end);
        pending.times.push(record.time);
        record.take_receipt(&mut pending.receipts);
        self.has_pending.store(true, Ordering::Release);
        drop(pending);
        if is_first {
            deferred.add(Arc::<Self>::clone(self));
        }
    }

    /// Writes the buffered lines, or waits until another thread has. No lock is held while the sink is called or a receipt
    /// ends.
    #[inline]
    pub(super) fn write_pending(&self) {
        self.write_pending_for(&Flush::PLAIN);
    }

    /// False if another thread is not done in a minute, or at once if the flush does not wait.
    #[inline]
    pub(super) fn write_pending_for(&self, how: &Flush) -> bool {
        !self.has_pending.load(Ordering::Acquire)
            || self.write_pending_now(if how.waits() { WAIT } else { Duration::ZERO })
    }

    fn write_pending_now(&self, wait: Duration) -> bool {
        let mut turn = match Turn::take(self, wait) {
            Ok(turn) => turn,
            Err(is_own) => return is_own,
        };
        let pending = &mut turn.lines;
        let mut done = 0;
        while done < pending.ends.len() {
            let before = done;
            let mut batch = RecordBatch { receipts: &mut pending.receipts, ended: Vec::new() };
            let mut lines = Lines::of(&mut batch, &pending.bytes, &pending.ends, &pending.times, done);
            let result = catch(|| self.sink.write(&mut lines));
            let written;
            (done, written) = lines.done();
            let error = match result {
                Ok(Ok(())) if done > before => None,
                Ok(Ok(())) => Some(self.nothing_written()),
                Ok(Err(error)) => Some(self.io_error("write to", error)),
                Err(panic) => Some(panicked("write", &panic)),
            };
            let ledger = error.as_ref().and_then(|_| batch.ledger());
            batch.ended.into_iter().for_each(|(mut ended, end)| ended.end(ended.len(), end));
            pending.receipts.end(written, End::Written);
            match (error, ledger) {
                // Each record is tried: the next may be shorter, or there is room again.
                (Some(error), _) if done < pending.ends.len() => {
                    pending.receipts.fail(1, error);
                    done += 1;
                }
                (Some(error), Some(ledger)) => ledger.report_error(&error),
                _ => {}
            }
        }
        true
    }
}

thread_local! {
    /// How many turns this thread has.
    static TURNS: Cell<u32> = const { Cell::new(0) };
}

/// One thread writes the lines that it has taken out.
struct Turn<'a, S: Sink> {
    writer: &'a BatchWriter<S>,
    lines: PendingLines,
}

impl<'a, S: Sink> Turn<'a, S> {
    /// Waits for the thread whose turn it is. One that has a turn itself does not (`Err(true)`): it may come by way of a sink
    /// or a fallback, and the other one may wait for it. `Err(false)`: the time is up.
    fn take(writer: &'a BatchWriter<S>, wait: Duration) -> Result<Self, bool> {
        let mut pending = writer.pending();
        if pending.is_writing {
            if TURNS.get() > 0 {
                return Err(true);
            }
            pending.waiting += 1;
            pending = writer.pending.wait_while(pending, wait, |pending| pending.is_writing).0;
            pending.waiting = pending.waiting.saturating_sub(1);
            if pending.is_writing {
                return Err(false);
            }
        }
        let lines = mem::take(&mut *pending);
        (pending.is_writing, pending.waiting) = (true, lines.waiting);
        TURNS.set(TURNS.get() + 1);
        Ok(Self { writer, lines })
    }
}

impl<S: Sink> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        TURNS.set(TURNS.get() - 1);
        let mut lines = mem::take(&mut self.lines);
        lines.clear();
        let mut pending = self.writer.pending();
        pending.is_writing = false;
        let is_empty = pending.ends.is_empty();
        self.writer.has_pending.store(!is_empty, Ordering::Release);
        let waiting = pending.waiting;
        if is_empty {
            // Reuses the memory.
            *pending = PendingLines { waiting, ..lines };
        }
        drop(pending);
        if waiting > 0 {
            self.writer.pending.notify_all();
        }
    }
}

impl PendingLines {
    fn clear(&mut self) {
        (self.is_writing, self.waiting) = (false, 0);
        self.bytes.clear();
        self.ends.clear();
        self.times.clear();
        self.receipts = Receipts::default();
    }
}

impl<S: Sink> DeferredWrite for BatchWriter<S> {
    fn write_deferred(&self) {
        self.write_pending();
    }
}

// --- owners of lines

/// A record that is written at once.
pub(super) struct SingleRecord<'a> {
    /// `None` once the sink has buffered it.
    delivery: Option<Delivery<'a>>,
    time: SystemTime,
    outcome: Option<Outcome>,
}

impl<'a> SingleRecord<'a> {
    #[inline]
    pub(super) fn new(delivery: Delivery<'a>, time: SystemTime) -> Self {
        Self { time, delivery: Some(delivery), outcome: None }
    }

    /// Reports an error that does not fail the record. Without a ledger the error is returned.
    pub(super) fn report(&self, error: Error) -> Result<(), Error> {
        match self.ledger() {
            Some(ledger) => {
                ledger.report_error(&error);
                Ok(())
            }
            None => Err(error),
        }
    }
}

impl LineOwner for SingleRecord<'_> {
    fn end(&mut self, _: usize, end: End) {
        self.outcome = Some(if end == End::Written { Outcome::Written } else { Outcome::Dropped });
    }

    #[inline]
    fn take_receipt(&mut self, receipts: &mut Receipts) {
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

/// Records that were buffered.
struct RecordBatch<'a> {
    receipts: &'a mut Receipts,
    ended: Vec<(Receipts, End)>,
}

impl LineOwner for RecordBatch<'_> {
    fn end(&mut self, count: usize, end: End) {
        self.ended.push((self.receipts.split(count), end));
    }

    fn take_receipt(&mut self, receipts: &mut Receipts) {
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
    use crate::{NamedHandler, Queue, Record, Severity, ledger::ErrorHandler, output::Stream};

    /// Does what the line says: `written`, `dropped`, `error`, `panic`, or nothing.
    struct Scripted;

    impl Sink for Scripted {
        fn properties(&self) -> SinkProperties {
            SinkProperties { supports_batching: true, ..SinkProperties::default() }
        }

        fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
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
        let direct = NamedHandler::with_error_handler("direct", Stream::sink(Scripted), error_handler.clone());
        let (queue, guard) = Queue::builder().build_with_guard(Stream::sink(Scripted)).unwrap();
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

    /// Remembers the lines, and lets other threads in between.
    #[derive(Default)]
    struct Slow(std::sync::Mutex<Vec<u32>>);

    impl Sink for &'static Slow {
        fn properties(&self) -> SinkProperties {
            SinkProperties { supports_batching: true, ..SinkProperties::default() }
        }

        fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
            lines.write_each(|line| {
                std::thread::sleep(Duration::from_micros(50));
                let number = std::str::from_utf8(line).unwrap().trim_end().rsplit(' ').next().unwrap().parse().unwrap();
                self.0.lock().unwrap().push(number);
                Ok(())
            })
        }
    }

    #[test]
    fn lines_are_written_in_order_and_a_flush_waits_for_them_whichever_thread_writes() {
        let sink: &'static Slow = Box::leak(Box::default());
        let inner = NamedHandler::new("inner", Stream::sink(sink));
        let (queue, guard) = Queue::builder().build_with_guard(inner.clone()).unwrap();
        let queue = NamedHandler::new("queue", queue);
        let is_done = AtomicBool::new(false);
        let lengths: Vec<usize> = std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        inner.flush().unwrap_or_default();
                    }
                });
            }
            let lengths = (1..=1_000_u32).filter_map(|number| {
                queue.emit(&Record::new(Severity::INFO, "t", &number.to_string()));
                (number % 100 == 0).then(|| {
                    queue.flush().unwrap_or_default();
                    sink.0.lock().unwrap().len()
                })
            });
            let lengths = lengths.collect();
            is_done.store(true, Ordering::Relaxed);
            lengths
        });
        assert!(lengths.into_iter().eq((1..=10).map(|hundreds| hundreds * 100)), "a flush did not wait");
        guard.shutdown(Duration::from_secs(60)).unwrap();
        assert!(sink.0.lock().unwrap().iter().copied().eq(1..=1_000));
    }

    #[test]
    fn an_error_after_the_last_line_costs_no_record() {
        let (error_handler, reported) = ErrorHandler::counting();
        let direct = NamedHandler::with_error_handler("direct", Stream::sink(Scripted), error_handler.clone());
        let (queue, guard) = Queue::builder().build_with_guard(Stream::sink(Scripted)).unwrap();
        let queued = NamedHandler::with_error_handler("queued", queue, error_handler);
        for handler in [&direct, &queued] {
            handler.emit(&Record::new(Severity::INFO, "t", "written, error"));
        }
        guard.shutdown(std::time::Duration::from_secs(60)).unwrap();
        for handler in [direct, queued] {
            assert_eq!((handler.stats().written, handler.stats().failed, handler.stats().other_errors), (1, 0, 1));
        }
        assert_eq!(reported.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_terminal_is_asked_for_its_width_once_a_second() {
        let width = TerminalWidth::new(NonZeroU16::new(80));
        let second = |second| UNIX_EPOCH + std::time::Duration::from_secs(second);
        let ask = |columns| move || NonZeroU16::new(columns);
        assert_eq!(width.at(second(7), ask(100)), NonZeroU16::new(100));
        assert_eq!(width.at(second(7), ask(20)), NonZeroU16::new(100));
        assert_eq!(width.at(second(8), ask(20)), NonZeroU16::new(20));
        assert_eq!(width.at(second(6), ask(0)), None, "the clock may be set back");
    }
}
