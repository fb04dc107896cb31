//! A format before a sink: the handler that all outputs of lines are.
//!
//! Python: what `logging.StreamHandler.emit` does.

use std::{borrow::Cow, cell::Cell, fmt, sync::Arc};

use super::gather::{Gather, One};
use crate::{
    Delivery, Description, Error, Format, Handler, Outcome, Severity, Sink,
    caught::catch,
    handler::{Flush, panicked},
    sink::FlushTo,
};

/// Makes text of each record and gives it, with a line end, to a sink in one write.
///
/// The text is made in a buffer that the thread keeps, before any lock of the sink is taken: no allocation in steady
/// state, and two threads format at once.
///
/// [`Stream`](super::Stream) and [`LogFile`](super::LogFile) make them; with one's own sink:
///
/// ```
/// use tracing_strata::{Severity, format::Text, output::Formatted, prelude::*, sink::StdStream};
///
/// let handler = Formatted::new(Text::new(), StdStream::stderr()).place("console").flush_on(Severity::ERROR);
/// assert_eq!(handler.describe().name, "console");
/// ```
///
/// # Failures
/// What the sink refuses is an error that names the [place](Self::place). Where the sink still holds a record and only
/// flushing it failed ([`flush_on`](Self::flush_on)), that is told to the trap, while the record stays queued.
pub struct Formatted<F, S> {
    format: F,
    /// Shared with the worker of a queue, as long as something is held for the sink.
    gather: Arc<Gather<S>>,
    terminator: Cow<'static, str>,
    flush_on: Option<Severity>,
    sync_on: Option<Severity>,
}

impl<F: Format, S: Sink> Formatted<F, S> {
    /// A format before a sink; the format is [told](Format::adapt) whether the sink is a terminal.
    pub fn new(mut format: F, sink: S) -> Self {
        let gather = Arc::new(Gather::new(sink, "sink".into()));
        format.adapt(gather.properties.is_terminal);
        Self { format, gather, terminator: "\n".into(), flush_on: None, sync_on: None }
    }

    /// Replaces the format.
    pub fn format<G: Format>(self, mut format: G) -> Formatted<G, S> {
        let Self { gather, terminator, flush_on, sync_on, .. } = self;
        format.adapt(gather.properties.is_terminal);
        Formatted { format, gather, terminator, flush_on, sync_on }
    }

    /// What follows each record (default: `"\n"`). Whatever it is, a record that was written in part only is told from
    /// the next by a line break.
    pub fn terminator(mut self, terminator: impl Into<Cow<'static, str>>) -> Self {
        self.terminator = terminator.into();
        self
    }

    /// Flushes the sink after each record at or above a severity (default: never). For sinks that hold records back.
    pub fn flush_on(mut self, least: impl Into<Severity>) -> Self {
        self.flush_on = Some(least.into());
        self
    }

    /// Has the sink [flush to the disk](FlushTo::Disk) after each record at or above a severity (default: never).
    pub fn sync_on(mut self, least: impl Into<Severity>) -> Self {
        self.sync_on = Some(least.into());
        self
    }

    /// What errors call the sink, and the handler's name where it is given none (default: `stdout`, `stderr`, the path of
    /// a file, else the kind of sink).
    pub fn place(mut self, place: impl Into<Cow<'static, str>>) -> Self {
        // It is shared only by a handler at work, and then nobody has it by value.
        if let Some(gather) = Arc::get_mut(&mut self.gather) {
            gather.place = place.into();
        }
        self
    }

    /// The sink.
    pub fn sink(&self) -> &S {
        &self.gather.sink
    }

    pub(super) fn map_sink(self, change: impl FnOnce(S) -> S) -> Self {
        let gather = Arc::try_unwrap(self.gather)
            .map(|Gather { sink, place, .. }| Arc::new(Gather::new(change(sink), place)))
            // As above.
            .unwrap_or_else(|shared| shared);
        Self { gather, ..self }
    }

    fn sync(&self) -> Result<(), Error> {
        self.gather.write_held();
        let sync = || self.gather.sink.flush(FlushTo::Disk).map_err(|error| self.gather.refused("sync", error));
        catch(sync).unwrap_or_else(|panic| Err(panicked("sync", &panic)))
    }
}

impl<F: Format, S: Sink> Handler for Formatted<F, S> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let severity = delivery.severity();
        let is_at = |least: Option<Severity>| least.is_some_and(|least| severity >= least);
        with_line(|line| {
            self.format.format_bytes(&delivery, line)?;
            match self.terminator.as_bytes() {
                [byte] => line.push(*byte),
                bytes => line.extend_from_slice(bytes),
            }
            let mut one = One::new(delivery);
            let outcome = self.gather.put(line, &mut one)?;
            if is_at(self.sync_on) {
                // The record is at its place, or on the account, whatever becomes of the sync.
                self.sync().or_else(|error| one.tell(error))?;
            } else if is_at(self.flush_on) {
                let flush = || self.flush(&Flush::PLAIN);
                catch(flush).unwrap_or_else(|panic| Err(panicked("flush", &panic)))?;
            }
            Ok(outcome)
        })
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.gather.write_held();
        if how.is_barrier() {
            return Ok(());
        }
        self.gather.sink.flush(FlushTo::System).map_err(|error| self.gather.refused("flush", error))
    }

    fn describe(&self) -> Description {
        Description::new(self.gather.place.to_string())
    }
}

impl<F, S: fmt::Debug> fmt::Debug for Formatted<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Formatted")
            .field("place", &self.gather.place)
            .field("sink", &self.gather.sink)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// The text of a record. Empty while it is in use: a handler that is called within a format has one of its own.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What a thread keeps at most, in bytes.
const KEPT: usize = 64 << 10;

#[inline]
pub(super) fn with_line<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    // Where the thread is ending, there is no buffer any more.
    let mut line = LINE.try_with(Cell::take).unwrap_or_default();
    let result = work(&mut line);
    line.clear();
    if line.capacity() > KEPT {
        line.shrink_to(KEPT);
    }
    LINE.try_with(|kept| kept.set(line)).unwrap_or_default();
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
            assert_eq!(outer, b"outer");
        });
        let kept = with_line(|line| (line.as_ptr(), line.capacity()));
        assert!(kept.1 > 0);
        assert_eq!(with_line(|line| (line.as_ptr(), line.is_empty())), (kept.0, true));
    }

    #[test]
    fn a_line_that_grew_is_shrunk() {
        with_line(|line| line.extend(std::iter::repeat_n(b'x', 4 * KEPT)));
        with_line(|line| assert!(line.capacity() <= KEPT && line.is_empty()));
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
