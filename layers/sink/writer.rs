//! Writers of others.

use std::{fmt, io, sync::MutexGuard};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    Sink, Written,
    line::{self, Tail},
};
use crate::fork::ForkMutex;

/// Any [`io::Write`], behind a lock, flushed after each record. Made by
/// [`Stream::writer`](crate::output::Stream::writer).
///
/// A writer that panics leaves the lock usable; the record counts as failed. If the process was forked while another thread
/// wrote, the child has half a writer: its records fail.
pub struct WriterSink<W> {
    /// None in a child of a fork that came in the midst of a write.
    writer: ForkMutex<Option<W>>,
    tail: Tail,
}

impl<W: io::Write + Send + 'static> WriterSink<W> {
    /// Takes a writer.
    pub fn new(writer: W) -> Self {
        Self { writer: ForkMutex::new(Some(writer)), tail: Tail::new(false) }
    }

    fn writer(&self) -> MutexGuard<'_, Option<W>> {
        self.writer.lock(|_| {}, || None)
    }
}

fn there<W>(writer: &mut Option<W>) -> io::Result<&mut W> {
    writer.as_mut().ok_or_else(|| io::Error::other("a thread of the parent was writing when the process was forked"))
}

impl<W: io::Write + Send + 'static> Sink for WriterSink<W> {
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        let mut writer = self.writer();
        let writer = there(&mut writer)?;
        self.tail.write(bytes, |bytes| writer.write(bytes))?;
        line::flush(|| writer.flush())?;
        Ok(Written::Through)
    }

    fn flush(&self) -> io::Result<()> {
        let mut writer = self.writer();
        let writer = there(&mut writer)?;
        line::flush(|| writer.flush())
    }
}

impl<W> fmt::Debug for WriterSink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterSink").finish_non_exhaustive()
    }
}

/// Whatever makes writers for `tracing_subscriber::fmt`, one for each record, flushed after it. Made by
/// [`Stream::make_writer`](crate::output::Stream::make_writer).
///
/// No lock is held but what the maker itself takes.
pub struct MakeWriterSink<M> {
    maker: M,
    tail: Tail,
}

impl<M> MakeWriterSink<M>
where
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    /// Takes a maker of writers.
    pub fn new(maker: M) -> Self {
        Self { maker, tail: Tail::new(false) }
    }
}

impl<M> Sink for MakeWriterSink<M>
where
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        use io::Write as _;
        // First the writer, which may be a lock, then the look at the tail.
        let mut writer = self.maker.make_writer();
        self.tail.write(bytes, |bytes| writer.write(bytes))?;
        line::flush(|| writer.flush())?;
        Ok(Written::Through)
    }

    fn flush(&self) -> io::Result<()> {
        use io::Write as _;
        let mut writer = self.maker.make_writer();
        line::flush(|| writer.flush())
    }
}

impl<M> fmt::Debug for MakeWriterSink<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeWriterSink").finish_non_exhaustive()
    }
}
