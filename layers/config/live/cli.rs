//! The command line.

use std::path::PathBuf;

use super::logging::Logging;
use crate::{
    Error, Loggers, Severity,
    config::{
        document::Config,
        error::{ConfigError, ConfigErrors},
        node::{Data, Node},
    },
};

/// Logging options for the command line, for `#[command(flatten)]`. The command line overrides the environment
/// (`STRATA_LOG`, `STRATA__…`), which overrides the file, which overrides the defaults.
///
/// | option | |
/// |---|---|
/// | `-v`, `-vv` | the root at DEBUG, at TRACE (INFO is the level without) |
/// | `-q`, `-qq`, `-qqq` | the root at WARN, at ERROR, nothing |
/// | `--log LEVELS` | levels as in `RUST_LOG`: `warn,shop=debug`; they override `-v` and `-q` |
/// | `--log-file PATH` | writes to a file instead of stderr |
/// | `--log-format FORMAT` | `text`, `pretty`, `json`, or a [`Template`](crate::format::Template) in `%` or `{` style |
/// | `--log-config PATH` | a configuration, which the other options override |
///
/// ```
/// use clap::Parser;
/// use tracing_strata::{Severity, config::CliArgs};
///
/// #[derive(clap::Parser)]
/// struct Options {
///     #[command(flatten)]
///     log: CliArgs,
/// }
///
/// let options = Options::parse_from(["shop", "-v", "--log", "warn,shop=trace"]);
/// let logging = options.log.build()?;
/// assert!(logging.loggers().is_enabled_for("shop::db", Severity::TRACE));
/// assert!(!logging.loggers().is_enabled_for("hyper", Severity::INFO));
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CliArgs {
    /// Log more: -v is debug, -vv trace.
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Logging")]
    pub verbose: u8,
    /// Log less: -q is warn, -qq error, -qqq nothing.
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Logging", conflicts_with = "verbose")]
    pub quiet: u8,
    /// Levels by logger, as in RUST_LOG: `warn,shop=debug`.
    #[arg(long, value_name = "LEVELS", global = true, help_heading = "Logging")]
    pub log: Option<String>,
    /// Log to a file in place of stderr.
    #[arg(long, value_name = "PATH", global = true, help_heading = "Logging")]
    pub log_file: Option<PathBuf>,
    /// `text`, `json`, or a format such as `%(levelname)s %(message)s`.
    #[arg(long, value_name = "FORMAT", global = true, help_heading = "Logging")]
    pub log_format: Option<String>,
    /// A configuration: .yaml, .json, .toml or .ini.
    #[arg(long, value_name = "PATH", global = true, help_heading = "Logging")]
    pub log_config: Option<PathBuf>,
}

impl CliArgs {
    /// The level of `-v` and `-q`; `None` if neither is given.
    pub fn level(&self) -> Option<Severity> {
        match (self.verbose, self.quiet) {
            (0, 0) => None,
            (1, _) => Some(Severity::DEBUG),
            (2.., _) => Some(Severity::TRACE),
            (0, 1) => Some(Severity::WARN),
            (0, 2) => Some(Severity::ERROR),
            (0, _) => Some(Severity::OFF),
        }
    }

