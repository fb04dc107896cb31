//! What a system has from the start.

use std::sync::{Arc, atomic::AtomicBool};

use super::{Inner, Logging};
use crate::{
    Error, Fields, HandlerExt as _, Loggers, NamedHandler, Severity,
    clock::Clock,
    config::{Setup, document::Config, formatters, registry::ClassRegistry},
    fork::Heirloom,
    ledger::ErrorHandler,
    output::Stream,
};

/// What a system has from the start. Made by [`Logging::builder`].
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

    /// Which clock records and rotating files go by (default: the system's).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Where the failures of all handlers go (default: [`ErrorHandler::stderr`]).
    pub fn error_handler(mut self, error_handler: ErrorHandler) -> Self {
        self.error_handler = error_handler;
        self
    }

    /// Fields that every record carries.
    pub fn globals(mut self, fields: impl Into<Fields>) -> Self {
        self.globals = Some(fields.into());
        self
    }

    /// Makes trace ids for spans, as [`HandlerLayer::trace_ids`](crate::HandlerLayer::trace_ids) does.
    pub fn trace_ids(mut self) -> Self {
        self.trace_ids = true;
        self
    }

    /// The most that one value may take, in bytes: [`HandlerLayer::value_limit`](crate::HandlerLayer::value_limit).
    pub fn value_limit(mut self, bytes: usize) -> Self {
        self.value_limit = Some(bytes);
        self
    }

    /// The loggers to configure (default: new ones), for an application that has some already.
    pub fn loggers(mut self, loggers: Loggers) -> Self {
        self.loggers = Some(loggers);
        self
    }

    /// Restores every default of Python's: see [Differences](crate::config#differences-from-python). For a team that moves, to
    /// have the same lines first and the safe ones later.
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
            state: Heirloom::default(),
            changes: AtomicBool::new(false),
            last: Heirloom::default(),
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

/// Python's last resort: the bare message and the exception, as they are, on stderr.
pub(super) fn last_resort(least: Severity) -> NamedHandler {
    let handler = Stream::stderr().format(formatters::bare(true)).named("last resort");
    handler.set_level(least);
    handler
}
