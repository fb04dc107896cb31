//! All loggers at once, for whoever declares them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Loggers, interest, name,
    tree::{Node, Tree},
};
use crate::{Error, NamedHandler, Severity, filter::Filter};

/// What is set on one logger.
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
        let node = Node::default();
        Ok(Self {
            name: name::checked(name)?.into_owned(),
            level: None,
            propagate: node.propagate,
            disabled: false,
            handlers: Vec::new(),
            filters: Vec::new(),
        })
    }
}

impl Loggers {
    /// All loggers as they are, the root first.
    pub(crate) fn declared(&self) -> Vec<LoggerState> {
        let tree = self.0.read();
        let declared = |(name, node): (&str, &Node)| LoggerState {
            name: name.to_owned(),
            level: node.level,
            propagate: node.propagate,
            disabled: node.disabled,
            handlers: node.handlers.clone(),
            filters: node.filters.clone(),
        };
        tree.iter().map(declared).collect()
    }

    /// Puts another handler in the place of one, or none, on every logger where it hangs. What was taken off is given back,
    /// to be dropped when nothing is locked.
    pub(crate) fn exchange(&self, old: &NamedHandler, new: Option<&NamedHandler>) -> Vec<NamedHandler> {
        self.change_handlers(|tree| {
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

    /// Whether [`declare`](Self::declare) would take them.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn have_room_for(all: &[LoggerState]) -> Result<(), Error> {
        Tree::check_count(all.len())
    }

    /// Replaces all loggers at once; [`disable`](Self::disable) and the last resort stay. The root always exists. Call sites
    /// are told at the end of what is returned.
    ///
    /// # Errors
    /// There are too many; then nothing is changed.
    pub(crate) fn declare(&self, all: Vec<LoggerState>) -> Result<RetiredLoggers, Error> {
        let nodes = all.into_iter().map(|declared| {
            let LoggerState { name, level, propagate, disabled, handlers, filters } = declared;
            (name, Node { level, propagate, disabled, handlers, filters })
        });
        let nodes: Vec<_> = nodes.collect();
        self.change_handlers(|tree| tree.replace(nodes)).map(RetiredLoggers)
    }
}

/// The loggers as they were, to be dropped when nothing is locked any more: handlers and filters are somebody else's code,
/// and so is what call sites ask when they are told of the change.
#[must_use = "drop it when nothing is locked"]
pub(crate) struct RetiredLoggers(#[expect(dead_code, reason = "its end is all that matters")] BTreeMap<Box<str>, Node>);

impl Drop for RetiredLoggers {
    fn drop(&mut self) {
        interest::rebuild();
    }
}
