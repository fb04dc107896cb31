//! A format and a sink: the handler behind every output of lines.

use std::{borrow::Cow, cell::Cell, fmt, sync::Arc, time::SystemTime};

use super::batch_writer::{BatchWriter, SingleRecord};
use crate::{
    Delivery, Description, Error, Format, Handler, Outcome, Severity, Sink,
    format::{Buffer, Encoding},
    handler::Flush,
    ledger::Total,
    sink::FlushTo,
    unwind::{catch, panicked},
};

/// Formats each record and writes it, with a line end, to a sink in one write.
///
/// Python: what `logging.StreamHandler.emit` does.
///
/// [`Stream`](super::Stream), [`LogFile`](super::LogFile) and [`RotatingFile`](super::RotatingFile) are this type with a
/// sink of ours. The text is made in a buffer of the thread, before any lock of the sink is taken: no allocation in
/// steady state, and threads format in parallel.
///
/// # Examples
/// With your own sink:
///
/// ```
/// use tracing_strata::{Severity, format::Text, output::Formatted, prelude::*, sink::StdStream};
///
/// let handler = Formatted::new(Text::new(), StdStream::stderr()).name("console").flush_on(Severity::ERROR);
/// assert_eq!(handler.describe().name, "console");
/// ```
///
/// # When it blocks
/// As long as the sink's write does. Where it is used beside a queue that leads to it, also while the queue's thread writes what
/// it has buffered, for a second at most; a flush waits for that a minute at most, and then fails.
///
/// # Failures
/// An error of the sink fails the record, and names the [sink](Self::name). Where the sink has buffered the record and
/// only [`flush_on`](Self::flush_on) failed, the error handler gets the error and the record stays queued.
pub struct Formatted<F, S> {
    format: F,
    /// Shared with a queue's worker while lines are buffered.
    writer: Arc<BatchWriter<S>>,
    terminator: Cow<'static, str>,
    flush_on: Option<Severity>,
    sync_on: Option<Severity>,
    /// Another than UTF-8.
    encoding: Option<Encoding>,
    /// What the sink does for a record of that time which could not be formatted.
    pass_over: Option<fn(&S, SystemTime)>,
}

impl<F: Format, S: Sink> Formatted<F, S> {
    /// A format and a sink. The format learns [whether the sink is a terminal](Buffer::is_terminal). No I/O.
    pub fn new(format: F, sink: S) -> Self {
        let writer = Arc::new(BatchWriter::new(sink, "sink".into()));
        Self { format, writer, terminator: "\n".into(), flush_on: None, sync_on: None, encoding: None, pass_over: None }
    }

    /// Replaces the format.
    pub fn format<G: Format>(self, format: G) -> Formatted<G, S> {
        let Self { writer, terminator, flush_on, sync_on, encoding, pass_over, .. } = self;
        Formatted { format, writer, terminator, flush_on, sync_on, encoding, pass_over }
    }

    /// What follows each record (default: `"\n"`). Whatever it is, a line break follows a record that was written only
    /// in part.
    pub fn terminator(mut self, terminator: impl Into<Cow<'static, str>>) -> Self {
        self.terminator = terminator.into();
        self
    }

    /// Flushes the sink after each record at or above a severity (default: never). For sinks with a buffer.
    pub fn flush_on(mut self, min_level: impl Into<Severity>) -> Self {
        self.flush_on = Some(min_level.into());
        self
    }

    /// [Syncs](FlushTo::Disk) the sink to the disk after each record at or above a severity (default: never).
    pub fn sync_on(mut self, min_level: impl Into<Severity>) -> Self {
        self.sync_on = Some(min_level.into());
        self
    }

    /// The sink's name in errors, and the handler's where it has no other (default: `stdout`, `stderr`, the path of a
    /// file, else the kind of sink).
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        // Only a handler in use is shared, and nobody owns that by value.
        if let Some(writer) = Arc::get_mut(&mut self.writer) {
            writer.name = name.into();
        }
        self
    }

    /// The sink.
    pub fn as_sink(&self) -> &S {
        &self.writer.sink
    }

    pub(super) fn encoding(self, encoding: Encoding) -> Self {
        Self { encoding: Some(encoding).filter(|encoding| *encoding != Encoding::UTF_8), ..self }
    }

    pub(super) fn flush_and_sync_on(self, flush_on: Option<Severity>, sync_on: Option<Severity>) -> Self {
        Self { flush_on, sync_on, ..self }
    }

    pub(super) fn passing_over(self, pass_over: fn(&S, SystemTime)) -> Self {
        Self { pass_over: Some(pass_over), ..self }
    }

    #[cold]
    fn pass_over(&self, time: SystemTime) {
        if let Some(pass_over) = self.pass_over {
            self.writer.write_pending();
            pass_over(&self.writer.sink, time);
        }
    }

    pub(super) fn map_sink(self, change: impl FnOnce(S) -> S) -> Self {
        let writer = Arc::try_unwrap(self.writer)
            .map(|BatchWriter { sink, name, .. }| Arc::new(BatchWriter::new(change(sink), name)))
            // As above.
            .unwrap_or_else(|shared| shared);
        Self { writer, ..self }
    }

    fn sync(&self) -> Result<(), Error> {
        self.writer.write_pending();
        let sync = || self.writer.sink.flush(FlushTo::Disk).map_err(|error| self.writer.io_error("sync", error));
        catch(sync).unwrap_or_else(|panic| Err(panicked("sync", &panic)))
    }
}

