//! Logging in one call, for scripts.

use std::{fmt, path::PathBuf, sync::OnceLock};

use serde::Serialize;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::logging::Logging;
use crate::{
    Error, Severity,
    config::{
        classes::formatters,
        error::{ConfigError, ConfigErrors},
        formatting::Formatter,
        handler_args,
        node::{Data, Node},
    },
};

/// Logging in one call: a level, and a file or a stream.
///
/// Python: `logging.basicConfig`. There, a second call does nothing; here it is an error, unless [`force`](Self::force) is
/// set.
///
/// ```
/// use tracing_strata::{Severity, config::{BasicConfig, Logging}};
///
/// # let path = std::env::temp_dir().join(format!("strata-basic-{}.log", std::process::id()));
/// let logging = Logging::new();
/// logging.basic_config(BasicConfig::new().level(Severity::INFO).file(&path).format("{levelname} {message}").style("{"))?;
/// assert!(logging.basic_config(BasicConfig::new()).unwrap_err().to_string().contains("already"));
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// For a whole program, [`init`](Self::init) sets the global subscriber, too.
#[derive(Clone, Default)]
#[must_use]
pub struct BasicConfig {
    level: Option<Node>,
    file: Option<Node>,
    file_mode: Option<Node>,
    encoding: Option<Node>,
    errors: Option<Node>,
    stream: Option<Node>,
    format: Option<Node>,
    date_format: Option<Node>,
    style: Option<Node>,
    handlers: Option<Vec<Node>>,
    force: bool,
    unknown: Vec<String>,
}

impl BasicConfig {
    /// Writes `%(levelname)s:%(name)s:%(message)s` to stderr, and leaves the root's level unchanged.
    pub fn new() -> Self {
        Self::default()
    }

    /// From Python's arguments: `filename`, `filemode`, `format`, `datefmt`, `style`, `level`, `stream`, `handlers`, `force`,
    /// `encoding`, `errors`. Each of `handlers` is an entry of a configuration's `handlers`; it may have a `name`, and an
    /// inline formatter.
    ///
    /// # Errors
    /// It is not a mapping. [`Logging::basic_config`] reports other mistakes.
    pub fn from_value(arguments: &impl Serialize) -> Result<Self, Error> {
        let Data::Map(map) = Node::from_serialize(arguments, "arguments")?.data else {
            return Err(Error::config("expected a mapping of arguments"));
        };
        let mut basic = Self::new();
        for (key, node) in map.0 {
            let target = match &*key.text {
                "filename" => &mut basic.file,
                "filemode" => &mut basic.file_mode,
                "encoding" => &mut basic.encoding,
                "errors" => &mut basic.errors,
                "stream" => &mut basic.stream,
                "format" => &mut basic.format,
                "datefmt" => &mut basic.date_format,
                "style" => &mut basic.style,
                "level" => &mut basic.level,
                "force" => {
                    basic.force = node.is_true();
                    continue;
                }
                "handlers" => {
                    basic.handlers = match node.data {
                        Data::List(list) => Some(list),
                        Data::Null => None,
                        _ => {
                            return Err(
                                ConfigError::new("handlers", node.at, format!("expected a list, got {node}")).into()
                            );
                        }
                    };
                    continue;
                }
                unknown => {
                    basic.unknown.push(unknown.to_owned());
                    continue;
                }
            };
            *target = Some(node).filter(|node| !node.is_null());
        }
        Ok(basic)
    }

    /// The root's level.
    pub fn level(mut self, level: impl Into<Severity>) -> Self {
        self.level = Some(Node::new(Data::Int(level.into().number().into())));
        self
    }

    /// Appends to a file.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(Node::text(path.into().to_string_lossy()));
        self
    }

    /// Truncates the file first.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.file_mode = truncate.then(|| Node::text("w"));
        self
    }

    /// Writes to stdout.
    pub fn stdout(mut self) -> Self {
        self.stream = Some(Node::text("ext://sys.stdout"));
        self
    }

    /// The format, in the [`style`](Self::style) (default: `%`).
    pub fn format(mut self, format: impl Into<String>) -> Self {
        self.format = Some(Node::text(format));
        self
    }

    /// The format of the time ([`TemplateBuilder::datefmt`](crate::format::TemplateBuilder::datefmt)).
    pub fn datefmt(mut self, format: impl Into<String>) -> Self {
        self.date_format = Some(Node::text(format));
        self
    }

    /// `%`, `{` or `$`.
    pub fn style(mut self, style: impl Into<String>) -> Self {
        self.style = Some(Node::text(style));
        self
    }

    /// Whether to remove and close the root's handlers first.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Sets up logging for the whole program: a system of its own, and the global subscriber. With [`force`](Self::force), a
    /// later call changes that system.
    ///
    /// # Errors
    /// It was called before, there is a global subscriber already, or as for [`Logging::basic_config`].
    pub fn init(self) -> Result<Logging, Error> {
        static GLOBAL: OnceLock<Logging> = OnceLock::new();
        if let Some(logging) = GLOBAL.get() {
            logging.basic_config(self)?;
            return Ok(logging.clone());
        }
        let logging = Logging::new();
        logging.basic_config(self)?;
        let subscriber = tracing_subscriber::registry().with(logging.layer());
        let set = subscriber.try_init();
        set.map_err(|error| Error::with_source("a global subscriber is set already", error))?;
        Ok(GLOBAL.get_or_init(|| logging).clone())
    }
}

