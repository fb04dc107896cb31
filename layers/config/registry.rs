//! What a configuration may name: classes, factories and objects, by name and nothing else.

use std::{any::Any, collections::BTreeMap, io, path::Path, sync::Arc};

use super::{
    classes::{self, Class},
    formatters::Formatter,
    keywords::HandlerArgs,
    sieve::ConfigFilter,
    slot::Output,
};
use crate::{Error, Format, Handler, Record, Severity, sink::StdStream};

/// The names that a configuration may use in `class`, `()` and `ext://`. What is not in here is refused: nothing is ever
/// looked up elsewhere, so a configuration cannot reach into the program.
///
/// [`ClassRegistry::new`] has Python's names of everything this crate has, and our short ones; add your own:
///
/// ```
/// use tracing_strata::{Record, config::{Config, Logging, ClassRegistry, ConfigFilter}, output::Stream, prelude::*};
///
/// let registry = ClassRegistry::new()
///     .filter("shop.NoHealthChecks", |arguments| {
///         let path = arguments.str("path").unwrap_or_else(|| "/health".to_owned());
///         Ok(ConfigFilter::decides(move |record: &Record| record.get("path").is_none_or(|value| value.as_str() != Some(&path))))
///     })
///     .handler("shop.Loud", |arguments, format| {
///         let _ = arguments.bool("bell");
///         Ok(Stream::stderr().format(format).terminator("!\n").boxed())
///     });
/// let config = Config::from_yaml("
/// version: 1
/// filters: {quiet: {(): shop.NoHealthChecks, path: /ping}}
/// handlers: {loud: {(): shop.Loud, bell: true, filters: [quiet]}}
/// root: {handlers: [loud]}
/// ")?;
/// let logging = Logging::builder().registry(registry).build(&config)?;
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone)]
pub struct ClassRegistry {
    handlers: BTreeMap<String, HandlerMaker>,
    formatters: BTreeMap<String, FormatterMaker>,
    filters: BTreeMap<String, FilterMaker>,
    objects: BTreeMap<String, Object>,
}

