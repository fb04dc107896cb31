//! The migration report of a Python configuration.

use std::fmt;

use serde_json::json;

use super::{
    classes::{filters, formatters},
    document::Config,
    error::ConfigError,
    node::{Key, Node, Position, quoted_key},
    registry::HandlerMaker,
    setup::Setup,
    unknown_class::{self, Kind},
};

/// Which parts of a Python configuration work unchanged, which differ, and which are refused. Made by
/// [`Logging::migration_report`](super::Logging::migration_report).
///
/// ```
/// use tracing_strata::config::{Config, Logging, MigrationVerdict};
///
/// let config = Config::from_yaml("
/// version: 1
/// handlers:
///   mail: {class: myapp.logs.Pager, number: 4711}
///   out: {class: logging.StreamHandler}
/// root: {level: INFO, handlers: [out, mail]}
/// ")?;
/// let report = Logging::new().migration_report(&config);
/// let verdict = |path: &str| report.entries().iter().find(|entry| entry.path() == path).unwrap().verdict();
/// assert_eq!(verdict("handlers.out"), MigrationVerdict::Taken);
/// assert_eq!(verdict("handlers.mail"), MigrationVerdict::NotSupported);
/// println!("{report}");
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MigrationReport(Vec<MigrationItem>);

/// One part of a configuration.
#[derive(Clone, Debug)]
pub struct MigrationItem {
    path: String,
    at: Option<Position>,
    verdict: MigrationVerdict,
    notes: Vec<String>,
}

/// How a part is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MigrationVerdict {
    /// It works as in Python.
    Taken,
    /// It works, with differences: the notes say which, and why.
    Changed,
    /// It is refused, because it is wrong or there is no such thing: the notes say what to do.
    NotSupported,
}

impl MigrationReport {
    /// All parts in the order of the schema: top level, formatters, filters, handlers, loggers.
    pub fn entries(&self) -> &[MigrationItem] {
        &self.0
    }

    /// Whether every part is supported: the configuration can be built and, by the same system, reloaded. Two things show only
    /// then: an error of the application's own handlers, and a file that cannot be opened although its directory and its
    /// permissions allow it.
    pub fn is_complete(&self) -> bool {
        self.0.iter().all(|entry| entry.verdict != MigrationVerdict::NotSupported)
    }

    /// As JSON: a list of `{"path", "line", "column", "verdict", "notes"}`.
    pub fn to_json(&self) -> String {
        let entry = |entry: &MigrationItem| {
            json!({"path": entry.path, "line": entry.line(), "column": entry.column(),
                "verdict": entry.verdict.to_string(), "notes": entry.notes})
        };
        serde_json::Value::from(self.0.iter().map(entry).collect::<Vec<_>>()).to_string()
    }

    fn add(&mut self, path: String, node: &Node, verdict: MigrationVerdict, notes: Vec<String>) {
        self.0.push(MigrationItem { path, at: node.at, verdict, notes });
    }

    /// Adds an error to the part that contains its path, or as a part of its own.
    fn refuse(&mut self, problem: &ConfigError, root: &Node) {
        let is_in = |entry: &&mut MigrationItem| {
            let rest = problem.path.strip_prefix(&entry.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let Some(entry) = self.0.iter_mut().filter(is_in).max_by_key(|entry| entry.path.len()) else {
            let notes = vec![ConfigError { path: String::new(), at: None, ..problem.clone() }.to_string()];
            let (path, at) = (problem.path.clone(), problem.at.or(root.at));
            self.0.push(MigrationItem { path, at, verdict: MigrationVerdict::NotSupported, notes });
            return;
        };
        entry.verdict = MigrationVerdict::NotSupported;
        let is_class = problem.path.ends_with(".class") || problem.path.ends_with(".()");
        if is_class && problem.message.contains("registered as") && !entry.notes.is_empty() {
            // The notes say more of an unknown class.
            return;
        }
        entry.notes.push(problem.to_string());
        if problem.message.contains("nothing is registered as") {
            entry.notes.push("what `ext://` names is added with `ClassRegistry::object`".to_owned());
        }
    }
}

impl MigrationItem {
    /// The path, such as `handlers.file`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The line in the source, from 1; `None` if the source has no lines.
    pub fn line(&self) -> Option<usize> {
        self.at.map(|at| at.line as usize)
    }

    /// The column in that line, from 1.
    pub fn column(&self) -> Option<usize> {
        self.at.map(|at| at.column as usize)
    }

    /// How it is handled.
    pub fn verdict(&self) -> MigrationVerdict {
        self.verdict
    }

    /// The differences with their reasons, and what to do.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl fmt::Display for MigrationVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Taken => "taken",
            Self::Changed => "changed",
            Self::NotSupported => "not supported",
        })
    }
}

/// One line for each part: `changed        handlers.queue (line 12): its listener starts by itself`.
impl fmt::Display for MigrationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{:<14} {}", entry.verdict, entry.path)?;
            if let Some(line) = entry.line() {
                write!(f, " (line {line})")?;
            }
            if !entry.notes.is_empty() {
                write!(f, ": {}", entry.notes.join("; "))?;
            }
        }
        Ok(())
    }
}

