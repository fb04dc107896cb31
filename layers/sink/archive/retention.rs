//! How many rotated files to keep.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// How many rotated files to keep, for how long, and how many bytes they may take. Each limit applies by itself;
/// without any, all files are kept. The oldest are deleted first.
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::sink::Retention;
///
/// let month = Retention::new().age(Duration::from_secs(31 * 86_400)).bytes(10 << 30);
/// # drop(month);
/// ```
///
/// Applied at the start and after each rotation, and only to files whose names parse completely as rotated files of
/// this handler: `app.log` never deletes `app-error.log` or `app.log.notes`. A file that a handler of this process has
/// open is never deleted.
///
/// Python: `backupCount`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Retention {
    files: Option<usize>,
    age: Option<Duration>,
    bytes: Option<u64>,
}

impl Retention {
    /// Keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps at most this many rotated files, not counting the file in use. 0 keeps none.
    pub fn files(mut self, max: usize) -> Self {
        self.files = Some(max);
        self
    }

    /// Keeps files that were last modified within this time.
    pub fn age(mut self, max: Duration) -> Self {
        self.age = Some(max);
        self
    }

    /// Keeps the newest files whose lengths, with that of the file in use, add up to at most this many bytes. If the
    /// file in use alone is longer, no rotated file is kept.
    pub fn bytes(mut self, max: u64) -> Self {
        self.bytes = Some(max);
        self
    }

    /// The files to delete, the oldest first. `active` is the length of the file in use.
    pub(crate) fn surplus<'a>(&self, rotated: &'a [BackupFile], active: u64, now: SystemTime) -> Vec<&'a BackupFile> {
        let mut newest_first: Vec<_> = rotated.iter().collect();
        newest_first.sort_by_key(|file| std::cmp::Reverse((file.since, file.sequence)));
        let mut room = self.bytes.map(|max| max.saturating_sub(active));
        let (mut kept, mut full) = (0, self.bytes.is_some_and(|max| active > max));
        let mut surplus = Vec::new();
        let mut last_kept = None;
        for file in newest_first {
            // Both plain and compressed, because the archive thread is about to delete the plain one: they count as
            // one.
            if last_kept == Some((file.since, file.sequence)) {
                continue;
            }
            let age = now.duration_since(file.modified).unwrap_or_default();
            if self.age.is_some_and(|max| age > max) {
                surplus.push(file);
                continue;
            }
            // If one does not fit, no older file is kept in its place.
            full |= room.is_some_and(|room| file.len > room) || self.files.is_some_and(|max| kept >= max);
            if full {
                surplus.push(file);
            } else {
                kept += 1;
                last_kept = Some((file.since, file.sequence));
                room = room.map(|room| room - file.len);
            }
        }
        surplus.reverse();
        surplus
    }
}