impl<F: Format, S: Sink> Handler for Formatted<F, S> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        with_line(|line| {
            let record = &*delivery;
            let (severity, time) = (record.severity(), record.time());
            let is_at = |min_level: Option<Severity>| min_level.is_some_and(|min_level| severity >= min_level);
            if self.writer.properties.is_terminal {
                line.set_terminal(true);
                line.set_columns(self.writer.columns(time));
            }
            if let Err(error) = self.format.format(record, line) {
                self.pass_over(time);
                return Err(error);
            }
            let line = line.bytes_mut();
            match self.terminator.as_bytes() {
                [byte] => line.push(*byte),
                bytes => line.extend_from_slice(bytes),
            }
            if let Some(encoding) = &self.encoding {
                if let (true, Some(counters)) = (encoding.encode(line)?, delivery.counters()) {
                    counters.count(Total::Marked, 1);
                }
            }
            let mut record = SingleRecord::new(delivery, time);
            let outcome = self.writer.write(line, &mut record)?;
            if is_at(self.sync_on) {
                // A failed sync does not change the record's outcome.
                self.sync().or_else(|error| record.report(error))?;
            } else if is_at(self.flush_on) {
                let flush = || self.flush(&Flush::PLAIN);
                catch(flush).unwrap_or_else(|panic| Err(panicked("flush", &panic)))?;
            }
            Ok(outcome)
        })
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if !self.writer.write_pending_for(how) && how.waits() {
            return Err(Error::new(format_args!("{}: another thread is still writing", self.writer.name)));
        }
        if how.is_barrier() {
            return Ok(());
        }
        self.writer.sink.flush(FlushTo::System).map_err(|error| self.writer.io_error("flush", error))
    }

    fn describe(&self) -> Description {
        Description::new(self.writer.name.to_string())
    }
}

impl<F, S: fmt::Debug> fmt::Debug for Formatted<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Formatted")
            .field("name", &self.writer.name)
            .field("sink", &self.writer.sink)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// The text of a record. Taken while in use: a handler that a format calls gets a buffer of its own.
    /// Boxed, as moving a buffer that was just written to is slow.
    static LINE: Cell<Option<Box<Buffer>>> = const { Cell::new(None) };
}

/// The most memory that a thread keeps for the next record, in bytes.
const MAX_RETAINED: usize = 64 << 10;

#[inline]
pub(super) fn with_line<R>(work: impl FnOnce(&mut Buffer) -> R) -> R {
    // A thread that is ending has no buffer any more.
    let mut line = LINE.try_with(Cell::take).unwrap_or_default().unwrap_or_default();
    let result = work(&mut line);
    line.reset(MAX_RETAINED);
    LINE.try_with(|slot| slot.set(Some(line))).unwrap_or_default();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_within_a_line_is_another_and_both_are_reused() {
        with_line(|outer| {
            outer.extend_from_slice(b"outer");
            with_line(|inner| {
                assert!(inner.is_empty());
                inner.extend_from_slice(b"inner");
            });
            assert_eq!(*outer, *"outer");
        });
        let first = with_line(|line| (line.as_bytes().as_ptr(), line.bytes_mut().capacity()));
        assert!(first.1 > 0);
        assert_eq!(with_line(|line| (line.as_bytes().as_ptr(), line.is_empty())), (first.0, true));
    }

    #[test]
    fn a_line_that_grew_is_shrunk() {
        with_line(|line| line.bytes_mut().extend(std::iter::repeat_n(b'x', 4 * MAX_RETAINED)));
        with_line(|line| assert!(line.bytes_mut().capacity() <= MAX_RETAINED && line.is_empty()));
    }

    #[test]
    fn a_line_lost_to_a_panic_is_replaced() {
        let result = std::panic::catch_unwind(|| {
            with_line(|line| {
                line.extend_from_slice(b"half");
                panic!("scripted");
            })
        });
        assert!(result.is_err());
        with_line(|line| assert!(line.is_empty()));
    }
}
