//! What becomes of a Python configuration here.

use std::{collections::BTreeMap, fmt, path::Path};

use serde_json::json;

use super::{
    Setup,
    build::{Before, Builder, quoted_key},
    document::Config,
    filters,
    node::{At, Data, Map, Node},
    problem::ConfigError,
    references::resolved,
    registry::HandlerMaker,
};
use crate::{loggers::Declared, sink::allow_takeover};

/// What of a Python configuration is taken as it is, what is different, and what is refused. Made by
/// [`Logging::migration_report`](super::Logging::migration_report), which tries to build all of it but for the application's
/// own handlers, and opens no file.
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
    at: Option<At>,
    verdict: MigrationVerdict,
    notes: Vec<String>,
}

/// What becomes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MigrationVerdict {
    /// It does here what it does in Python.
    Taken,
    /// It is taken, and something is different: the notes say what, and why.
    Changed,
    /// It is refused, because there is nothing of the kind, or because it is wrong: the notes say what to do.
    NotSupported,
}

impl MigrationReport {
    /// In the order of the schema: top level, formatters, filters, handlers, loggers.
    pub fn entries(&self) -> &[MigrationItem] {
        &self.0
    }

    /// Whether everything is there in some form: it can be built.
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

    /// What is refused belongs to the part that it is in, or is one of its own.
    fn refuse(&mut self, problem: ConfigError) {
        let is_in = |entry: &&mut MigrationItem| {
            let rest = problem.path.strip_prefix(&entry.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let Some(entry) = self.0.iter_mut().filter(is_in).max_by_key(|entry| entry.path.len()) else {
            let notes = vec![ConfigError { path: String::new(), at: None, ..problem.clone() }.to_string()];
            self.0.push(MigrationItem {
                path: problem.path,
                at: problem.at,
                verdict: MigrationVerdict::NotSupported,
                notes,
            });
            return;
        };
        // It was said already, with what to do.
        if entry.verdict != MigrationVerdict::NotSupported || !problem.message.contains("registered as") {
            entry.notes.push(problem.to_string());
        }
        entry.verdict = MigrationVerdict::NotSupported;
    }
}

impl MigrationItem {
    /// Where it stands, as in `handlers.file`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its line in the source, from 1, where that has lines.
    pub fn line(&self) -> Option<usize> {
        self.at.map(|at| at.line)
    }

    /// Its column in that line, from 1.
    pub fn column(&self) -> Option<usize> {
        self.at.map(|at| at.column)
    }

    /// What becomes of it.
    pub fn verdict(&self) -> MigrationVerdict {
        self.verdict
    }

    /// How it is different, and why; what to do.
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

/// A line for each part: `changed        handlers.queue (line 12): its listener starts by itself`.
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

pub(super) fn report(config: &Config, setup: &Setup) -> MigrationReport {
    let mut report = MigrationReport::default();
    let root = &config.root;
    let python = setup.as_python;
    if !python && root.get("disable_existing_loggers").is_none() && !root.get("incremental").is_some_and(Node::is_true)
    {
        let note = "false here where it is not given: Python's default, true, silently mutes loggers made before";
        report.add("disable_existing_loggers".into(), root, MigrationVerdict::Changed, vec![note.into()]);
    }
    let entries = |section: &str| {
        let map = root.get(section).and_then(Node::as_map);
        map.into_iter().flat_map(Map::iter).map(|(key, node)| (key.text.clone(), node)).collect::<Vec<_>>()
    };
    for (name, node) in entries("formatters") {
        let path = format!("formatters.{}", quoted_key(&name));
        let class = node.get("()").or_else(|| node.get("class")).and_then(Node::as_str).unwrap_or("logging.Formatter");
        let known = matches!(class, "logging.Formatter" | "Formatter" | "template" | "text" | "json" | "gelf");
        if !known && !setup.registry.has_formatter(class) {
            let note = format!(
                "nothing is registered as {class:?}: implement `Format`, and add it with `Registry::formatter`"
            );
            report.add(path, node, MigrationVerdict::NotSupported, vec![note]);
        } else if known && !python {
            let note = "line breaks and control characters in values are escaped, lines of exceptions are marked: nobody can forge a record";
            report.add(path, node, MigrationVerdict::Changed, vec![note.into()]);
        } else {
            report.add(path, node, MigrationVerdict::Taken, Vec::new());
        }
    }
    for (name, node) in entries("filters") {
        let path = format!("filters.{}", quoted_key(&name));
        let class = node.get("()").or_else(|| node.get("class")).and_then(Node::as_str).unwrap_or("logging.Filter");
        let known = filters::is_own(class) || setup.registry.filter_names().any(|name| name == class);
        if known {
            report.add(path, node, MigrationVerdict::Taken, Vec::new());
        } else {
            let note =
                format!("nothing is registered as {class:?}: write a closure, and add it with `Registry::filter`");
            report.add(path, node, MigrationVerdict::NotSupported, vec![note]);
        }
    }
    for (name, node) in entries("handlers") {
        let (verdict, notes) = handler(node, setup);
        report.add(format!("handlers.{}", quoted_key(&name)), node, verdict, notes);
    }
    for (name, node) in entries("loggers") {
        let notes = if name.contains("::") { vec!["the name is split at `::`, too".to_owned()] } else { Vec::new() };
        let verdict = if notes.is_empty() { MigrationVerdict::Taken } else { MigrationVerdict::Changed };
        report.add(format!("loggers.{}", quoted_key(&name)), node, verdict, notes);
    }
    if let Some(node) = root.get("root").filter(|node| !node.is_null()) {
        report.add("root".into(), node, MigrationVerdict::Taken, Vec::new());
    } else if !python && !entries("loggers").iter().any(|(name, _)| matches!(&**name, "" | "root")) {
        let note = "the root is at WARN and has no handlers: a configuration says all; in Python it keeps what it had";
        report.add("root".into(), root, MigrationVerdict::Changed, vec![note.into()]);
    }
    refused(config, setup).into_iter().for_each(|problem| report.refuse(problem));
    report
}

/// What `build` would refuse, without a file that is opened. An increment is about what is there.
fn refused(config: &Config, setup: &Setup) -> Vec<ConfigError> {
    if config.root.get("incremental").is_some_and(Node::is_true) && !config.is_ini {
        return Vec::new();
    }
    let mut dry = config.clone();
    let mut missing = Vec::new();
    if let Some(handlers) = config.root.get("handlers")
        && let Ok(mut handlers) = resolved(handlers, &config.root, "handlers", 0)
        && let Some(root) = dry.root.as_map_mut()
    {
        for (key, node) in handlers.as_map_mut().into_iter().flat_map(|map| &mut map.0) {
            let path = format!("handlers.{}", quoted_key(&key.text));
            missing.extend(delayed(&path, node, setup));
        }
        root.set("handlers", handlers);
    }
    let before = Before { filters: &BTreeMap::new(), handlers: &BTreeMap::new() };
    let mut builder = Builder::new(setup, &dry, before);
    builder.check_top();
    if dry.root.as_map().is_some() {
        builder.formatters();
        builder.filters();
        // What runs may have the same files.
        allow_takeover(|| builder.handlers());
        for (name, _) in builder.loggers() {
            if let Err(error) = Declared::new(&name) {
                missing.push(ConfigError::new(format!("loggers.{}", quoted_key(&name)), None, error.to_string()));
            }
        }
        builder.root();
    }
    let mut problems = builder.problems;
    problems.append(&mut missing);
    problems
}

/// Makes a handler open its file later, and says if that could not be.
fn delayed(path: &str, node: &mut Node, setup: &Setup) -> Option<ConfigError> {
    let class = node.get("()").or_else(|| node.get("class")).and_then(Node::as_str).unwrap_or_default();
    let maker = setup.registry.find_handler(class.strip_prefix("ext://").unwrap_or(class))?;
    let named = super::build::named(node, &setup.registry);
    let map = node.as_map_mut()?;
    let HandlerMaker::Class(class) = maker else {
        // Somebody else's: who knows what it opens.
        map.0.retain(|(key, _)| matches!(&*key.text, "level" | "formatter" | "filters"));
        map.set("class", Node::text("logging.NullHandler"));
        return None;
    };
    let later = || Node::new(Data::Bool(true));
    if class.names.contains(&"journald") {
        let mut ours = map.get("strata").cloned().unwrap_or_else(|| Node::map([]));
        ours.as_map_mut()?.set("delay", later());
        map.set("strata", ours);
        return None;
    }
    // Of all others, `delay` is something else.
    let index = class.keys.iter().position(|key| *key == "delay").filter(|_| class.keys.contains(&"filename"))?;
    let is_later = |node: &Node, key: &str| node.get(key).is_some_and(Node::is_true);
    let opens = !is_later(&named, "delay");
    match map.get_mut("args").map(|args| &mut args.data) {
        Some(Data::List(args)) if args.len() > index => args[index] = later(),
        _ => map.set("delay", later()),
    }
    let filename = named.get("filename")?;
    let parent = Path::new(filename.as_str()?).parent().filter(|parent| !parent.as_os_str().is_empty())?;
    let makes = named.get("strata").is_some_and(|ours| is_later(ours, "create_dirs"));
    (opens && !makes && !parent.is_dir()).then(|| {
        let message = format!("there is no directory {:?}", parent.display().to_string());
        ConfigError::new(format!("{path}.filename"), filename.at, message)
    })
}

fn handler(node: &Node, setup: &Setup) -> (MigrationVerdict, Vec<String>) {
    let class = node.get("()").or_else(|| node.get("class")).and_then(Node::as_str).unwrap_or_default();
    let class = class.strip_prefix("ext://").unwrap_or(class);
    let Some(maker) = setup.registry.find_handler(class) else {
        let note =
            format!("nothing is registered as {class:?}: implement `Handler`, and add it with `Registry::handler`");
        return (MigrationVerdict::NotSupported, vec![note]);
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
                "intervals are those of the clock, so that a restart changes nothing (`strata: {grid: rollover}` is Python's count)",
            );
        }
        "RotatingFileHandler" => note("lengths are counted in bytes, in Python in characters"),
        "SysLogHandler" if !python => {
            note("records wait in a queue for a thread that sends; nothing has to listen when it is made")
        }
        "SocketHandler" | "DatagramHandler" => note("the pickle has the same attributes, and no globals"),
        "MemoryHandler" => note("it has a bound in bytes as well (4 MiB)"),
        "FileHandler" | "WatchedFileHandler" if !python && node.get("mode").and_then(Node::as_str) == Some("w") => {
            note("after it is closed it goes on appending; in Python, records are dropped");
        }
        _ => {}
    }
    let encoding = node.get("encoding").and_then(Node::as_str).unwrap_or("utf-8");
    if super::encoding::Encoding::parse(encoding, None).is_err() {
        return (MigrationVerdict::NotSupported, vec![format!("there is no encoding {encoding:?}")]);
    }
    let unknown: Vec<_> = objects(node).into_iter().filter(|name| setup.registry.find_object(name).is_none()).collect();
    if let Some(name) = unknown.first() {
        return (
            MigrationVerdict::NotSupported,
            vec![format!("nothing is registered as ext://{name}: add it with `Registry::object`")],
        );
    }
    (if notes.is_empty() { MigrationVerdict::Taken } else { MigrationVerdict::Changed }, notes)
}

/// The names behind `ext://`.
fn objects(node: &Node) -> Vec<&str> {
    match &node.data {
        Data::Str(text) => text.strip_prefix("ext://").into_iter().collect(),
        Data::List(list) => list.iter().flat_map(objects).collect(),
        Data::Map(map) => map
            .iter()
            .filter(|(key, _)| !matches!(&*key.text, "class" | "()"))
            .flat_map(|(_, node)| objects(node))
            .collect(),
        _ => Vec::new(),
    }
}