/// A rotated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackupFile {
    pub(crate) path: PathBuf,
    /// Files are ordered by name, independent of clocks: by this first, …
    pub(crate) since: SystemTime,
    /// … then by this. Larger is newer.
    pub(crate) sequence: u64,
    /// The file's age counts from here.
    pub(crate) modified: SystemTime,
    pub(crate) len: u64,
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn file(since: u64, sequence: u64, len: u64) -> BackupFile {
        let path = format!("{since}.{sequence}").into();
        BackupFile { path, since: at(since), sequence, modified: at(since), len }
    }

    fn names(surplus: Vec<&BackupFile>) -> Vec<String> {
        surplus.iter().map(|file| file.path.display().to_string()).collect()
    }

    #[test]
    fn without_a_limit_all_are_kept() {
        let files = [file(1, 0, u64::MAX), file(2, 0, u64::MAX)];
        assert_eq!(names(Retention::new().surplus(&files, u64::MAX, at(u32::MAX.into()))), [""; 0]);
    }

    #[test]
    fn t32_a_file_that_is_plain_and_compressed_at_once_is_one() {
        let files = [file(1, 0, 10), file(2, 0, 10), file(3, 0, 10), file(3, 0, 4)];
        assert_eq!(names(Retention::new().files(3).surplus(&files, 0, at(9))), [""; 0]);
        assert_eq!(names(Retention::new().bytes(30).surplus(&files, 0, at(9))), [""; 0]);
        assert_eq!(names(Retention::new().files(2).surplus(&files, 0, at(9))), ["1.0"]);
    }

    #[test]
    fn t32_by_count_the_oldest_go_and_equal_times_are_told_by_their_sequence() {
        let files = [file(5, 1, 1), file(5, 3, 1), file(4, 9, 1), file(5, 2, 1)];
        assert_eq!(names(Retention::new().files(2).surplus(&files, 0, at(5))), ["4.9", "5.1"]);
        assert_eq!(Retention::new().files(0).surplus(&files, 0, at(5)).len(), 4);
        assert_eq!(Retention::new().files(4).surplus(&files, 0, at(5)).len(), 0);
    }

    #[test]
    fn t32_by_bytes_the_file_in_use_may_be_the_only_excess() {
        let files = [file(1, 0, 10), file(2, 0, 10), file(3, 0, 10)];
        let surplus = |bytes, active| names(Retention::new().bytes(bytes).surplus(&files, active, at(3)));
        assert_eq!(surplus(30, 0), [""; 0]);
        assert_eq!(surplus(29, 0), ["1.0"]);
        assert_eq!(surplus(30, 1), ["1.0"]);
        assert_eq!(surplus(30, 31), ["1.0", "2.0", "3.0"]);
    }

    #[test]
    fn t32_by_bytes_no_old_file_is_kept_in_the_place_of_a_newer_one() {
        let files = [file(1, 0, 1), file(2, 0, 100), file(3, 0, 10)];
        assert_eq!(names(Retention::new().bytes(50).surplus(&files, 0, at(3))), ["1.0", "2.0"]);
    }

    #[test]
    fn t32_by_age_and_a_clock_that_went_back() {
        let files = [file(100, 0, 1), file(50, 0, 1), file(49, 0, 1), file(300, 0, 1)];
        let surplus = |now| names(Retention::new().age(Duration::from_secs(50)).surplus(&files, 0, at(now)));
        assert_eq!(surplus(100), ["49.0"]);
        // From the future: not old.
        assert_eq!(surplus(10), [""; 0]);
    }

    #[test]
    fn t34_the_order_is_that_of_the_names_whatever_the_clock_says() {
        // The newest was written after the clock had gone back.
        let mut newest = file(0, u64::MAX - 1, 1);
        newest.modified = at(10);
        let mut older = file(0, u64::MAX - 2, 1);
        older.modified = at(20);
        let files = [older, newest];
        assert_eq!(names(Retention::new().files(1).surplus(&files, 0, at(10))), [files[0].path.display().to_string()]);
    }

    proptest! {
        /// After retention every limit holds, and with one more of the deleted files it would not.
        #[test]
        fn t32_limits_hold_and_no_more_goes_than_must(
            files in prop::collection::vec((0..6_u64, 0..50_u64), 0..12),
            most in prop::option::of(0..8_usize), age in prop::option::of(0..8_u64), bytes in prop::option::of(0..200_u64),
            active in 0..100_u64, now in 0..10_u64,
        ) {
            let files: Vec<_> = files.iter().zip(0..).map(|((since, len), sequence)| file(*since, sequence, *len)).collect();
            let retention = Retention { files: most, age: age.map(Duration::from_secs), bytes };
            let surplus = retention.surplus(&files, active, at(now));
            let kept: Vec<_> = files.iter().filter(|file| !surplus.contains(file)).collect();
            let is_young = |file: &&BackupFile| age.is_none_or(|age| file.modified + Duration::from_secs(age) >= at(now));
            let holds = |kept: &[&BackupFile]| {
                most.is_none_or(|most| kept.len() <= most)
                    && bytes.is_none_or(|bytes| kept.is_empty() || kept.iter().map(|file| file.len).sum::<u64>() + active <= bytes)
                    && kept.iter().all(is_young)
            };
            prop_assert!(holds(&kept));
            let key = |file: &BackupFile| (file.since, file.sequence);
            if let Some(newest) = surplus.iter().rev().find(|file| is_young(file)) {
                prop_assert!(kept.iter().all(|kept| key(kept) > key(newest)));
                prop_assert!(!holds(&[&kept[..], &[*newest]].concat()));
            }
            prop_assert!(surplus.is_sorted_by_key(|file| key(file)));
        }
    }
}