    /// The options as a configuration. It includes the environment: [`Config::expand_env`] and
    /// [`Config::override_from_env`] with `--log-config`, only `STRATA_LOG` without.
    ///
    /// # Errors
    /// `--log-config` cannot be read, a variable of the environment or `--log` is wrong, or `--log-format` has no fields.
    pub fn config(&self) -> Result<Config, Error> {
        self.check_format()?;
        let mut config = match &self.log_config {
            Some(path) => Config::load(path)?,
            // `STRATA__…` is for the keys of a file.
            None => Config::from_node(self.plain())
                .override_with(std::env::var("STRATA_LOG").map(|levels| ("STRATA_LOG".to_owned(), levels)))?,
        };
        let has_output = self.log_config.is_some() && (self.log_file.is_some() || self.log_format.is_some());
        if let Some(map) = config.root.as_map_mut().filter(|_| has_output) {
            // Replaces the root's own handlers.
            let plain = self.plain();
            for section in ["formatters", "handlers"] {
                let mut all =
                    map.get(section).cloned().filter(|node| node.as_map().is_some()).unwrap_or_else(|| Node::map([]));
                for (key, node) in plain.section(section) {
                    if let Some(all) = all.as_map_mut() {
                        all.set(&key.text, node.clone());
                    }
                }
                map.set(section, all);
            }
            let mut root =
                map.get("root").cloned().filter(|node| node.as_map().is_some()).unwrap_or_else(|| Node::map([]));
            if let Some(root) = root.as_map_mut() {
                root.set("handlers", Node::new(Data::List(vec![Node::text("command line")])));
            }
            map.set("root", root);
        }
        if let Some(level) = self.level() {
            config = config.with_levels(&[(String::new(), level)]);
        }
        if let Some(directives) = &self.log {
            let in_option = |error| Error::with_cause("--log", error);
            Loggers::parse(directives).map_err(in_option)?;
            config = config.override_with([("STRATA_LOG".to_owned(), directives.clone())]).map_err(in_option)?;
        }
        Ok(config)
    }

    /// Builds the logging system.
    ///
    /// # Errors
    /// As [`config`](Self::config) and [`Logging::reload`].
    pub fn build(&self) -> Result<Logging, Error> {
        Logging::builder().build(&self.config()?).map_err(|error| match ConfigErrors::of(&error) {
            Some(problems) => ConfigErrors::into_error(problems.iter().cloned().map(in_options).collect()),
            None => error,
        })
    }

    /// A format without fields is probably a misspelt word: an error.
    fn check_format(&self) -> Result<(), Error> {
        const WORDS: [&str; 3] = ["text", "pretty", "json"];
        let Some(format) = self.log_format.as_deref().filter(|format| !WORDS.contains(format)) else { return Ok(()) };
        if format.contains("%(") || format.contains('{') {
            return Ok(());
        }
        let message =
            format!("expected text, pretty, json or a format such as \"{{levelname}} {{message}}\", got {format:?}");
        Err(ConfigError::new("--log-format", None, message).nearest(format, WORDS).into())
    }

    fn plain(&self) -> Node {
        let formatter = match self.log_format.as_deref() {
            None | Some("text") => Node::map([("class", Node::text("text"))]),
            Some(word @ ("pretty" | "json")) => Node::map([("class", Node::text(word))]),
            Some(format) => {
                let style = if format.contains("%(") { "%" } else { "{" };
                Node::map([("format", Node::text(format)), ("style", Node::text(style))])
            }
        };
        let handler = match &self.log_file {
            Some(path) => vec![("class", Node::text("file")), ("filename", Node::text(path.to_string_lossy()))],
            None => vec![("class", Node::text("stream"))],
        };
        let handler = handler.into_iter().chain([("formatter", Node::text("command line"))]);
        let handlers = Node::new(Data::List(vec![Node::text("command line")]));
        Node::map([
            ("version", Node::new(Data::Int(1))),
            ("formatters", Node::map([("command line", formatter)])),
            ("handlers", Node::map([("command line", Node::map(handler))])),
            ("root", Node::map([("level", Node::text("INFO")), ("handlers", handlers)])),
        ])
    }
}

/// Names the option that an error comes from.
fn in_options(mut problem: ConfigError) -> ConfigError {
    let option = match &problem.path {
        path if path.starts_with("handlers.\"command line\"") => "--log-file",
        path if path.starts_with("formatters.\"command line\"") => "--log-format",
        _ => return problem,
    };
    option.clone_into(&mut problem.path);
    // There is no option for that.
    if let Some(message) = problem.message.strip_suffix("; create_dirs creates it") {
        problem.message = message.to_owned();
    }
    problem
}
