//! Renames and links, and times in seconds.

use std::{
    cell::Cell,
    fs, io,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::names::exists;

thread_local! {
    /// The last second that was worked out: from when, to when, which. To compare is cheaper than to work it out.
    static LAST: Cell<(SystemTime, SystemTime, i64)> = const { Cell::new((UNIX_EPOCH, UNIX_EPOCH, 0)) };
}

#[inline]
pub(super) fn seconds(time: SystemTime) -> i64 {
    let (from, until, second) = LAST.get();
    if from <= time && time < until { second } else { seconds_anew(time) }
}

#[cold]
fn seconds_anew(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => {
            let from = UNIX_EPOCH.checked_add(Duration::from_secs(since.as_secs()));
            if let Some((from, until)) = from.and_then(|from| Some((from, from.checked_add(Duration::from_secs(1))?))) {
                LAST.set((from, until, whole(since)));
            }
            whole(since)
        }
        Err(before) => -whole(before.duration()) - 1,
    }
}

fn whole(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4)
}

/// Renames, never over something.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::{
            fs::{CWD, RenameFlags, renameat_with},
            io::Errno,
        };
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // File systems that cannot.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            result => return result.map_err(Into::into),
        }
    }
    if exists(to) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Makes a link, or turns one that leads elsewhere; anything else of this name stays.
pub(super) fn link_to(link: &Path, target: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let target = match (link.parent(), target.parent(), target.file_name()) {
            (Some(here), Some(there), Some(name)) if here == there => Path::new(name),
            _ => target,
        };
        match fs::read_link(link) {
            Ok(present) if present == target => return Ok(()),
            Ok(_) => fs::remove_file(link)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and no link"));
            }
            Err(error) => return Err(error),
        }
        std::os::unix::fs::symlink(target, link)
    }
    #[cfg(not(unix))]
    {
        let _ = (link, target);
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_those_of_any_time_in_any_order() {
        let second = Duration::from_secs(1);
        let after = |nanos: u64| UNIX_EPOCH + Duration::from_nanos(nanos);
        for _ in 0..2 {
            for (time, expected) in [
                (after(0), 0),
                (after(999_999_999), 0),
                (after(1_000_000_000), 1),
                (after(1_999_999_999), 1),
                (UNIX_EPOCH - Duration::from_nanos(1), -1),
                (UNIX_EPOCH - second, -2),
                (after(500), 0),
                (UNIX_EPOCH + Duration::from_secs(1 << 40), 1 << 40),
                (after(1_500_000_000), 1),
            ] {
                assert_eq!(seconds(time), expected, "{time:?}");
                assert_eq!(seconds(time), expected, "{time:?}");
            }
        }
    }
}
