//! Why a record does or does not go somewhere.

use std::fmt;

use super::{
    name,
    parse::{Level, Name},
    tree::{Node, Tree},
};
use crate::{Handler as _, NamedHandler, Severity};

/// What would become of a record of a name and severity, and why. Made by [`Loggers::explain`](super::Loggers::explain);
/// [`Display`](fmt::Display) tells it in a few lines.
#[derive(Clone, Debug)]
pub struct Explanation {
    name: String,
    severity: Severity,
    verdict: Decision,
    level: Severity,
    level_of: Option<String>,
    filters: usize,
    stops: Vec<Step>,
    /// Where no handler was found and records come here at all: the last resort, if there is one.
    nobody_else: Option<Option<(String, HandlerDecision)>>,
}

/// Whether a record gets past the loggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It goes to the handlers.
    Enabled,
    /// Everything up to this severity is refused, by [`Loggers::disable`](super::Loggers::disable).
    DisabledUpTo(Severity),
    /// This very logger is switched off, by [`Loggers::set_disabled`](super::Loggers::set_disabled).
    LoggerDisabled,
    /// It is below the level that counts.
    BelowLevel,
}

/// One handler that hangs on the logger or above it.
#[derive(Clone, Debug)]
pub struct Step {
    logger: String,
    handler: String,
    fate: HandlerDecision,
}

/// What a handler would do with a record that gets past the loggers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandlerDecision {
    /// It would get it.
    Gets,
    /// Its own level is above.
    BelowHandlerLevel(Severity),
    /// It hangs above this logger, which does not propagate.
    NotReached(String),
}

impl Explanation {
    pub(super) fn new(tree: &Tree, name: &str, severity: Severity, routed: bool) -> Self {
        let name = &*name::canonical(name);
        let own = tree.get(name);
        let (level, level_of) = tree.effective(name);
        let verdict = if severity <= tree.disabled_up_to {
            Decision::DisabledUpTo(tree.disabled_up_to)
        } else if own.is_some_and(|node| node.disabled) {
            Decision::LoggerDisabled
        } else if severity < level || level == Severity::OFF {
            Decision::BelowLevel
        } else {
            Decision::Enabled
        };
        let stops = stops(tree, name, severity);
        let found = stops.iter().any(|stop| !matches!(stop.fate, HandlerDecision::NotReached(_)));
        let last_resort = || {
            let handler = tree.last_resort.handler()?;
            Some((handler.name().to_owned(), fate(&handler, severity)))
        };
        Self {
            name: name::shown(name).to_owned(),
            severity,
            verdict,
            level,
            level_of: level_of.map(|name| name::shown(name).to_owned()),
            filters: own.map_or(0, |node| node.filters.len()),
            stops,
            nobody_else: (routed && !found).then(last_resort),
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

    /// Whether the record gets past the loggers, and if not, why.
    pub fn verdict(&self) -> Decision {
        self.verdict
    }

    /// Whether the record gets past the loggers.
    pub fn is_enabled(&self) -> bool {
        self.verdict == Decision::Enabled
    }

    /// The level that counts.
    pub fn level(&self) -> Severity {
        self.level
    }

    /// The logger that level is set on; `None` if none is set up to the root, so that all records pass.
    pub fn level_of(&self) -> Option<&str> {
        self.level_of.as_deref()
    }

    /// How many filters of this logger are asked about each record; what they say depends on the record.
    pub fn filters(&self) -> usize {
        self.filters
    }

    /// The handlers on the way up, in the order in which they get the record, with those that it does not reach.
    pub fn stops(&self) -> &[Step] {
        &self.stops
    }

    /// The names of the handlers that would get the record, the last resort included if the loggers have a
    /// [router](super::Loggers::router). Handlers of layers that these loggers merely filter for are not known here.
    pub fn receivers(&self) -> Vec<&str> {
        if !self.is_enabled() {
            return Vec::new();
        }
        let stops = self.stops.iter().map(|stop| (&*stop.handler, &stop.fate));
        let last = self.nobody_else.iter().flatten().map(|(handler, fate)| (&**handler, fate));
        stops.chain(last).filter(|(_, fate)| **fate == HandlerDecision::Gets).map(|(handler, _)| handler).collect()
    }
}

impl Step {
    /// The logger it hangs on.
    pub fn logger(&self) -> &str {
        &self.logger
    }

    /// The handler's name.
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// What it would do.
    pub fn fate(&self) -> &HandlerDecision {
        &self.fate
    }
}

fn stops(tree: &Tree, name: &str, severity: Severity) -> Vec<Step> {
    let mut end: Option<&str> = None;
    let mut stops = Vec::new();
    for (logger, node) in tree.upwards(name) {
        let Node { handlers, propagate, .. } = node;
        stops.extend(handlers.iter().map(|handler| Step {
            logger: name::shown(logger).to_owned(),
            handler: handler.name().to_owned(),
            fate: match end {
                Some(end) => HandlerDecision::NotReached(name::shown(end).to_owned()),
                None => fate(handler, severity),
            },
        }));
        // At the root there is nothing above.
        if !propagate && end.is_none() && !logger.is_empty() {
            end = Some(logger);
        }
    }
    stops
}

fn fate(handler: &NamedHandler, severity: Severity) -> HandlerDecision {
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
        match (self.verdict, &self.level_of) {
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
        for Step { logger, handler, fate } in &self.stops {
            write!(f, "\n  {}: {handler:?} ", Name(logger))?;
            self.tell(f, fate)?;
        }
        match &self.nobody_else {
            None => Ok(()),
            Some(None) => f.write_str("\n  no handler found, and no last resort"),
            Some(Some((handler, fate))) => {
                write!(f, "\n  no handler found: {handler:?} ")?;
                self.tell(f, fate)
            }
        }
    }
}

impl Explanation {
    fn tell(&self, f: &mut fmt::Formatter<'_>, fate: &HandlerDecision) -> fmt::Result {
        match fate {
            HandlerDecision::Gets if self.is_enabled() => f.write_str("gets it"),
            HandlerDecision::Gets => f.write_str("would get it"),
            HandlerDecision::BelowHandlerLevel(level) => write!(f, "refuses it: its own level is {}", Level(*level)),
            HandlerDecision::NotReached(end) => write!(f, "is not reached: {} does not propagate", Name(end)),
        }
    }
}
