//! Waiting for room in something that is full, with a deadline.

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

/// Waits for room in a full, non-blocking stream or socket, for one record.
pub(crate) struct Patience<'a> {
    stuck: &'a AtomicBool,
    deadline: Duration,
    /// When there first was no room for this record.
    since: Option<Instant>,
}

impl<'a> Patience<'a> {
    /// `stuck` is remembered from record to record: whether nothing was taken until the deadline of an earlier one. Then
    /// further records do not wait at all, until [`relieve`] is told that something was taken.
    pub(crate) fn new(stuck: &'a AtomicBool, deadline: Duration) -> Self {
        Self { stuck, deadline, since: None }
    }

    /// Tries until it is done, refused, or too late.
    pub(crate) fn insist<T>(
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

    /// Until there is room, or an error which the next attempt will tell.
    #[cold]
    pub(crate) fn wait(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let limit = if self.stuck.load(Ordering::Relaxed) { Duration::ZERO } else { self.deadline };
        loop {
            let Some(left) = limit.checked_sub(self.since.get_or_insert_with(Instant::now).elapsed()) else {
                return Err(self.give_up());
            };
            // A time that does not fit is as good as for ever.
            let timeout = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], timeout.as_ref()) {
                Ok(0) => return Err(self.give_up()),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn give_up(&self) -> io::Error {
        // Whoever had no time to wait has not learned that it is stuck.
        if !self.deadline.is_zero() {
            self.stuck.store(true, Ordering::Relaxed);
        }
        let deadline = self.deadline;
        io::Error::new(io::ErrorKind::TimedOut, format!("it is full, and its reader took nothing for {deadline:?}"))
    }
}

/// Something was taken.
#[inline]
pub(crate) fn relieve(stuck: &AtomicBool) {
    // Mostly it is not; a store would make all threads fetch the line anew.
    if stuck.load(Ordering::Relaxed) {
        stuck.store(false, Ordering::Relaxed);
    }
}