impl fmt::Debug for BasicConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicConfig").field("force", &self.force).finish_non_exhaustive()
    }
}

impl Logging {
    /// Whether no handler has that name, or only one of the root, which is about to be replaced.
    fn is_name_free(&self, name: &str) -> bool {
        let Some(known) = self.handler(name) else { return true };
        let all = self.loggers().snapshot();
        all.get("").is_some_and(|root| root.handlers.iter().any(|named| named.is_same(known.handler())))
    }

    /// Adds one handler to the root, as [`BasicConfig`] declares it. Its name is `basic` (none with
    /// [`python_defaults`](super::LoggingBuilder::python_defaults), as in Python).
    ///
    /// # Errors
    /// The root has a handler already and [`force`](BasicConfig::force) is not set (with
    /// [`python_defaults`](super::LoggingBuilder::python_defaults), the call does nothing instead); or an argument is wrong:
    /// the error has Python's message if Python has one.
    pub fn basic_config(&self, basic: BasicConfig) -> Result<(), Error> {
        let as_python = self.setup().as_python;
        if !basic.force && self.loggers().has_handlers("root") {
            return match as_python {
                true => Ok(()),
                false => {
                    Err(Error::config("logging is configured already: the root has handlers; `force` replaces them"))
                }
            };
        }
        let rejected = |message: String| Err(ConfigError::new("", None, message.clone()).python(message).into());
        match (&basic.handlers, &basic.stream, &basic.file) {
            (None, Some(_), Some(_)) => {
                return rejected("'stream' and 'filename' should not be specified together".into());
            }
            (Some(_), stream, file) if stream.is_some() || file.is_some() => {
                return rejected("'stream' or 'filename' should not be specified together with 'handlers'".into());
            }
            _ => {}
        }
        if !basic.unknown.is_empty() {
            return rejected(format!("Unrecognised argument(s): {}", basic.unknown.join(", ")));
        }
        let level = match &basic.level {
            None => None,
            Some(node) => Some(handler_args::level(node, as_python, "level").map_err(Error::from)?),
        };
        let formatter = basic.formatter(self)?;
        let mut handlers = basic.declarations();
        if let [(name, _)] = &mut handlers[..] {
            if name.is_empty() && !as_python && self.is_name_free(NAME) {
                NAME.clone_into(name);
            }
        }
        self.add_basic(handlers, &formatter, level, basic.force)
    }
}

/// The default name of the handler.
const NAME: &str = "basic";

impl BasicConfig {
    fn formatter(&self, logging: &Logging) -> Result<Formatter, Error> {
        let style = self.style.as_ref().and_then(Node::as_str).unwrap_or("%");
        let format = match style {
            "{" => "{levelname}:{name}:{message}",
            "$" => "${levelname}:${name}:${message}",
            _ => "%(levelname)s:%(name)s:%(message)s",
        };
        let mut declared = Node::map([("style", Node::text(style))]);
        if let Some(map) = declared.as_map_mut() {
            map.set("format", self.format.clone().unwrap_or_else(|| Node::text(format)));
            if let Some(date_format) = &self.date_format {
                map.set("datefmt", date_format.clone());
            }
        }
        formatters::make(logging.setup(), "format", &declared).map_err(|mut problems| {
            // Python stops at the style.
            problems.sort_by_key(|problem| !problem.path().ends_with(".style"));
            ConfigErrors::into_error(problems)
        })
    }

    fn declarations(&self) -> Vec<(String, Node)> {
        if let Some(handlers) = &self.handlers {
            let named = handlers.iter().cloned().map(|mut node| {
                let name = node.get("name").and_then(Node::as_str).unwrap_or_default().to_owned();
                if let Some(map) = node.as_map_mut() {
                    map.0.retain(|(key, _)| key.text != "name");
                }
                (name, node)
            });
            return named.collect();
        }
        let mut map = vec![];
        match &self.file {
            Some(file) => {
                map.push(("class", Node::text("logging.FileHandler")));
                map.push(("filename", file.clone()));
                map.push(("errors", self.errors.clone().unwrap_or_else(|| Node::text("backslashreplace"))));
                map.extend(self.file_mode.clone().map(|mode| ("mode", mode)));
                map.extend(self.encoding.clone().map(|encoding| ("encoding", encoding)));
            }
            None => {
                map.push(("class", Node::text("logging.StreamHandler")));
                map.extend(self.stream.clone().map(|stream| ("stream", stream)));
            }
        }
        vec![(String::new(), Node::map(map))]
    }
}