/// `problems` are those of a build that was tried.
pub(super) fn report<'p>(
    config: &Config,
    setup: &Setup,
    problems: impl IntoIterator<Item = &'p ConfigError>,
) -> MigrationReport {
    let mut report = MigrationReport::default();
    let root = &config.root;
    let python = setup.as_python;
    if !python && root.get("disable_existing_loggers").is_none() && !root.get("incremental").is_some_and(Node::is_true)
    {
        let note = "false here where it is not given: Python's default, true, silently mutes loggers made before";
        report.add("disable_existing_loggers".into(), root, MigrationVerdict::Changed, vec![note.into()]);
    }
    for (Key { text: name, .. }, node) in root.section("formatters") {
        let path = format!("formatters.{}", quoted_key(name));
        let class = node.class_name().unwrap_or("logging.Formatter");
        let class = class.strip_prefix("ext://").unwrap_or(class);
        let known = formatters::is_standard(class);
        if setup.registry.has_formatter(class) {
            report.add(path, node, MigrationVerdict::Taken, Vec::new());
        } else if !known {
            report.add(path, node, MigrationVerdict::Changed, unknown_class::notes(Kind::Formatter, class));
        } else if formatters::is_third_party(class) {
            let note = "built as ours, with its look: messages come merged, exceptions have no frames; the rest is in the table of classes";
            let mut notes = vec![note.to_owned()];
            let ignored = formatters::ignored_keys(node);
            if !ignored.is_empty() {
                notes.push(format!(
                    "{} does nothing beside `class`, as in Python: name the class with `()`",
                    ignored.join(", ")
                ));
            }
            report.add(path, node, MigrationVerdict::Changed, notes);
        } else if !python {
            let note = "line breaks and control characters in values are escaped, lines of exceptions are marked: nobody can forge a record";
            report.add(path, node, MigrationVerdict::Changed, vec![note.into()]);
        } else {
            report.add(path, node, MigrationVerdict::Taken, Vec::new());
        }
    }
    for (Key { text: name, .. }, node) in root.section("filters") {
        let path = format!("filters.{}", quoted_key(name));
        let class = node.class_name().unwrap_or("logging.Filter");
        let known = filters::is_standard(class) || setup.registry.filter_names().any(|name| name == class);
        if known {
            report.add(path, node, MigrationVerdict::Taken, Vec::new());
        } else {
            report.add(path, node, MigrationVerdict::Changed, unknown_class::notes(Kind::Filter, class));
        }
    }
    for (Key { text: name, .. }, node) in root.section("handlers") {
        let (verdict, notes) = handler(node, setup);
        report.add(format!("handlers.{}", quoted_key(name)), node, verdict, notes);
    }
    for (Key { text: name, .. }, node) in root.section("loggers") {
        let notes = if name.contains("::") { vec!["the name is split at `::`, too".to_owned()] } else { Vec::new() };
        let verdict = if notes.is_empty() { MigrationVerdict::Taken } else { MigrationVerdict::Changed };
        report.add(format!("loggers.{}", quoted_key(name)), node, verdict, notes);
    }
    if let Some(node) = root.get("root").filter(|node| !node.is_null()) {
        report.add("root".into(), node, MigrationVerdict::Taken, Vec::new());
    } else if !python && !root.section("loggers").any(|(key, _)| matches!(&*key.text, "" | "root")) {
        let note =
            "the root is at WARN and has no handlers: a configuration is complete; in Python it keeps what it had";
        report.add("root".into(), root, MigrationVerdict::Changed, vec![note.into()]);
    }
    problems.into_iter().for_each(|problem| report.refuse(problem, root));
    report
}

fn handler(node: &Node, setup: &Setup) -> (MigrationVerdict, Vec<String>) {
    let class = node.class_name().unwrap_or_default();
    let class = class.strip_prefix("ext://").unwrap_or(class);
    let Some(maker) = setup.registry.find_handler(class) else {
        return (MigrationVerdict::Changed, unknown_class::notes(Kind::Handler, class));
    };
    let HandlerMaker::Class(known) = maker else { return (MigrationVerdict::Taken, Vec::new()) };
    let mut notes = Vec::new();
    let mut note = |text: &str| notes.push(text.to_owned());
    let python = setup.as_python;
    let kind = known.names[0].rsplit('.').next().unwrap_or_default();
    match kind {
        "QueueHandler" if !python => {
            note(
                "its listener starts by itself; the queue is bounded, and waits where it is full (`strata: {queue: …}`)",
            );
            if node.get("respect_handler_level").is_none() {
                note("levels of its handlers count (respect_handler_level), as they do everywhere else");
            }
        }
        "TimedRotatingFileHandler" if !python => {
            note(
                "intervals are those of the clock, so that a restart changes nothing (`strata: {alignment: rollover}` is Python's count)",
            );
        }
        "RotatingFileHandler" => note("lengths are counted in bytes, in Python in characters"),
        "SysLogHandler" if !python => {
            note("records wait in a queue for a thread that sends; nothing has to listen when it is made")
        }
        "SocketHandler" | "DatagramHandler" => note("the pickle has the same attributes, and no globals"),
        "AsynchronousLogstashHandler" if node.get("database_path").is_some_and(|path| !path.is_null()) => {
            note("unsent records wait in memory: `database_path` has no effect, and a crash loses them");
        }
        "MemoryHandler" => note("it has a bound in bytes as well (4 MiB)"),
        "FileHandler" | "WatchedFileHandler" if !python && node.get("mode").and_then(Node::as_str) == Some("w") => {
            note("after it is closed it appends further records; Python drops them");
        }
        _ => {}
    }
    (if notes.is_empty() { MigrationVerdict::Taken } else { MigrationVerdict::Changed }, notes)
}
