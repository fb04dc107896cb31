//! The arguments of a class or factory, by name; and levels.

use std::{
    any::Any,
    cell::RefCell,
    collections::{BTreeMap, btree_map::Entry},
    fmt::Display,
    sync::Arc,
    time::Duration,
};

use super::{
    error::{ConfigError, cannot_resolve},
    node::{Data, Map, Node, Position},
    objects::Objects,
};
use crate::{Fields, Severity, sink::StdStream, text::python_repr};

/// Sets options of a builder that may be absent.
pub(super) trait SetIfSome: Sized {
    fn set_if_some<T>(self, value: Option<T>, set: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => set(self, value),
            None => self,
        }
    }
}

impl<B> SetIfSome for B {}

/// The arguments of a class or factory, by name.
///
/// The getters return `None` for an argument that is missing or of the wrong type. A wrong type is reported with the other
/// mistakes of the configuration ([`ConfigErrors`](super::ConfigErrors)), and so is every argument that no getter asked for.
///
/// The configuration passes it to the classes of the [`ClassRegistry`](super::ClassRegistry).
pub struct HandlerArgs<'c> {
    path: String,
    at: Option<Position>,
    /// Its name in Python's messages.
    class: String,
    map: &'c Map,
    objects: &'c Objects,
    exact_levels: bool,
    asked: RefCell<BTreeMap<String, Kind>>,
    problems: RefCell<Vec<ConfigError>>,
}

/// What a getter expects, for the [schema](super::schema).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Any,
    Text,
    Bool,
    Integer,
    Number,
    Level,
    Choice(Vec<String>),
    Texts,
    Mapping,
}

/// Python's keys that take any value, by its truthiness.
pub(super) const TRUTHY_KEYS: &[&str] =
    &["delay", "utc", "flushOnClose", "append_nul", "validate", "respect_handler_level"];

