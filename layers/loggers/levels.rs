//! Levels, and the switches that refuse records beside them.

use std::sync::atomic::Ordering;

use super::{Loggers, cache, directives, name};
use crate::{Error, Severity};

impl Loggers {
    /// Replaces all levels by those of [directives](super#directives), at once. The root is at WARN unless they say
    /// otherwise. Other settings stay, and loggers that have none are removed.
    ///
    /// # Errors
    /// Those of [`Loggers::parse`]; then nothing is changed.
    pub fn apply(&self, directives: &str) -> Result<(), Error> {
        let levels = directives::parse(directives)?;
        self.change_levels(|tree| tree.set_levels(&levels))
    }

    /// Sets the level of a logger, and so of those below that have none. A change makes `tracing` ask about every call site
    /// again, at about a microsecond each. To set many levels at once, use [`apply`](Self::apply).
    ///
    /// # Errors
    /// Those of [`Loggers::add`].
    pub fn set_level(&self, name: &str, level: impl Into<Severity>) -> Result<(), Error> {
        let level = level.into();
        let name = name::checked(name)?;
        if self.level(&name) == Some(level) {
            return Ok(());
        }
        self.change_levels(|tree| tree.get_or_create(&name).map(|logger| logger.level = Some(level)))
    }

    /// Removes the level of a logger, so that it takes that of the nearest logger above. Without any level up to the root,
    /// all records pass. Python: `setLevel(NOTSET)`.
    pub fn clear_level(&self, name: &str) {
        self.change_levels(|tree| {
            if let Some(logger) = tree.loggers.get_mut(&*name::canonical(name)) {
                logger.level = None;
            }
        });
    }

    /// The level of exactly this logger; `None` if it has none.
    pub fn level(&self, name: &str) -> Option<Severity> {
        self.read_logger(name, |logger| logger.level)?
    }

    /// The effective level of a name: its own, or that of the nearest logger above that has one.
    pub fn effective_level(&self, name: &str) -> Severity {
        self.0.read().effective(&name::canonical(name)).0
    }

    /// Whether records of this name and severity pass the loggers. Does not allocate.
    pub fn is_enabled_for(&self, name: &str, severity: impl Into<Severity>) -> bool {
        i64::from(severity.into().number()) >= cache::threshold(&self.0, name).minimum
    }

    /// Refuses all records up to a severity, whatever the levels. Python: `logging.disable`. Severities of 0 and less are
    /// always refused.
    pub fn disable(&self, up_to: impl Into<Severity>) {
        let up_to = up_to.into();
        self.change_levels(|tree| tree.disabled_up_to = up_to);
    }

    /// Undoes [`disable`](Self::disable).
    pub fn enable(&self) {
        self.disable(Severity::ALL);
    }

    /// The severity up to which all records are refused; [`Severity::ALL`] if none are.
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

    /// Disables a logger, or enables it again. This concerns only records of exactly that name, not those of loggers below.
    ///
    /// # Errors
    /// Those of [`Loggers::add`].
    pub fn set_disabled(&self, name: &str, disabled: bool) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change_levels(|tree| tree.get_or_create(&name).map(|logger| logger.disabled = disabled))
    }

    /// Whether exactly this logger is disabled.
    pub fn disabled(&self, name: &str) -> bool {
        self.read_logger(name, |logger| logger.disabled).unwrap_or_default()
    }
}
