//! What a configuration would do with a record, without any file or socket.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use crate::{
    Delivery, Error, Format, Handler, HandlerExt as _, Outcome, Record, Severity,
    config::{Config, Logging, LoggingBuilder},
    format::Buffer,
    loggers::Explanation,
};

/// The severities that are asked about, from below.
const ASKED: [Severity; 6] =
    [Severity::TRACE, Severity::DEBUG, Severity::INFO, Severity::WARN, Severity::ERROR, Severity::CRITICAL];

/// A configuration that is set up in full, but for its outputs: each is replaced by one that notes what it would write.
/// Made by [`Config::probe`] and [`LoggingBuilder::probe`].
///
/// Levels, filters, formats, queues and buffers are the real ones. No file is opened, no connection made; the application's
/// [own classes](crate::config::ClassRegistry::handler) are not called.
///
/// ```
/// use tracing_strata::{Severity, config::Config};
///
/// let probe = Config::from_yaml("
/// version: 1
/// formatters: {short: {format: '%(levelname)s %(name)s: %(message)s'}}
/// handlers:
///   file: {class: logging.FileHandler, filename: /var/log/shop.log, formatter: short}
///   mail: {class: logging.handlers.SocketHandler, host: alarm, port: 9020, level: CRITICAL}
///   old: {class: logging.StreamHandler}
/// loggers:
///   shop: {level: DEBUG, handlers: [file]}
///   hyper: {level: OFF}
/// root: {level: WARNING, handlers: [mail]}
/// ")?
/// .probe()?;
///
/// let answer = probe.ask("shop.db", Severity::CRITICAL);
/// assert_eq!(answer.handlers(), ["file", "mail"]);
/// assert_eq!(answer.text("file"), Some("CRITICAL shop.db: message\n"));
/// assert_eq!(probe.ask("shop.db", Severity::DEBUG).handlers(), ["file"]);
/// assert_eq!(probe.silent_loggers(), ["hyper"]);
/// assert_eq!(probe.unreached_handlers(), ["old"]);
/// println!("{probe}");
/// # Ok::<(), tracing_strata::Error>(())
/// ```
pub struct Probe {
    logging: Logging,
    notes: Notes,
    /// One question at a time.
    asking: Mutex<()>,
}

type Notes = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Stands for an output.
struct Note {
    handler: String,
    format: Box<dyn Format>,
    notes: Notes,
}

impl Handler for Note {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let mut out = Buffer::new();
        self.format.format(&delivery, &mut out)?;
        open(&self.notes).push((self.handler.clone(), out.into_bytes()));
        Ok(Outcome::Written)
    }
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Config {
    /// What this configuration would do, without any input or output.
    ///
    /// # Errors
    /// As [`Logging::check`]: all mistakes of the configuration.
    pub fn probe(&self) -> Result<Probe, Error> {
        Logging::builder().probe(self)
    }
}

impl LoggingBuilder {
    /// What a configuration would do with these options, without any input or output.
    ///
    /// # Errors
    /// As [`Logging::check`]: all mistakes of the configuration.
    pub fn probe(self, config: &Config) -> Result<Probe, Error> {
        let (logging, notes) = (self.empty(), Notes::default());
        logging.rehearse(config, &|handler, format| {
            Note { handler: handler.to_owned(), format, notes: Arc::clone(&notes) }.boxed()
        })?;
        Ok(Probe { logging, notes, asking: Mutex::default() })
    }
}

impl Probe {
    /// Who would get a record of this logger and severity, with the message `message`, of 2024-01-01 00:00:00 UTC.
    pub fn ask(&self, name: &str, severity: impl Into<Severity>) -> Answer {
        let mut record = Record::new(severity.into(), name, "message");
        record.set_time(UNIX_EPOCH + Duration::from_secs(1_704_067_200));
        record.set_source("src/main.rs", 1);
        record.set_thread("main", 1);
        self.ask_about(&record)
    }

    /// Who would get this record.
    pub fn ask_about(&self, record: &Record) -> Answer {
        let _asking = open(&self.asking);
        let explanation = self.logging.explain(record.target(), record.severity());
        open(&self.notes).clear();
        if explanation.is_enabled() {
            self.logging.emit(record);
        }
        let written = std::mem::take(&mut *open(&self.notes));
        Answer { explanation, written }
    }

    /// The loggers from which nothing reaches any handler, whatever its severity.
    pub fn silent_loggers(&self) -> Vec<String> {
        let is_silent = |name: &String| ASKED.iter().all(|severity| self.ask(name, *severity).written.is_empty());
        self.logging.loggers().names().into_iter().filter(is_silent).collect()
    }

