//! Levels, and what else decides whether a record passes.

use std::sync::atomic::Ordering;

use super::{Loggers, cache, name, parse};
use crate::{Error, Severity};

impl Loggers {
    /// Replaces all levels by those of [directives](super#directives), at once or not at all; the root is at WARN unless
    /// they say otherwise. Handlers, filters and switches stay; loggers without any other setting are removed.
    ///
    /// # Errors
    /// As [`Loggers::parse`]; then nothing is changed.
    pub fn apply(&self, directives: &str) -> Result<(), Error> {
        let levels = parse::parse(directives)?;
        self.change_levels(|tree| tree.set_levels(&levels))
    }

    /// Sets the level of a logger and of those below that have none. A changed level makes `tracing` ask about every call
    /// site again, about a microsecond each: to set many levels at once, use [`apply`](Self::apply).
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn set_level(&self, name: &str, level: impl Into<Severity>) -> Result<(), Error> {
        let level = level.into();
        let name = name::checked(name)?;
        if self.level(&name) == Some(level) {
            return Ok(());
        }
        self.change_levels(|tree| {
            tree.get_or_create(&name)?.level = Some(level);
            Ok(())
        })
    }

    /// Removes the level of a logger: that of the nearest one above counts again (Python's `setLevel(NOTSET)`). If the root
    /// has none either, all records pass.
    pub fn clear_level(&self, name: &str) {
        self.change_levels(|tree| {
            if let Some(node) = tree.get_mut(&name::canonical(name)) {
                node.level = None;
            }
        });
    }

    /// The level of this very logger.
    pub fn level(&self, name: &str) -> Option<Severity> {
        self.read_node(name, |node| node.level)?
    }

    /// The level that counts for a name: its own, or that of the nearest logger above that has one.
    pub fn effective_level(&self, name: &str) -> Severity {
        self.0.read().effective(&name::canonical(name)).0
    }

    /// Whether records of this name and severity get past the loggers. Does not allocate.
    pub fn is_enabled_for(&self, name: &str, severity: impl Into<Severity>) -> bool {
        i64::from(severity.into().number()) >= cache::threshold(&self.0, name).floor
    }

    /// Refuses all records up to a severity, whatever the levels say (Python's `logging.disable`). Severities of 0 and
    /// less are always refused.
    pub fn disable(&self, up_to: impl Into<Severity>) {
        let up_to = up_to.into();
        self.change_levels(|tree| tree.disabled_up_to = up_to);
    }

    /// Ends [`Loggers::disable`].
    pub fn enable(&self) {
        self.disable(Severity::ALL);
    }

    /// The severity up to which everything is refused; [`Severity::ALL`] if nothing is.
    pub fn disabled_up_to(&self) -> Severity {
        self.0.read().disabled_up_to
    }

    /// Sets the minimum level of spans, whatever their target (default: [`Severity::ALL`]). Records inside a refused span
    /// lack its fields.
    pub fn set_span_level(&self, level: impl Into<Severity>) {
        let level = level.into();
        self.change_levels(|_| self.0.span_level.store(level.number(), Ordering::Release));
    }

    /// The minimum level of spans.
    #[inline]
    pub fn span_level(&self) -> Severity {
        Severity::new(self.0.span_level.load(Ordering::Acquire))
    }

    /// Disables a logger, or enables it again. This concerns only records of that very name, not those below.
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn set_disabled(&self, name: &str, disabled: bool) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change_levels(|tree| {
            tree.get_or_create(&name)?.disabled = disabled;
            Ok(())
        })
    }

    /// Whether a logger is disabled.
    pub fn disabled(&self, name: &str) -> bool {
        self.read_node(name, |node| node.disabled).unwrap_or_default()
    }
}