/// A flag by its name, and its setter.
pub(super) type Switch<T> = (&'static str, fn(T, bool) -> T);

impl<'c> HandlerArgs<'c> {
    pub(super) fn new(
        path: impl Into<String>,
        at: Option<Position>,
        class: &str,
        map: &'c Map,
        objects: &'c Objects,
        exact_levels: bool,
    ) -> Self {
        Self {
            path: path.into(),
            at,
            class: class.rsplit('.').next().unwrap_or(class).to_owned(),
            map,
            objects,
            exact_levels,
            asked: RefCell::default(),
            problems: RefCell::default(),
        }
    }

    /// The path in the configuration, such as `handlers.file`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The names of the arguments, in the order of the source.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.map.iter().map(|(key, _)| &*key.text)
    }

    /// Whether an argument is present and not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.node(name).is_some()
    }

    /// Whether it is present, possibly as null.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.map.get(name).is_some()
    }

    pub(super) fn node(&self, name: &str) -> Option<&'c Node> {
        self.node_as(name, Kind::Any)
    }

    fn node_as(&self, name: &str, kind: Kind) -> Option<&'c Node> {
        match self.asked.borrow_mut().entry(name.to_owned()) {
            Entry::Vacant(unasked) => drop(unasked.insert(kind)),
            // The getter that knows most.
            Entry::Occupied(mut asked) if kind != Kind::Any => drop(asked.insert(kind)),
            Entry::Occupied(_) => {}
        }
        self.map.get(name).filter(|node| !node.is_null())
    }

    /// What the getters have asked for.
    pub(super) fn asked(self) -> BTreeMap<String, Kind> {
        self.asked.into_inner()
    }

    /// A string.
    pub fn str(&self, name: &str) -> Option<String> {
        self.node_as(name, Kind::Text);
        self.text(name)
    }

    fn text(&self, name: &str) -> Option<String> {
        let node = self.node(name)?;
        match &node.data {
            Data::Str(text) => match self.object::<String>(text) {
                Some(text) => Some(text.as_ref().clone()),
                None if text.starts_with("ext://") => self.expected(name, node, "a text"),
                None => Some(text.clone()),
            },
            _ => self.expected(name, node, "a text"),
        }
    }

    /// A string that is converted; an error is reported.
    pub(super) fn converted<T, E: Display>(&self, name: &str, convert: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        convert(&self.str(name)?).map_err(|error| self.report(self.wrong(name, error.to_string()))).ok()
    }

    /// A required string; if it is missing, that is reported and the result is empty.
    pub fn required(&self, name: &str) -> String {
        match self.str(name) {
            Some(text) => text,
            None => {
                self.require(name);
                String::new()
            }
        }
    }

    /// Reports a missing argument.
    pub(super) fn require(&self, name: &str) {
        if self.map.get(name).is_none_or(Node::is_null) {
            let class = &self.class;
            let python = format!("{class}.__init__() missing 1 required positional argument: {}", python_repr(name));
            let message = format!("expected the key {name:?}, which {class} needs");
            self.report(self.missing(name, message).python(python));
        }
    }

    /// An error about a missing argument, with a similar one that is present.
    pub(super) fn missing(&self, name: &str, message: impl Into<String>) -> ConfigError {
        let unasked = self.map.iter().map(|(key, _)| &*key.text).filter(|key| !self.asked.borrow().contains_key(*key));
        ConfigError::new(&self.path, self.at, message).instead(name, unasked)
    }

    /// A bool. Numbers are taken by their truthiness, as in Python; so is any value of a key of Python's own classes,
    /// such as `delay`: a non-empty string is true.
    pub fn bool(&self, name: &str) -> Option<bool> {
        if TRUTHY_KEYS.contains(&name) && self.class != "strata" {
            self.accept(&[name]);
            return self.map.get(name).map(Node::is_true);
        }
        let node = self.node_as(name, Kind::Bool)?;
        match &node.data {
            Data::Bool(_) | Data::Off | Data::Int(_) => Some(node.is_true()),
            _ => self.expected(name, node, "true or false"),
        }
    }

    /// An integer.
    pub fn integer(&self, name: &str) -> Option<i64> {
        let node = self.node_as(name, Kind::Integer)?;
        match &node.data {
            Data::Int(number) => Some(*number),
            Data::Bool(on) if self.class != "strata" => Some((*on).into()),
            // A whole float, such as `1e6`.
            Data::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
            Data::Str(text) => match self.object::<i64>(text) {
                Some(number) => Some(*number),
                None => self.expected(name, node, "an integer"),
            },
            _ => self.expected(name, node, "an integer"),
        }
    }

    /// An integer, 0 or more.
    pub fn count(&self, name: &str) -> Option<u64> {
        let number = self.integer(name)?;
        match u64::try_from(number) {
            Ok(number) => Some(number),
            Err(_) => self.expected(name, self.node(name)?, "0 or more"),
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        let node = self.node_as(name, Kind::Number)?;
        match &node.data {
            Data::Int(number) => Some(*number as f64),
            Data::Float(number) => Some(*number),
            _ => self.expected(name, node, "a number"),
        }
    }

    /// A duration in seconds, 0 or more.
    pub fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds = self.number(name)?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(time) => Some(time),
            Err(_) => self.expected(name, self.node(name)?, "seconds, 0 or more"),
        }
    }

    /// A number of items or bytes; clamped to `usize::MAX`.
    pub(super) fn size(&self, name: &str) -> Option<usize> {
        self.count(name).map(|size| usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// One of several words, mapped to its value.
    pub fn choice<T: Clone>(&self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| (*word).to_owned()).collect();
        self.node_as(name, Kind::Choice(words()));
        let text = self.text(name)?;
        if let Some((_, meant)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(meant.clone());
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let problem = self.wrong(name, format!("expected {}, got {text:?}", alternatives(&words)));
        self.report(problem.nearest(&text, words));
        None
    }

    /// Sets the flags that are given.
    pub(super) fn apply_switches<T>(&self, mut made: T, switches: &[Switch<T>]) -> T {
        for (name, set) in switches {
            if let Some(on) = self.bool(name) {
                made = set(made, on);
            }
        }
        made
    }

    /// A mapping, read as arguments of its own.
    pub fn inside<R>(&self, name: &str, read: impl FnOnce(&HandlerArgs<'_>) -> R) -> Option<R> {
        let node = self.node_as(name, Kind::Mapping)?;
        let Some(map) = node.as_map() else { return self.expected(name, node, "a mapping") };
        let path = format!("{}.{name}", self.path);
        let inner = HandlerArgs::new(path, node.at, name, map, self.objects, self.exact_levels);
        let result = read(&inner);
        self.problems.borrow_mut().extend(inner.finish(&[], &[]));
        Some(result)
    }

    /// A mapping of strings.
    pub(super) fn pairs(&self, name: &str) -> Option<Vec<(String, String)>> {
        self.inside(name, |inner| {
            let keys = inner.map.iter().map(|(key, _)| key.text.clone());
            keys.filter_map(|key| Some((key.clone(), inner.str(&key)?))).collect()
        })
    }

    /// A level: a name or a number.
    pub fn level(&self, name: &str) -> Option<Severity> {
        let node = self.node_as(name, Kind::Level)?;
        let level = level_in(self.objects, node, self.exact_levels, &format!("{}.{name}", self.path));
        level.map_err(|problem| self.report(problem)).ok()
    }

    /// A list of strings.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let node = self.node_as(name, Kind::Texts)?;
        let Some(list) = node.as_list() else { return self.expected(name, node, "a list of texts") };
        let texts: Option<Vec<_>> = list.iter().map(|node| node.as_str().map(str::to_owned)).collect();
        texts.or_else(|| self.expected(name, node, "a list of texts"))
    }

    /// A mapping as fields: strings, numbers and bools.
    pub fn fields(&self, name: &str) -> Option<Fields> {
        let node = self.node_as(name, Kind::Mapping)?;
        let Some(map) = node.as_map() else { return self.expected(name, node, "a mapping") };
        let mut fields = Fields::new();
        for (key, node) in map.iter() {
            match &node.data {
                Data::Bool(value) => fields.set(key.text.clone(), *value),
                Data::Off => fields.set(key.text.clone(), false),
                Data::Int(number) => fields.set(key.text.clone(), *number),
                Data::Float(number) => fields.set(key.text.clone(), *number),
                Data::Str(text) => fields.set(key.text.clone(), text),
                Data::Null => fields.set(key.text.clone(), "None"),
                _ => {
                    self.expected::<()>(&format!("{name}.{}", key.text), node, "a text, a number or a truth value");
                }
            }
        }
        Some(fields)
    }

    /// The value as JSON.
    pub fn value(&self, name: &str) -> Option<serde_json::Value> {
        self.node(name).map(serde_json::Value::from)
    }

    /// A standard stream: `ext://sys.stdout` or `ext://sys.stderr`, or `stdout` and `stderr`.
    pub fn stream(&self, name: &str) -> Option<StdStream> {
        let node = self.node(name)?;
        let text = node.as_str()?;
        match text {
            "stdout" => return Some(StdStream::stdout()),
            "stderr" => return Some(StdStream::stderr()),
            _ => {}
        }
        match self.object::<StdStream>(text) {
            Some(stream) => Some(*stream),
            None => self.expected(name, node, "ext://sys.stdout or ext://sys.stderr"),
        }
    }

    /// The registered object that `ext://name` names.
    pub fn registered<T: Any + Send + Sync>(&self, name: &str) -> Option<Arc<T>> {
        let node = self.node(name)?;
        let found = match &node.data {
            Data::Str(text) => self.object::<T>(text),
            // Numbers are resolved already.
            Data::Int(number) => (Arc::new(*number) as Arc<dyn Any + Send + Sync>).downcast().ok(),
            _ => None,
        };
        found.or_else(|| self.expected(name, node, "ext:// and the name of a registered object"))
    }

    fn object<T: Any + Send + Sync>(&self, text: &str) -> Option<Arc<T>> {
        let name = text.strip_prefix("ext://")?;
        let object = self.objects.find(name)?;
        Arc::clone(object).downcast().ok()
    }

    /// Reports an error, once.
    pub(super) fn report(&self, problem: ConfigError) {
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Whether something was reported: what is made of it is not used.
    #[cfg(any(feature = "forward", feature = "http"))]
    pub(super) fn has_problems(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    /// Reports that an argument is not what is expected.
    pub(super) fn expected<T>(&self, name: &str, node: &Node, what: &str) -> Option<T> {
        let path = format!("{}.{name}", self.path);
        let unknown = node.as_str().and_then(|text| text.strip_prefix("ext://"));
        let unknown = unknown.filter(|object| self.objects.find(object).is_none());
        self.report(match unknown {
            None => ConfigError::new(path, node.at, format!("expected {what}, got {node}")),
            Some(object) => {
                let message = format!("expected {what}; nothing is registered as {object:?}");
                let problem = ConfigError::new(path, node.at, message).python(cannot_resolve(object));
                problem.nearest_dotted(object, self.objects.names())
            }
        });
        None
    }

    /// Reports arguments that are given but have no effect.
    pub(super) fn reject_unused(&self, names: &[&str], why: &str) {
        for name in names.iter().filter(|name| self.has(name)) {
            self.report(self.wrong(name, format!("it has no effect here: {why}")));
        }
    }

    /// Takes arguments that have no effect here.
    pub(super) fn accept(&self, names: &[&str]) {
        for name in names {
            self.node(name);
        }
    }

    /// An error at an argument.
    pub(super) fn wrong(&self, name: &str, message: impl Into<String>) -> ConfigError {
        let at = self.map.get(name).and_then(|node| node.at).or(self.at);
        ConfigError::new(format!("{}.{name}", self.path), at, message)
    }

    /// All errors, unknown arguments included. `known` are names to suggest, `common` are not reported as unknown.
    pub(super) fn finish(self, known: &[&str], common: &[&str]) -> Vec<ConfigError> {
        let mut problems = self.problems.into_inner();
        let asked = self.asked.into_inner();
        for (key, _) in self.map.iter() {
            if asked.contains_key(&key.text) || common.contains(&&*key.text) {
                continue;
            }
            let problem = ConfigError::new(
                format!("{}.{}", self.path, key.text),
                key.at,
                format!("{} has no such key", self.class),
            );
            let python = if key.text.chars().all(|c| c.is_alphanumeric() || c == '_') {
                format!("{}.__init__() got an unexpected keyword argument {}", self.class, python_repr(&key.text))
            } else {
                format!("Not a valid Python identifier: {}", python_repr(&key.text))
            };
            let all = known.iter().chain(common).copied().chain(asked.keys().map(|name| &**name));
            problems.push(problem.python(python).nearest(&key.text, all));
        }
        problems
    }
}

/// `a, b or c`
fn alternatives(words: &[&str]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// A level at a path, or a number that `ext://` names: `ext://logging.ERROR`.
pub(super) fn level_in(objects: &Objects, node: &Node, exact: bool, path: &str) -> Result<Severity, ConfigError> {
    let object = node.as_str().and_then(|text| objects.find(text.strip_prefix("ext://")?));
    match object.and_then(|object| i32::try_from(*object.downcast_ref::<i64>()?).ok()) {
        Some(number) => Ok(Severity::new(number)),
        None => level(node, exact, path),
    }
}

/// A level at a path. `exact`: the case of names counts, as in Python.
pub(super) fn level(node: &Node, exact: bool, path: &str) -> Result<Severity, ConfigError> {
    let wrong = |message: String| ConfigError::new(path, node.at, message);
    match &node.data {
        Data::Int(number) => i32::try_from(*number)
            .map(Severity::new)
            .map_err(|_| wrong(format!("expected a level of 32 bits, got {number}"))),
        // False is 0, which is NOTSET.
        Data::Off if !exact => Ok(Severity::OFF),
        Data::Bool(_) | Data::Off => Ok(Severity::new(node.is_true().into())),
        Data::Str(name) if exact => Severity::from_python(name).map_err(|error| {
            let names = Severity::python_names();
            let names = names.iter().map(|(name, _)| *name);
            wrong(format!("unknown level {name:?}: expected CRITICAL, ERROR, WARNING, INFO, DEBUG, NOTSET or a number"))
                .python(error.to_string())
                .nearest(name, names)
        }),
        Data::Str(name) => name.parse().map_err(|_| {
            let names = Severity::names();
            let names = names.iter().map(|(name, _)| *name);
            wrong(format!(
                "unknown level {name:?}: expected CRITICAL, ERROR, WARNING, INFO, DEBUG, TRACE, NOTSET or a number"
            ))
            .python(format!("Unknown level: {}", python_repr(name)))
            .nearest(name, names)
        }),
        _ => Err(wrong(format!("expected a level's name or number, got {node}"))
            .python(format!("Level not an integer or a valid string: {node}"))),
    }
}