    /// The handlers that no record of these loggers reaches. Those that hand on to others, or that take what others fail to
    /// write, are not among them.
    pub fn unreached_handlers(&self) -> Vec<String> {
        let mut reached = BTreeSet::new();
        for name in self.logging.loggers().names() {
            for severity in ASKED {
                let answer = self.ask(&name, severity);
                reached.extend(answer.explanation.receivers().into_iter().map(str::to_owned));
                reached.extend(answer.written.into_iter().map(|(handler, _)| handler));
            }
        }
        let is_used = |name: &String| reached.contains(name) || self.logging.is_forwarded_to(name);
        self.logging.handler_names().into_iter().filter(|name| !is_used(name)).collect()
    }

    /// How another configuration differs: for each logger of either and each severity, who gets the record now, who no
    /// longer does, and whose text differs. Empty if nothing does.
    ///
    /// ```
    /// # use tracing_strata::config::Config;
    /// let config = |level| Config::from_yaml(&format!("
    /// version: 1
    /// handlers: {{out: {{class: logging.StreamHandler}}}}
    /// root: {{level: {level}, handlers: [out]}}
    /// "));
    /// let (old, new) = (config("ERROR")?.probe()?, config("WARNING")?.probe()?);
    /// assert_eq!(old.diff(&new), ["root at WARN: out gets it now"]);
    /// # Ok::<(), tracing_strata::Error>(())
    /// ```
    pub fn diff(&self, new: &Self) -> Vec<String> {
        let mut names = self.logging.loggers().names();
        names.extend(
            new.logging.loggers().names().into_iter().filter(|name| !self.logging.loggers().names().contains(name)),
        );
        let mut found = Vec::new();
        for (name, severity) in names.iter().flat_map(|name| ASKED.iter().map(move |severity| (name, *severity))) {
            let (old, new) = (self.ask(name, severity), new.ask(name, severity));
            let mut note = |text: String| found.push(format!("{name} at {severity}: {text}"));
            for handler in old.handlers().into_iter().filter(|handler| new.text(handler).is_none()) {
                note(format!("{handler} no longer gets it"));
            }
            for handler in new.handlers() {
                match (old.text(handler), new.text(handler)) {
                    (None, _) => note(format!("{handler} gets it now")),
                    (Some(old), Some(new)) if old != new => note(format!("{handler} writes {new:?}, not {old:?}")),
                    _ => {}
                }
            }
        }
        found
    }
}

/// A line for each logger, `shop.db (debug): file from DEBUG, console from WARN`, and one for the handlers that nobody
/// reaches.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in self.logging.loggers().names() {
            let mut from: Vec<(String, Severity)> = Vec::new();
            for severity in ASKED {
                for (handler, _) in self.ask(&name, severity).written {
                    if !from.iter().any(|(known, _)| *known == handler) {
                        from.push((handler, severity));
                    }
                }
            }
            let level = match self.logging.loggers().effective_level(&name) {
                Severity::OFF => "off".to_owned(),
                level => level.to_string().to_lowercase(),
            };
            let all: Vec<_> = from.iter().map(|(handler, severity)| format!("{handler} from {severity}")).collect();
            writeln!(f, "{name} ({level}): {}", if all.is_empty() { "nobody".to_owned() } else { all.join(", ") })?;
        }
        match self.unreached_handlers() {
            unreached if unreached.is_empty() => Ok(()),
            unreached => writeln!(f, "nobody reaches: {}", unreached.join(", ")),
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Probe").field(&self.logging).finish()
    }
}

/// Who would get a record. Made by [`Probe::ask`].
#[derive(Clone, Debug)]
pub struct Answer {
    explanation: Explanation,
    written: Vec<(String, Vec<u8>)>,
}

impl Answer {
    /// The handlers that would write it, in the order in which they get it; also those behind queues and buffers.
    pub fn handlers(&self) -> Vec<&str> {
        self.written.iter().map(|(handler, _)| &**handler).collect()
    }

    /// What a handler would write: the very bytes with its terminator, for streams and files. For others, what its formatter
    /// makes: the part of a message that goes into their frame. `None` if it does not get the record.
    pub fn bytes(&self, handler: &str) -> Option<&[u8]> {
        self.written.iter().find(|(known, _)| known == handler).map(|(_, bytes)| &**bytes)
    }

    /// [`bytes`](Self::bytes), if they are UTF-8.
    pub fn text(&self, handler: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(handler)?).ok()
    }

    /// Which logger and level decide, and about each handler on the way up why it gets it or not.
    pub fn explanation(&self) -> &Explanation {
        &self.explanation
    }
}

/// The explanation.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.explanation.fmt(f)
    }
}
