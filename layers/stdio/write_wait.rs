//! Waits until a full stream or socket is writable, with a timeout.

use std::{
    io,
    os::fd::BorrowedFd,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// Waits for one record until a full, non-blocking stream or socket is writable.
pub(crate) struct WriteWait<'a> {
    stuck: &'a AtomicBool,
    timeout: Duration,
    /// When this record first found it full.
    since: Option<Instant>,
}

impl<'a> WriteWait<'a> {
    /// `stuck` is shared by all records: set once a record has timed out. Then further records do not wait at all, until
    /// [`clear_stuck`] says that something was written.
    pub(crate) fn new(stuck: &'a AtomicBool, timeout: Duration) -> Self {
        Self { stuck, timeout, since: None }
    }

    /// Retries until the attempt succeeds, fails otherwise, or times out.
    pub(crate) fn retry_until_writable<T>(
        &mut self,
        fd: BorrowedFd<'_>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(fd)?,
                result => return result,
            }
        }
    }

    /// Waits until it is writable, or has an error that the next attempt returns.
    #[cold]
    pub(crate) fn wait(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let limit = if self.stuck.load(Ordering::Relaxed) { Duration::ZERO } else { self.timeout };
        loop {
            let Some(left) = limit.checked_sub(self.since.get_or_insert_with(Instant::now).elapsed()) else {
                return Err(self.timed_out());
            };
            // A time that does not fit counts as infinite.
            let timeout = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], timeout.as_ref()) {
                Ok(0) => return Err(self.timed_out()),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn timed_out(&self) -> io::Error {
        // Without a wait, it is unknown whether it is stuck.
        if !self.timeout.is_zero() {
            self.stuck.store(true, Ordering::Relaxed);
        }
        let timeout = self.timeout;
        io::Error::new(io::ErrorKind::TimedOut, format!("it is full, and its reader took nothing for {timeout:?}"))
    }
}

/// Something was written.
#[inline]
pub(crate) fn clear_stuck(stuck: &AtomicBool) {
    // It is rarely set, and a store would invalidate the cache line of all threads.
    if stuck.load(Ordering::Relaxed) {
        stuck.store(false, Ordering::Relaxed);
    }
}
