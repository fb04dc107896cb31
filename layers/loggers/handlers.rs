//! Handlers and filters of loggers.

use std::sync::Arc;

use super::{Loggers, last_resort::LastResort, name};
use crate::{Error, NamedHandler, filter::Filter};

impl Loggers {
    /// Adds a handler to a logger, unless it is there already.
    ///
    /// # Errors
    /// As [`Loggers::add`].
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

    /// Removes a handler from a logger. False if it was not there.
    pub fn remove_handler(&self, name: &str, handler: &NamedHandler) -> bool {
        let removed = self.change(|tree| {
            let handlers = &mut tree.get_mut(&name::canonical(name))?.handlers;
            let index = handlers.iter().position(|known| known.is_same(handler))?;
            Some(handlers.remove(index))
        });
        removed.is_some()
    }

    /// The handlers of this very logger, in the order in which they get records.
    pub fn handlers(&self, name: &str) -> Vec<NamedHandler> {
        self.read_node(name, |node| node.handlers.clone()).unwrap_or_default()
    }

    /// Whether records of a name find any handler, on the way up to the root or to the first logger that does not
    /// propagate.
    pub fn has_handlers(&self, name: &str) -> bool {
        let tree = self.0.read();
        for (_, node) in tree.upwards(&name::canonical(name)) {
            if !node.handlers.is_empty() {
                return true;
            }
            if !node.propagate {
                return false;
            }
        }
        false
    }

    /// Sets whether records go on from this logger's handlers to those above (default: true).
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn set_propagate(&self, name: &str, propagate: bool) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| {
            tree.get_or_create(&name)?.propagate = propagate;
            Ok(())
        })
    }

    /// Whether records go on from this logger's handlers to those above.
    pub fn propagate(&self, name: &str) -> bool {
        self.read_node(name, |node| node.propagate).unwrap_or(true)
    }

    /// Adds a filter to a logger, after those before it, unless it is there already. It decides only about records of that
    /// very name, not about those from below.
    ///
    /// It decides only about records that go through these loggers' own layer ([`into_layer`](Self::into_layer) or a
    /// [`router`](Self::router)): in front of another layer, as in `.with_filter(loggers)`, there is no record yet. There,
    /// give the filter to the handler, with [`HandlerExt::filter`](crate::HandlerExt::filter).
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn add_filter(&self, name: &str, filter: Arc<dyn Filter>) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| {
            let filters = &mut tree.get_or_create(&name)?.filters;
            if !filters.iter().any(|known| is_same(known, &filter)) {
                filters.push(Arc::clone(&filter));
            }
            Ok(())
        })
    }

    /// Removes a filter from a logger. False if it was not there.
    pub fn remove_filter(&self, name: &str, filter: &Arc<dyn Filter>) -> bool {
        let removed = self.change(|tree| {
            let filters = &mut tree.get_mut(&name::canonical(name))?.filters;
            let index = filters.iter().position(|known| is_same(known, filter))?;
            Some(filters.remove(index))
        });
        removed.is_some()
    }

    /// The filters of this very logger, in the order in which they decide.
    pub fn filters(&self, name: &str) -> Vec<Arc<dyn Filter>> {
        self.read_node(name, |node| node.filters.clone()).unwrap_or_default()
    }

    /// Sets the handler for records that no handler was found for. By default it writes the bare message to stderr, from
    /// WARN on; `None`: no handler.
    ///
    /// Python: `logging.lastResort`.
    pub fn set_last_resort(&self, handler: Option<NamedHandler>) {
        let new = handler.map_or(LastResort::Off, LastResort::Custom);
        // Dropped with no lock held.
        drop(self.change(|tree| std::mem::replace(&mut tree.last_resort, new)));
    }

    /// The handler for records that no handler was found for.
    pub fn last_resort(&self) -> Option<NamedHandler> {
        let last_resort = self.0.read().last_resort.clone();
        last_resort.handler()
    }
}

fn is_same(a: &Arc<dyn Filter>, b: &Arc<dyn Filter>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}
