//! Why a record reaches a handler, or does not.

use std::fmt;

use super::{
    directives::{Level, Name},
    name,
    tree::{LoggerState, Tree},
};
use crate::{Handler as _, NamedHandler, Severity};

/// What would happen to a record of a name and severity, and why. Made by [`Loggers::explain`](super::Loggers::explain);
/// [`Display`](fmt::Display) prints a few lines.
#[derive(Clone, Debug)]
pub struct Explanation {
    name: String,
    severity: Severity,
    decision: Decision,
    level: Severity,
    level_of: Option<String>,
    filters: usize,
    steps: Vec<Step>,
    /// `Some` if there is a router and the record reaches no handler: the last resort, if there is one.
    last_resort: Option<Option<(String, HandlerDecision)>>,
}

/// Whether a record passes the loggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It goes to the handlers.
    Enabled,
    /// Everything up to this severity is refused, by [`Loggers::disable`](super::Loggers::disable).
    DisabledUpTo(Severity),
    /// The logger itself is disabled, by [`Loggers::set_disabled`](super::Loggers::set_disabled).
    LoggerDisabled,
    /// It is below the effective level.
    BelowLevel,
}

/// One handler on the way of a record, from its logger upwards.
#[derive(Clone, Debug)]
pub struct Step {
    logger: String,
    handler: String,
    decision: HandlerDecision,
}

/// What a handler would do with a record that passes the loggers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandlerDecision {
    /// The handler gets the record.
    Gets,
    /// The handler's own level, given here, is higher.
    BelowHandlerLevel(Severity),
    /// The handler is above this logger, which does not propagate.
    NotReached(String),
}

impl Explanation {
    pub(super) fn new(tree: &Tree, name: &str, severity: Severity, routed: bool) -> Self {
        let name = &*name::canonical(name);
        let own = tree.loggers.get(name);
        let (level, level_of) = tree.effective(name);
        let decision = if severity <= tree.disabled_up_to {
            Decision::DisabledUpTo(tree.disabled_up_to)
        } else if own.is_some_and(|logger| logger.disabled) {
            Decision::LoggerDisabled
        } else if severity < level || level == Severity::OFF {
            Decision::BelowLevel
        } else {
            Decision::Enabled
        };
        let steps = steps_to(tree, name, severity);
        let found = steps.iter().any(|step| !matches!(step.decision, HandlerDecision::NotReached(_)));
        let find_last_resort = || {
            let handler = tree.last_resort.handler()?;
            Some((handler.name().to_owned(), decide(&handler, severity)))
        };
        Self {
            name: name::shown(name).to_owned(),
            severity,
            decision,
            level,
            level_of: level_of.map(|name| name::shown(name).to_owned()),
            filters: own.map_or(0, |logger| logger.filters.len()),
            steps,
            last_resort: (routed && !found).then(find_last_resort),
        }
    }

    /// The logger's name, with dots.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The severity that was asked about.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Whether the record passes the loggers, and if not, why.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Whether the record passes the loggers.
    pub fn is_enabled(&self) -> bool {
        self.decision == Decision::Enabled
    }

    /// The effective level.
    pub fn level(&self) -> Severity {
        self.level
    }

    /// The logger that the effective level comes from; `None` if there is none up to the root, so that all records pass.
    pub fn level_of(&self) -> Option<&str> {
        self.level_of.as_deref()
    }

    /// How many filters the logger has. Their decisions depend on the record.
    pub fn filters(&self) -> usize {
        self.filters
    }

    /// The handlers on the way up, in the order they get the record, including those that it does not reach.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The names of the handlers that would get the record. They include the last resort if the loggers have a
    /// [router](super::Loggers::router). Handlers of other layers that use these loggers as a filter are unknown here.
    pub fn receivers(&self) -> Vec<&str> {
        if !self.is_enabled() {
            return Vec::new();
        }
        let steps = self.steps.iter().map(|step| (&*step.handler, &step.decision));
        let last = self.last_resort.iter().flatten().map(|(handler, decision)| (&**handler, decision));
        steps
            .chain(last)
            .filter(|(_, decision)| **decision == HandlerDecision::Gets)
            .map(|(handler, _)| handler)
            .collect()
    }
}

impl Step {
    /// The handler's logger.
    pub fn logger(&self) -> &str {
        &self.logger
    }

    /// The handler's name.
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// What the handler would do.
    pub fn decision(&self) -> &HandlerDecision {
        &self.decision
    }
}

fn steps_to(tree: &Tree, name: &str, severity: Severity) -> Vec<Step> {
    let mut end: Option<&str> = None;
    let mut steps = Vec::new();
    for (logger, LoggerState { handlers, propagate, .. }) in tree.upwards(name) {
        steps.extend(handlers.iter().map(|handler| Step {
            logger: name::shown(logger).to_owned(),
            handler: handler.name().to_owned(),
            decision: match end {
                Some(end) => HandlerDecision::NotReached(name::shown(end).to_owned()),
                None => decide(handler, severity),
            },
        }));
        // At the root there is nothing above.
        if !propagate && end.is_none() && !logger.is_empty() {
            end = Some(logger);
        }
    }
    steps
}

fn decide(handler: &NamedHandler, severity: Severity) -> HandlerDecision {
    let level = handler.describe().min_level;
    if severity < level { HandlerDecision::BelowHandlerLevel(level) } else { HandlerDecision::Gets }
}

/// ```text
/// shop.db at INFO passes: level debug of shop
///   shop: "file" gets it
///   root: "console" is not reached: shop does not propagate
/// ```
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = Level(self.level);
        write!(f, "{} at {} ", Name(&self.name), self.severity)?;
        match (self.decision, &self.level_of) {
            (Decision::DisabledUpTo(severity), _) => {
                write!(f, "is refused: everything up to {severity} is disabled")?;
            }
            (Decision::LoggerDisabled, _) => f.write_str("is refused: this logger is disabled")?,
            (Decision::BelowLevel, Some(of)) => write!(f, "is refused: level {level} of {}", Name(of))?,
            (Decision::Enabled, Some(of)) => write!(f, "passes: level {level} of {}", Name(of))?,
            (Decision::BelowLevel | Decision::Enabled, None) => f.write_str("passes: no level is set")?,
        }
        if self.filters > 0 {
            write!(f, "\n  {}: filters are asked about each record: {}", Name(&self.name), self.filters)?;
        }
        for Step { logger, handler, decision } in &self.steps {
            write!(f, "\n  {}: {handler:?} ", Name(logger))?;
            self.write(f, decision)?;
        }
        match &self.last_resort {
            None => Ok(()),
            Some(None) => f.write_str("\n  no handler found, and no last resort"),
            Some(Some((handler, decision))) => {
                write!(f, "\n  no handler found: {handler:?} ")?;
                self.write(f, decision)
            }
        }
    }
}

impl Explanation {
    fn write(&self, f: &mut fmt::Formatter<'_>, decision: &HandlerDecision) -> fmt::Result {
        match decision {
            HandlerDecision::Gets if self.is_enabled() => f.write_str("gets it"),
            HandlerDecision::Gets => f.write_str("would get it"),
            HandlerDecision::BelowHandlerLevel(level) => write!(f, "refuses it: its own level is {}", Level(*level)),
            HandlerDecision::NotReached(end) => write!(f, "is not reached: {} does not propagate", Name(end)),
        }
    }
}
