//! Creates a [`Logging`] system.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use super::logging::{Inner, Logging, last_resort};
use crate::{
    Error, Fields, Loggers, Severity,
    clock::Clock,
    config::{document::Config, registry::ClassRegistry, setup::Setup},
    fork::ForkMutex,
    ledger::ErrorHandler,
};

impl Logging {
    /// A system with nothing configured: the root at WARN, and the last resort.
    pub fn new() -> Self {
        Self::builder().empty()
    }

    /// A system with options.
    pub fn builder() -> LoggingBuilder {
        LoggingBuilder::new()
    }

    /// A system configured by a file, the files that it includes and the variables of the environment
    /// ([`Config::expand_includes`], [`Config::expand_env`], [`Config::override_from_env`]).
    ///
    /// # Errors
    /// As for [`Config::from_path`] and [`reload`](Self::reload).
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().build(&Config::load(path.as_ref())?)
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self::new()
    }
}

/// Options of a [`Logging`], made by [`Logging::builder`].
#[must_use]
pub struct LoggingBuilder {
    registry: ClassRegistry,
    clock: Option<Arc<dyn Clock>>,
    error_handler: ErrorHandler,
    globals: Option<Fields>,
    as_python: bool,
    loggers: Option<Loggers>,
    trace_ids: bool,
    value_limit: Option<usize>,
}

impl LoggingBuilder {
    pub(super) fn new() -> Self {
        Self {
            registry: ClassRegistry::new(),
            clock: None,
            error_handler: ErrorHandler::default(),
            globals: None,
            as_python: false,
            loggers: None,
            trace_ids: false,
            value_limit: None,
        }
    }

    /// The names that configurations may use (default: [`ClassRegistry::new`]).
    pub fn registry(mut self, registry: ClassRegistry) -> Self {
        self.registry = registry;
        self
    }

    /// The clock of records and rotating files (default: the system's).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Gets the failures of all handlers (default: [`ErrorHandler::stderr`]).
    pub fn error_handler(mut self, error_handler: ErrorHandler) -> Self {
        self.error_handler = error_handler;
        self
    }

    /// Fields that every record carries.
    pub fn globals(mut self, fields: impl Into<Fields>) -> Self {
        self.globals = Some(fields.into());
        self
    }

    /// Creates trace ids for spans, as [`HandlerLayer::trace_ids`](crate::HandlerLayer::trace_ids) does.
    pub fn trace_ids(mut self) -> Self {
        self.trace_ids = true;
        self
    }

    /// The size limit of a value, in bytes: [`HandlerLayer::value_limit`](crate::HandlerLayer::value_limit).
    pub fn value_limit(mut self, bytes: usize) -> Self {
        self.value_limit = Some(bytes);
        self
    }

    /// The loggers to configure (default: new ones), if the application has some already.
    pub fn loggers(mut self, loggers: Loggers) -> Self {
        self.loggers = Some(loggers);
        self
    }

    /// Restores Python's defaults: see [Differences](crate::config#differences-from-python). For a migration that first
    /// keeps the same lines, and takes the safe defaults later.
    pub fn python_defaults(mut self) -> Self {
        self.as_python = true;
        self
    }

    /// A system with nothing configured.
    pub fn empty(self) -> Logging {
        let Self { registry, clock, error_handler, globals, as_python, loggers, trace_ids, value_limit } = self;
        let loggers = loggers.unwrap_or_default();
        if as_python {
            loggers.set_last_resort(Some(last_resort(Severity::WARN)));
        }
        let setup = Setup { registry: Arc::new(registry), clock, error_handler, as_python };
        Logging(Arc::new(Inner {
            loggers,
            setup,
            globals,
            trace_ids,
            value_limit,
            state: ForkMutex::default(),
            changes_records: AtomicBool::new(false),
            last_install: ForkMutex::default(),
        }))
    }

    /// A system with a configuration.
    ///
    /// # Errors
    /// As for [`Logging::reload`].
    pub fn build(self, config: &Config) -> Result<Logging, Error> {
        let logging = self.empty();
        logging.reload(config)?;
        Ok(logging)
    }
}