#[derive(Clone)]
pub(super) enum HandlerMaker {
    Class(&'static Class),
    Own(Arc<MakeHandler>),
}

type MakeHandler = dyn Fn(&HandlerArgs<'_>, Box<dyn Format>) -> Result<Box<dyn Handler>, Error> + Send + Sync;
type FormatterMaker = Arc<dyn Fn(&HandlerArgs<'_>) -> Result<Box<dyn Format>, Error> + Send + Sync>;
type FilterMaker = Arc<dyn Fn(&HandlerArgs<'_>) -> Result<ConfigFilter, Error> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Object(pub(super) Arc<dyn Any + Send + Sync>);

/// Makes the name of a rotated file from its default one: an object for `namer` under `.`.
///
/// Python: `RotatingFileHandler.namer`.
pub struct Namer(pub(super) Box<dyn Fn(&str) -> String + Send + Sync>);

impl Namer {
    /// `name` gets paths such as `/var/log/app.log.1`.
    pub fn new(name: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Box::new(name))
    }
}

/// Brings a rotated file to its place: an object for `rotator` under `.`.
///
/// Python: `RotatingFileHandler.rotator`.
pub struct Rotator(pub(super) Box<RotateFile>);

type RotateFile = dyn Fn(&Path, &Path) -> io::Result<()> + Send + Sync;

impl Rotator {
    /// `rotate` gets the present path and the one to be.
    pub fn new(rotate: impl Fn(&Path, &Path) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Box::new(rotate))
    }
}

impl ClassRegistry {
    /// Everything this crate has, under Python's names and our own.
    pub fn new() -> Self {
        let mut registry = Self {
            handlers: BTreeMap::new(),
            formatters: BTreeMap::new(),
            filters: BTreeMap::new(),
            objects: BTreeMap::new(),
        };
        for class in classes::all() {
            for name in class.names {
                registry.handlers.insert((*name).to_owned(), HandlerMaker::Class(class));
            }
        }
        registry = registry.object("sys.stdout", StdStream::stdout()).object("sys.stderr", StdStream::stderr());
        registry = registry.object("sys.__stdout__", StdStream::stdout()).object("sys.__stderr__", StdStream::stderr());
        for (name, number) in NUMBERS {
            registry = registry.object(*name, *number);
        }
        for (name, text) in TEXTS {
            registry = registry.object(*name, (*text).to_owned());
        }
        for (name, severity) in Severity::python_names() {
            registry = registry.object(format!("logging.{name}"), i64::from(severity.number()));
        }
        registry
    }

    /// A class or factory of handlers. It gets its arguments, and the format to write with, which ends each record as the
    /// configuration says (by default with a line break: give the output an empty
    /// [`terminator`](crate::output::Formatted::terminator)).
    pub fn handler(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&HandlerArgs<'_>, Box<dyn Format>) -> Result<Box<dyn Handler>, Error> + Send + Sync + 'static,
    ) -> Self {
        self.handlers.insert(name.into(), HandlerMaker::Own(Arc::new(make)));
        self
    }

    /// A class or factory of formats.
    pub fn formatter(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&HandlerArgs<'_>) -> Result<Box<dyn Format>, Error> + Send + Sync + 'static,
    ) -> Self {
        self.formatters.insert(name.into(), Arc::new(make));
        self
    }

    /// A class or factory of filters.
    pub fn filter(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&HandlerArgs<'_>) -> Result<ConfigFilter, Error> + Send + Sync + 'static,
    ) -> Self {
        self.filters.insert(name.into(), Arc::new(make));
        self
    }

    /// A plain decision, as Python takes a callable for a filter.
    pub fn decision(self, name: impl Into<String>, passes: impl Fn(&Record) -> bool + Send + Sync + 'static) -> Self {
        let sieve = ConfigFilter::decides(passes);
        self.filter(name, move |_| Ok(sieve.clone()))
    }

    /// An object behind `ext://name`: a number (`i64`), a text (`String`), a [`StdStream`], or what a class of yours asks
    /// for with [`HandlerArgs::registered`].
    pub fn object(mut self, name: impl Into<String>, object: impl Any + Send + Sync) -> Self {
        self.objects.insert(name.into(), Object(Arc::new(object)));
        self
    }

    pub(super) fn find_handler(&self, name: &str) -> Option<&HandlerMaker> {
        self.handlers.get(name)
    }

    pub(super) fn handler_names(&self) -> impl Iterator<Item = &str> {
        self.handlers.keys().map(String::as_str)
    }

    /// What stands in an INI file without a module is one of `logging`'s: `ERROR`, `handlers.SysLogHandler.LOG_USER`.
    pub(super) fn find_object(&self, name: &str) -> Option<&Object> {
        self.objects.get(name).or_else(|| self.objects.get(&format!("logging.{name}")))
    }

    pub(super) fn object_names(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    pub(super) fn make_formatter(&self, name: &str, keywords: &HandlerArgs<'_>) -> Option<Result<Formatter, Error>> {
        let make = self.formatters.get(name)?;
        Some(make(keywords).map(|format| format.into()))
    }

    pub(super) fn has_formatter(&self, name: &str) -> bool {
        self.formatters.contains_key(name)
    }

    pub(super) fn formatter_names(&self) -> impl Iterator<Item = &str> {
        self.formatters.keys().map(String::as_str)
    }

    pub(super) fn make_filter(&self, name: &str, keywords: &HandlerArgs<'_>) -> Option<Result<ConfigFilter, Error>> {
        Some(self.filters.get(name)?(keywords))
    }

    pub(super) fn filter_names(&self) -> impl Iterator<Item = &str> {
        self.filters.keys().map(String::as_str)
    }
}

impl Default for ClassRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl HandlerMaker {
    pub(super) fn own(
        make: &MakeHandler,
        keywords: &HandlerArgs<'_>,
        format: Box<dyn Format>,
    ) -> Result<Output, Error> {
        make(keywords, format).map(Output::plain)
    }
}

/// What a name stands for, if that is a number of Python's; without a module it is one of `logging`'s.
pub(super) fn number(name: &str) -> Option<i64> {
    let of_logging = format!("logging.{name}");
    let is_meant = |known: &str| known == name || known == of_logging;
    let level =
        |(known, severity): (&str, Severity)| is_meant(&format!("logging.{known}")).then(|| severity.number().into());
    let number = NUMBERS.iter().find(|(known, _)| is_meant(known)).map(|(_, number)| *number);
    number.or_else(|| Severity::python_names().into_iter().find_map(level))
}

/// What a name stands for, if that is a text of Python's.
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
