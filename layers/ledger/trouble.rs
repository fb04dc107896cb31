//! The latest error of a handler, for those who ask how it is.

use std::time::SystemTime;

use crate::{
    Error,
    fork::ForkRwLock,
    text::head,
    unwind::{catch, panicked},
};

/// The longest text that is kept of an error, in bytes.
const MAX_TEXT: usize = 1024;

/// Errors since a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The first of them.
    pub(crate) since: SystemTime,
    pub(crate) latest: SystemTime,
    /// The text of the latest.
    pub(crate) error: String,
    /// How many records had been written then.
    pub(crate) written: u64,
}

#[derive(Debug, Default)]
pub(super) struct LatestTrouble(ForkRwLock<Option<Trouble>>);

impl LatestTrouble {
    pub(super) fn get(&self) -> Option<Trouble> {
        self.0.get()
    }

    pub(super) fn clear(&self) {
        self.0.set(None);
    }

    pub(super) fn note(&self, error: &Error, written: u64, now: SystemTime) {
        // Under no lock: the text may be that of a user's error.
        let error = catch(|| error.to_string()).unwrap_or_else(|panic| panicked("print its error", &panic).to_string());
        let error = head(&error, MAX_TEXT).to_owned();
        let mut trouble = self.0.write();
        let before = trouble.as_ref().filter(|trouble| trouble.written == written);
        let since = before.map_or(now, |trouble| trouble.since);
        *trouble = Some(Trouble { since, latest: now, error, written });
    }
}
