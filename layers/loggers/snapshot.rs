//! All loggers at once, for configurations.

use std::collections::BTreeMap;

use super::{
    Loggers, interest, name,
    tree::{self, LoggerState},
};
use crate::{Error, NamedHandler};

/// Loggers by canonical name: with dots, and empty for the root.
pub(crate) type AllLoggers = BTreeMap<String, LoggerState>;

impl Loggers {
    /// A key of [`AllLoggers`].
    ///
    /// # Errors
    /// The name is too long.
    pub(crate) fn canonical_name(name: &str) -> Result<String, Error> {
        name::checked(name).map(|name| name.into_owned())
    }

    /// All loggers as they are.
    pub(crate) fn snapshot(&self) -> AllLoggers {
        self.0.read().loggers.clone()
    }

    /// Replaces a handler by another one, or removes it, on every logger. Returns what was removed, to be dropped with no
    /// lock held.
    pub(crate) fn exchange_handler(&self, old: &NamedHandler, new: Option<&NamedHandler>) -> Vec<NamedHandler> {
        self.change(|tree| {
            let mut taken = Vec::new();
            for logger in tree.loggers.values_mut() {
                let Some(index) = logger.handlers.iter().position(|known| known.is_same(old)) else { continue };
                taken.push(match new {
                    Some(new) => std::mem::replace(&mut logger.handlers[index], new.clone()),
                    None => logger.handlers.remove(index),
                });
            }
            taken
        })
    }

    /// Whether [`replace_all`](Self::replace_all) would accept them.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn check_count(all: &AllLoggers) -> Result<(), Error> {
        if all.len() > tree::MAX_LOGGERS { Err(tree::too_many()) } else { Ok(()) }
    }

    /// Replaces all loggers at once; a root is added if there is none. [`disable`](Self::disable) and the last resort stay. Dropping the result makes
    /// `tracing` ask about its call sites again.
    ///
    /// # Errors
    /// There are too many; then nothing is changed.
    pub(crate) fn replace_all(&self, mut all: AllLoggers) -> Result<RetiredLoggers, Error> {
        Self::check_count(&all)?;
        all.entry(String::new()).or_insert_with(LoggerState::root);
        Ok(RetiredLoggers(self.change(|tree| std::mem::replace(&mut tree.loggers, all))))
    }
}

/// The loggers as they were. Drop it with no lock held: handlers and filters are user code, and so are the filters that
/// `tracing` asks about its call sites.
#[must_use = "drop it with no lock held"]
pub(crate) struct RetiredLoggers(#[expect(dead_code, reason = "only dropped")] AllLoggers);

impl Drop for RetiredLoggers {
    fn drop(&mut self) {
        interest::rebuild();
    }
}
