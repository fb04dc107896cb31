//! All loggers at once, for configurations.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Loggers, interest, name,
    tree::{Node, Tree},
};
use crate::{Error, NamedHandler, Severity, filter::Filter};

/// The settings of one logger.
#[derive(Clone)]
pub(crate) struct LoggerState {
    /// With dots; empty for the root.
    pub(crate) name: String,
    pub(crate) level: Option<Severity>,
    pub(crate) propagate: bool,
    pub(crate) disabled: bool,
    pub(crate) handlers: Vec<NamedHandler>,
    pub(crate) filters: Vec<Arc<dyn Filter>>,
}

impl LoggerState {
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        Ok(Self::of(name::checked(name)?.into_owned(), Node::default()))
    }

    fn of(name: String, node: Node) -> Self {
        let Node { level, propagate, disabled, handlers, filters } = node;
        Self { name, level, propagate, disabled, handlers, filters }
    }
}

impl Loggers {
    /// All loggers as they are, the root first.
    pub(crate) fn snapshot(&self) -> Vec<LoggerState> {
        let tree = self.0.read();
        tree.iter().map(|(name, node)| LoggerState::of(name.to_owned(), node.clone())).collect()
    }

    /// Replaces a handler by another one, or removes it, on every logger. Returns what was removed, to be dropped with no
    /// lock held.
    pub(crate) fn exchange_handler(&self, old: &NamedHandler, new: Option<&NamedHandler>) -> Vec<NamedHandler> {
        self.change(|tree| {
            let mut taken = Vec::new();
            for node in tree.nodes_mut() {
                let Some(index) = node.handlers.iter().position(|known| known.is_same(old)) else { continue };
                taken.push(match new {
                    Some(new) => std::mem::replace(&mut node.handlers[index], new.clone()),
                    None => node.handlers.remove(index),
                });
            }
            taken
        })
    }

    /// Whether [`replace_all`](Self::replace_all) would accept them.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn check_count(all: &[LoggerState]) -> Result<(), Error> {
        Tree::check_count(all.len())
    }

    /// Replaces all loggers at once; [`disable`](Self::disable) and the last resort stay. The root always exists. Dropping
    /// the result makes `tracing` ask about its call sites again.
    ///
    /// # Errors
    /// There are too many; then nothing is changed.
    pub(crate) fn replace_all(&self, all: Vec<LoggerState>) -> Result<RetiredLoggers, Error> {
        let nodes = all.into_iter().map(|state| {
            let LoggerState { name, level, propagate, disabled, handlers, filters } = state;
            (name, Node { level, propagate, disabled, handlers, filters })
        });
        let nodes: Vec<_> = nodes.collect();
        self.change(|tree| tree.replace(nodes)).map(RetiredLoggers)
    }
}

/// The loggers as they were. Drop it with no lock held: dropping handlers and filters runs user code, and so do the
/// filters that `tracing` asks about its call sites.
#[must_use = "drop it with no lock held"]
pub(crate) struct RetiredLoggers(#[expect(dead_code, reason = "only dropped")] BTreeMap<Box<str>, Node>);

impl Drop for RetiredLoggers {
    fn drop(&mut self) {
        interest::rebuild();
    }
}
