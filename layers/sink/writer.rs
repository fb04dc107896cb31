//! Sinks over other writers.

use std::{fmt, io, sync::MutexGuard};

use tracing_subscriber::fmt::MakeWriter;

use super::{FlushTo, Lines, Sink};
use crate::fork::ForkMutex;
use crate::stdio::line_state::{self, LineState};

/// Any [`io::Write`], behind a lock, flushed after each record. Made by
/// [`Stream::writer`](crate::output::Stream::writer).
///
/// If the writer panics, the record counts as failed and the lock stays usable. If the process was forked while another
/// thread wrote, the writer in the child is in an unknown state: the child's records fail.
pub struct WriterSink<W> {
    /// None in a child of a fork that happened during a write.
    writer: ForkMutex<Option<W>>,
    line_state: LineState,
}

impl<W: io::Write + Send + 'static> WriterSink<W> {
    /// Wraps a writer.
    pub fn new(writer: W) -> Self {
        Self { writer: ForkMutex::new(Some(writer)), line_state: LineState::new(false) }
    }

    fn writer(&self) -> MutexGuard<'_, Option<W>> {
        self.writer.lock(|_| {}, || None)
    }
}

fn usable<W>(writer: &mut Option<W>) -> io::Result<&mut W> {
    writer.as_mut().ok_or_else(|| io::Error::other("a thread of the parent was writing when the process was forked"))
}

impl<W: io::Write + Send + 'static> Sink for WriterSink<W> {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            let mut writer = self.writer();
            let writer = usable(&mut writer)?;
            self.line_state.write(line, |bytes| writer.write(bytes))?;
            line_state::flush(|| writer.flush())
        })
    }

    fn flush(&self, _: FlushTo) -> io::Result<()> {
        let mut writer = self.writer();
        let writer = usable(&mut writer)?;
        line_state::flush(|| writer.flush())
    }
}

impl<W> fmt::Debug for WriterSink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterSink").finish_non_exhaustive()
    }
}

/// Any [`MakeWriter`]: asked for a writer for each record, which is flushed after it. Made by
/// [`Stream::make_writer`](crate::output::Stream::make_writer).
///
/// It takes no lock of its own.
pub struct MakeWriterSink<M> {
    maker: M,
    line_state: LineState,
}

impl<M> MakeWriterSink<M>
where
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    /// Wraps a maker of writers.
    pub fn new(maker: M) -> Self {
        Self { maker, line_state: LineState::new(false) }
    }
}

impl<M> Sink for MakeWriterSink<M>
where
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        use io::Write as _;
        lines.write_each(|line| {
            // The writer may be a lock, so it comes before the line state.
            let mut writer = self.maker.make_writer();
            self.line_state.write(line, |bytes| writer.write(bytes))?;
            line_state::flush(|| writer.flush())
        })
    }

    fn flush(&self, _: FlushTo) -> io::Result<()> {
        use io::Write as _;
        let mut writer = self.maker.make_writer();
        line_state::flush(|| writer.flush())
    }
}

impl<M> fmt::Debug for MakeWriterSink<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeWriterSink").finish_non_exhaustive()
    }
}
