//! A sink that fails by script.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::sink::{Lines, Sink};

/// What happens to one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: it writes all.
    None,
    /// It writes at most this many bytes.
    Take(usize),
    /// It is interrupted by a signal (EINTR).
    Interrupted,
    /// The disk is full (ENOSPC).
    Full,
    /// It would block (EAGAIN).
    WouldBlock,
    /// It writes nothing, and says no error.
    Zero,
    /// The device fails (EIO).
    Io,
    /// It panics.
    Panic,
}

impl Fault {
    /// What write(2) returns for so many bytes.
    ///
    /// # Errors
    /// That of the fault.
    ///
    /// # Panics
    /// With [`Fault::Panic`].
    pub fn write(self, length: usize) -> io::Result<usize> {
        match self {
            Self::None => Ok(length),
            Self::Take(count) => Ok(count.min(length)),
            Self::Zero => Ok(0),
            Self::Interrupted => Err(io::ErrorKind::Interrupted.into()),
            Self::Full => Err(io::ErrorKind::StorageFull.into()),
            Self::WouldBlock => Err(io::ErrorKind::WouldBlock.into()),
            Self::Io => Err(io::Error::other("input/output error")),
            Self::Panic => panic!("scripted"),
        }
    }
}

/// A sink in memory whose writes follow a script, fault by fault; after the last one all succeed. Clones are the same sink.
///
/// It writes a line as a file does: again after a short or an interrupted write, until the line is complete or a write fails.
/// What was written of a line that failed stays.
///
/// ```
/// use tracing_strata::{Record, Severity, ledger::ErrorHandler, output::Stream, prelude::*, testing::fault::{Fault, FaultySink}};
///
/// let sink = FaultySink::new([Fault::Take(3), Fault::Full]);
/// let handler = Stream::sink(sink.clone()).named("disk");
/// handler.set_error_handler(ErrorHandler::silent());
/// ["first", "second"].map(|text| handler.emit(&Record::new(Severity::INFO, "shop", text)));
/// assert_eq!((handler.stats().failed, handler.stats().written), (1, 1));
/// assert!(sink.text().contains("second"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct FaultySink(Arc<(Mutex<Place>, Condvar)>);

#[derive(Debug, Default)]
struct Place {
    faults: VecDeque<Fault>,
    bytes: Vec<u8>,
    room: Option<usize>,
    is_blocked: bool,
    waiting: usize,
}

impl FaultySink {
    /// One that follows a script.
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        let sink = Self::default();
        sink.place().faults.extend(faults);
        sink
    }

    /// One that has room for so many bytes; then it is full.
    pub fn with_room(bytes: usize) -> Self {
        let sink = Self::default();
        sink.place().room = Some(bytes);
        sink
    }

    /// Adds faults to the script.
    pub fn then(&self, faults: impl IntoIterator<Item = Fault>) {
        self.place().faults.extend(faults);
    }

    /// Forgets the rest of the script, and has room for everything.
    pub fn heal(&self) {
        let mut place = self.place();
        place.faults.clear();
        place.room = None;
    }

    /// Has writers wait from now on, until [`release`](Self::release).
    pub fn block(&self) {
        self.place().is_blocked = true;
    }

    /// Lets writers go on.
    pub fn release(&self) {
        self.place().is_blocked = false;
        self.0.1.notify_all();
    }

    /// Waits until a writer waits in [`block`](Self::block).
    ///
    /// # Panics
    /// None came within a minute.
    pub fn wait_for_writer(&self) {
        let is_alone = |place: &mut Place| place.waiting == 0;
        let waited = self.0.1.wait_timeout_while(self.place(), Duration::from_secs(60), is_alone);
        let (place, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(place.waiting > 0, "no writer came within a minute");
    }

    /// Faults that are still to come: each write uses one.
    pub fn left(&self) -> usize {
        self.place().faults.len()
    }

    /// What was written.
    pub fn bytes(&self) -> Vec<u8> {
        self.place().bytes.clone()
    }

    /// What was written, as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.place().bytes).into_owned()
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_line(&self, mut line: &[u8]) -> io::Result<()> {
        let mut place = self.place();
        while place.is_blocked {
            place.waiting += 1;
            self.0.1.notify_all();
            place = self.0.1.wait(place).unwrap_or_else(PoisonError::into_inner);
            place.waiting -= 1;
        }
        while !line.is_empty() {
            let fault = place.faults.pop_front().unwrap_or(Fault::None);
            let room = place.room.unwrap_or(usize::MAX);
            let wanted = if room == 0 { Fault::Full.write(0)? } else { line.len().min(room) };
            let count = match fault.write(wanted) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            place.bytes.extend_from_slice(&line[..count]);
            place.room = place.room.map(|room| room - count);
            line = &line[count..];
        }
        Ok(())
    }
}

impl Sink for FaultySink {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| self.write_line(line))
    }
}
