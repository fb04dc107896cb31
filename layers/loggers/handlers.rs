//! Handlers and filters of loggers.

use std::sync::Arc;

use super::{Loggers, last_resort::LastResort, name};
use crate::{Error, NamedHandler, filter::Filter};

impl Loggers {
    /// Adds a handler to a logger, unless it is there already.
    ///
    /// # Errors
    /// Those of [`Loggers::add`].
    pub fn add_handler(&self, name: &str, handler: NamedHandler) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| {
            let handlers = &mut tree.get_or_create(&name)?.handlers;
            if !handlers.iter().any(|known| known.is_same(&handler)) {
                handlers.push(handler.clone());
            }
            Ok(())
        })
    }

    /// Removes a handler from a logger. Returns false if it was not there.
    pub fn remove_handler(&self, name: &str, handler: &NamedHandler) -> bool {
        let removed = self.change(|tree| {
            let handlers = &mut tree.loggers.get_mut(&*name::canonical(name))?.handlers;
            let index = handlers.iter().position(|known| known.is_same(handler))?;
            Some(handlers.remove(index))
        });
        removed.is_some()
    }

    /// The handlers of exactly this logger, in the order they get records.
    pub fn handlers(&self, name: &str) -> Vec<NamedHandler> {
        self.read_logger(name, |logger| logger.handlers.clone()).unwrap_or_default()
    }

    /// Whether records of a name reach any handler, up to the root or to the first logger that does not propagate. Python:
    /// `Logger.hasHandlers`.
    pub fn has_handlers(&self, name: &str) -> bool {
        self.0.read().propagation(&name::canonical(name)).any(|logger| !logger.handlers.is_empty())
    }

    /// Sets whether records go on from this logger's handlers to those above (default: true).
    ///
    /// # Errors
    /// Those of [`Loggers::add`].
    pub fn set_propagate(&self, name: &str, propagate: bool) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| tree.get_or_create(&name).map(|logger| logger.propagate = propagate))
    }

    /// Whether records go on from this logger's handlers to those above.
    pub fn propagate(&self, name: &str) -> bool {
        self.read_logger(name, |logger| logger.propagate).unwrap_or(true)
    }

    /// Adds a filter to a logger, after its other filters, unless it is there already. It decides only about records of
    /// exactly that name, not about those of loggers below.
    ///
    /// The records must go through these loggers' own layer ([`into_layer`](Self::into_layer)) or
    /// [`router`](Self::router). In front of another layer, as in `.with_filter(loggers)`, there is no record yet: give the
    /// filter to the handler, with [`HandlerExt::filter`](crate::HandlerExt::filter).
    ///
    /// # Errors
    /// Those of [`Loggers::add`].
    pub fn add_filter(&self, name: &str, filter: Arc<dyn Filter>) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| tree.get_or_create(&name).map(|logger| logger.add_filter(Arc::clone(&filter))))
    }

    /// Removes a filter from a logger. Returns false if it was not there.
    pub fn remove_filter(&self, name: &str, filter: &Arc<dyn Filter>) -> bool {
        let removed = self.change(|tree| {
            let logger = tree.loggers.get_mut(&*name::canonical(name))?;
            logger.position(filter).map(|index| logger.filters.remove(index))
        });
        removed.is_some()
    }

    /// The filters of exactly this logger, in the order they decide.
    pub fn filters(&self, name: &str) -> Vec<Arc<dyn Filter>> {
        self.read_logger(name, |logger| logger.filters.clone()).unwrap_or_default()
    }

    /// Sets the handler for records that reach no other, or none with `None`. The default one writes the bare message of
    /// records at WARN and above to stderr.
    ///
    /// Python: `logging.lastResort`.
    pub fn set_last_resort(&self, handler: Option<NamedHandler>) {
        let new = handler.map_or(LastResort::Off, LastResort::Custom);
        // The old one is dropped with no lock held.
        drop(self.change(|tree| std::mem::replace(&mut tree.last_resort, new)));
    }

    /// The handler for records that reach no other.
    pub fn last_resort(&self) -> Option<NamedHandler> {
        let last_resort = self.0.read().last_resort.clone();
        last_resort.handler()
    }
}
