//! Objects behind `ext://`: Python's constants, and what the application registers.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use crate::{Severity, sink::StdStream};

/// Objects by name.
#[derive(Clone)]
pub(super) struct Objects(BTreeMap<String, Object>);

pub(super) type Object = Arc<dyn Any + Send + Sync>;

impl Objects {
    /// Python's streams, numbers, texts and levels.
    pub(super) fn python() -> Self {
        let mut objects = Self(BTreeMap::new());
        for (name, stream) in [("stdout", StdStream::stdout()), ("stderr", StdStream::stderr())] {
            objects.insert(format!("sys.{name}"), Arc::new(stream));
            objects.insert(format!("sys.__{name}__"), Arc::new(stream));
        }
        NUMBERS.iter().for_each(|(name, number)| objects.insert((*name).to_owned(), Arc::new(*number)));
        TEXTS.iter().for_each(|(name, text)| objects.insert((*name).to_owned(), Arc::new((*text).to_owned())));
        for (name, severity) in Severity::python_names() {
            objects.insert(format!("logging.{name}"), Arc::new(i64::from(severity.number())));
        }
        objects
    }

    pub(super) fn insert(&mut self, name: String, object: Object) {
        self.0.insert(name, object);
    }

    /// In an INI file, names of `logging` need no module: `ERROR`, `handlers.SysLogHandler.LOG_USER`.
    pub(super) fn find(&self, name: &str) -> Option<&Object> {
        self.0.get(name).or_else(|| self.0.get(&format!("logging.{name}")))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Python's number of that name; one of `logging`'s if the name has no module.
pub(super) fn number(name: &str) -> Option<i64> {
    let of_logging = format!("logging.{name}");
    let is_meant = |known: &str| known == name || known == of_logging;
    let level =
        |(known, severity): (&str, Severity)| is_meant(&format!("logging.{known}")).then(|| severity.number().into());
    let number = NUMBERS.iter().find(|(known, _)| is_meant(known)).map(|(_, number)| *number);
    number.or_else(|| Severity::python_names().into_iter().find_map(level))
}

/// Python's text of that name.
pub(super) fn text(name: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

const TEXTS: &[(&str, &str)] = &[
    ("os.curdir", "."),
    ("os.pardir", ".."),
    ("os.sep", std::path::MAIN_SEPARATOR_STR),
    ("os.path.sep", std::path::MAIN_SEPARATOR_STR),
    ("os.linesep", if cfg!(windows) { "\r\n" } else { "\n" }),
    ("os.devnull", if cfg!(windows) { "nul" } else { "/dev/null" }),
];

/// Python's `socket.SOCK_*`, `SysLogHandler.LOG_*`, and the ports.
const NUMBERS: &[(&str, i64)] = &[
    ("logging.handlers.DEFAULT_TCP_LOGGING_PORT", 9020),
    ("logging.handlers.DEFAULT_UDP_LOGGING_PORT", 9021),
    ("logging.handlers.DEFAULT_HTTP_LOGGING_PORT", 9022),
    ("logging.handlers.DEFAULT_SOAP_LOGGING_PORT", 9023),
    ("logging.handlers.SYSLOG_UDP_PORT", 514),
    ("logging.handlers.SYSLOG_TCP_PORT", 514),
    ("socket.SOCK_STREAM", 1),
    ("socket.SOCK_DGRAM", 2),
    ("logging.handlers.socket.SOCK_STREAM", 1),
    ("logging.handlers.socket.SOCK_DGRAM", 2),
    ("socket.AF_INET", 2),
    ("socket.AF_UNIX", 1),
    ("ssl.CERT_NONE", 0),
    ("ssl.CERT_OPTIONAL", 1),
    ("ssl.CERT_REQUIRED", 2),
    ("sys.maxsize", i64::MAX),
    ("logging.handlers.SysLogHandler.LOG_EMERG", 0),
    ("logging.handlers.SysLogHandler.LOG_ALERT", 1),
    ("logging.handlers.SysLogHandler.LOG_CRIT", 2),
    ("logging.handlers.SysLogHandler.LOG_ERR", 3),
    ("logging.handlers.SysLogHandler.LOG_WARNING", 4),
    ("logging.handlers.SysLogHandler.LOG_NOTICE", 5),
    ("logging.handlers.SysLogHandler.LOG_INFO", 6),
    ("logging.handlers.SysLogHandler.LOG_DEBUG", 7),
    ("logging.handlers.SysLogHandler.LOG_KERN", 0),
    ("logging.handlers.SysLogHandler.LOG_USER", 1),
    ("logging.handlers.SysLogHandler.LOG_MAIL", 2),
    ("logging.handlers.SysLogHandler.LOG_DAEMON", 3),
    ("logging.handlers.SysLogHandler.LOG_AUTH", 4),
    ("logging.handlers.SysLogHandler.LOG_SYSLOG", 5),
    ("logging.handlers.SysLogHandler.LOG_LPR", 6),
    ("logging.handlers.SysLogHandler.LOG_NEWS", 7),
    ("logging.handlers.SysLogHandler.LOG_UUCP", 8),
    ("logging.handlers.SysLogHandler.LOG_CRON", 9),
    ("logging.handlers.SysLogHandler.LOG_AUTHPRIV", 10),
    ("logging.handlers.SysLogHandler.LOG_FTP", 11),
    ("logging.handlers.SysLogHandler.LOG_NTP", 12),
    ("logging.handlers.SysLogHandler.LOG_SECURITY", 13),
    ("logging.handlers.SysLogHandler.LOG_CONSOLE", 14),
    ("logging.handlers.SysLogHandler.LOG_SOLCRON", 15),
    ("logging.handlers.SysLogHandler.LOG_LOCAL0", 16),
    ("logging.handlers.SysLogHandler.LOG_LOCAL1", 17),
    ("logging.handlers.SysLogHandler.LOG_LOCAL2", 18),
    ("logging.handlers.SysLogHandler.LOG_LOCAL3", 19),
    ("logging.handlers.SysLogHandler.LOG_LOCAL4", 20),
    ("logging.handlers.SysLogHandler.LOG_LOCAL5", 21),
    ("logging.handlers.SysLogHandler.LOG_LOCAL6", 22),
    ("logging.handlers.SysLogHandler.LOG_LOCAL7", 23),
];
