//! A configuration that was read, and not yet applied.

use std::{fmt, fs, path::Path};

use serde::Serialize;

use super::{
    ini,
    node::{At, Data, Node},
    problem::{ConfigError, ConfigErrors, nearest},
    source::{self, Ini, Syntax, variables},
};
use crate::{Error, Severity};

/// A configuration: Python's `dictConfig` schema, version 1, from JSON, YAML, TOML, a `serde` value, or Python's INI files.
///
/// Reading finds mistakes of the syntax; whether it makes sense shows when it is applied
/// ([`Logging::reload`](super::Logging::reload)) or [checked](super::Logging::check).
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) root: Node,
    /// Handlers have `args`, and what is missing is filled in as `fileConfig` does it.
    pub(super) is_ini: bool,
    /// What only Python takes: mistakes, but with `python_defaults`.
    pub(super) doubts: Vec<ConfigError>,
    origin: Option<String>,
}

impl Config {
    /// From JSON. A key that stands twice is refused when the configuration is applied; with
    /// [`python_defaults`](super::LoggingBuilder::python_defaults) the last one counts, as in Python.
    ///
    /// # Errors
    /// It is not JSON, or it is more than 64 levels deep; with line and column.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Self::parse(text, Syntax::Json)
    }

    /// From YAML, with the types of YAML 1.1, as PyYAML's `safe_load` reads it: `yes`, `no`, `on` and `off` are truth
    /// values, `0640` is octal, `10_000` and `1:30` are numbers, `1e6` and `0o17` are texts. Dates become texts. One
    /// difference: `level: OFF`, in capitals, is the level that lets nothing pass, and not false
    /// ([`python_defaults`](super::LoggingBuilder::python_defaults) takes that back). References and merge keys are
    /// taken; of tags, those of YAML's own scalars. A key that stands twice is refused as in [JSON](Self::from_json).
    ///
    /// # Errors
    /// It is not YAML, or it is too deep or, by its references, too big; with line and column.
    pub fn from_yaml(text: &str) -> Result<Self, Error> {
        Self::parse(text, Syntax::Yaml)
    }

    /// From TOML.
    ///
    /// # Errors
    /// It is not TOML; with line and column.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        Self::parse(text, Syntax::Toml)
    }

    pub(super) fn from_node(root: Node) -> Self {
        Self { root, is_ini: false, doubts: Vec::new(), origin: None }.settled()
    }

    /// `disable_existing_loggers` is true or false as Python takes it, unless it still stands for something else.
    fn settled(mut self) -> Self {
        let node = self.root.as_map_mut().and_then(|map| map.get_mut("disable_existing_loggers"));
        let is_reference = |text: &str| text.contains("${") || text.starts_with("cfg://");
        if let Some(node) = node.filter(|node| !node.as_str().is_some_and(is_reference)) {
            node.data = Data::Bool(node.is_true());
        }
        self
    }

    fn parse(text: &str, syntax: Syntax) -> Result<Self, Error> {
        let (root, doubts) = source::parse(text, syntax)?;
        Ok(Self { doubts, ..Self::from_node(root) })
    }

    /// From Python's INI files (`fileConfig`).
    ///
    /// `args` and `kwargs` are read as Python's constant expressions: literals, arithmetic, texts put together, and names:
    /// `sys.stdout`, `sys.stderr`, the levels, `logging`'s numbers, and what the [`ClassRegistry`](super::ClassRegistry) has.
    /// Nothing is called. An option that looks misspelt is refused when the configuration is applied; with
    /// [`python_defaults`](super::LoggingBuilder::python_defaults) it is left alone, as in Python.
    ///
    /// # Errors
    /// It is not INI, a section is missing, or a value is no constant; all of it at once, with line and column.
    pub fn from_ini(text: &str) -> Result<Self, Error> {
        Self::from_ini_with(text, [])
    }

    /// The same with defaults for `%(name)s` in values, as Python's `defaults`.
    ///
    /// # Errors
    /// As [`Config::from_ini`].
    pub fn from_ini_with<'d>(
        text: &str,
        defaults: impl IntoIterator<Item = (&'d str, &'d str)>,
    ) -> Result<Self, Error> {
        let mut ini = Ini::parse(text).map_err(ConfigErrors::into_error)?;
        ini.add_defaults(defaults);
        let (root, doubts) = ini::declare(&ini).map_err(ConfigErrors::into_error)?;
        Ok(Self { root, is_ini: true, doubts, origin: None })
    }

    /// From a file of Python's INI, whatever its name ends in, with defaults for `%(name)s`.
    ///
    /// # Errors
    /// The file is missing, cannot be read or is empty, or as [`Config::from_ini`].
    pub fn from_ini_file<'d>(
        path: impl AsRef<Path>,
        defaults: impl IntoIterator<Item = (&'d str, &'d str)>,
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        let shown = path.display();
        let wrong = |message: &str, python: String| ConfigError::new(format!("{shown}"), None, message).python(python);
        if fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Err(wrong("there is no such file", format!("{shown} doesn't exist")).into());
        }
        let text = read(path)?;
        if text.trim().is_empty() {
            return Err(wrong("the file is empty", format!("{shown} is an empty file")).into());
        }
        let mut config = Self::from_ini_with(&text, defaults).map_err(|error| Error::with_cause(shown, error))?;
        config.origin = Some(path.display().to_string());
        Ok(config)
    }

    /// Whether loggers that exist and are not named here are switched off, whatever the configuration says itself.
    pub fn disable_existing_loggers(mut self, disable: bool) -> Self {
        if let Some(map) = self.root.as_map_mut() {
            map.set("disable_existing_loggers", Node::new(Data::Bool(disable)));
        }
        self
    }

    /// From a file; its name tells the syntax: `.json`, `.yaml`, `.yml`, `.toml`, and `.ini`, `.cfg` or `.conf`.
    ///
    /// # Errors
    /// The file cannot be read, its name ends otherwise, or what the syntax's own function says, with the path.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = read(path)?;
        let config = match Self::syntax_of(path)? {
            Some(syntax) => Self::parse(&text, syntax),
            None => return Self::from_ini_file(path, []),
        };
        let mut config = config.map_err(|error| Error::with_cause(format_args!("{}", path.display()), error))?;
        config.origin = Some(path.display().to_string());
        Ok(config)
    }

    /// `None` is INI.
    fn syntax_of(path: &Path) -> Result<Option<Syntax>, Error> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match &*extension {
            "json" => Ok(Some(Syntax::Json)),
            "yaml" | "yml" => Ok(Some(Syntax::Yaml)),
            "toml" => Ok(Some(Syntax::Toml)),
            "ini" | "cfg" | "conf" => Ok(None),
            _ => Err(Error::config(format_args!(
                "{}: expected a name that ends in .json, .yaml, .yml, .toml, .ini, .cfg or .conf",
                path.display()
            ))),
        }
    }

    /// That a name tells the syntax.
    #[cfg(feature = "watch")]
    pub(super) fn check_name(path: &Path) -> Result<(), Error> {
        Self::syntax_of(path).map(drop)
    }

    /// From anything that `serde` can serialize: a `serde_json::Value`, a part of the application's own configuration.
    ///
    /// # Errors
    /// It cannot be serialized as JSON could.
    pub fn from_value(value: &impl Serialize) -> Result<Self, Error> {
        let value = serde_json::to_value(value)
            .map_err(|error| Error::config(format_args!("the configuration cannot be taken: {error}")))?;
        Ok(Self::from_node(value.into()))
    }

    /// The path it was read from.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Fills in `${NAME}` and `${NAME:-default}` from the environment, once, and now: what a variable stands for is not
    /// looked into again, and nothing is ever filled in while records are written. `$${` stays `${`. Texts under
    /// `formatters` are left alone: there, `${name}` is an attribute of records.
    ///
    /// Without this call no variable is looked at.
    ///
    /// # Errors
    /// A variable is not set and has no default, or the form is not one of these two; all of them at once.
    pub fn expand_env(self) -> Result<Self, Error> {
        self.expand(|name| std::env::var(name).ok())
    }

    /// As [`expand_env`](Self::expand_env), with one's own source of values: `None` is "not set". For a list of names that
    /// are allowed, look at the name first.
    ///
    /// # Errors
    /// As [`expand_env`](Self::expand_env).
    pub fn expand(mut self, look: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut problems = Vec::new();
        variables::expand(&mut self.root, &look, &mut problems);
        ConfigErrors::check(problems)?;
        Ok(self.settled())
    }

    /// Replaces values by what the environment says: `STRATA__HANDLERS__FILE__LEVEL=ERROR` is `handlers.file.level`. Two
    /// underscores part the keys, whose case does not matter; a value that reads as a number or truth value is one.
    /// `STRATA_LOG=warn,shop=debug` sets levels of loggers, in the form of `RUST_LOG`.
    ///
    /// # Errors
    /// A variable leads to no place of the configuration, or `STRATA_LOG` is wrong.
    pub fn override_from_env(self) -> Result<Self, Error> {
        let variables = std::env::vars_os();
        let variables =
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        self.override_with(variables)
    }

    /// As [`override_from_env`](Self::override_from_env), with other variables than the environment's.
    ///
    /// # Errors
    /// As [`override_from_env`](Self::override_from_env).
    pub fn override_with(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| name.starts_with("STRATA_")).collect();
        variables.sort();
        let mut problems = Vec::new();
        for (name, value) in variables {
            if let Some(path) = name.strip_prefix("STRATA__") {
                let keys: Vec<_> = path.split("__").collect();
                if let Err(message) = put(&mut self.root, &keys, &value) {
                    problems.push(ConfigError::new(format!("environment variable {name}"), None, message));
                }
            } else if name == "STRATA_LOG"
                && let Err(error) = self.put_levels(&value)
            {
                problems.push(ConfigError::new("environment variable STRATA_LOG", None, error.to_string()));
            }
        }
        ConfigErrors::check(problems)?;
        Ok(self.settled())
    }

    /// Levels in the form of `RUST_LOG`.
    fn put_levels(&mut self, directives: &str) -> Result<(), Error> {
        let loggers = crate::Loggers::parse(directives)?;
        // The root's level is WARN where the directives do not say it.
        let is_level = |item: &str| !item.contains('=') && item.trim().parse::<Severity>().is_ok();
        let says_root = directives.split(',').any(is_level) || directives.contains("root=");
        let levels = loggers.snapshot().into_iter().filter_map(|declared| Some((declared.name, declared.level?)));
        let levels: Vec<_> = levels.filter(|(name, _)| says_root || !name.is_empty()).collect();
        self.put(&levels);
        Ok(())
    }

    /// Sets levels by name; the root's is empty.
    #[cfg(feature = "clap")]
    pub(super) fn with_levels(mut self, levels: &[(String, Severity)]) -> Self {
        self.put(levels);
        self
    }

    fn put(&mut self, levels: &[(String, Severity)]) {
        for (name, level) in levels {
            let level = Node::new(Data::Int(level.number().into()));
            if name.is_empty() {
                child(&mut self.root, "root").set("level", level);
                continue;
            }
            let loggers = child(&mut self.root, "loggers");
            let known = loggers.iter().map(|(key, _)| key.text.clone()).find(|key| key.replace("::", ".") == *name);
            let key = known.unwrap_or_else(|| name.clone());
            if loggers.get(&key).is_none_or(|node| node.as_map().is_none()) {
                loggers.set(&key, Node::map([]));
            }
            if let Some(map) = loggers.get_mut(&key).and_then(Node::as_map_mut) {
                map.set("level", level);
            }
        }
    }

    /// As JSON, without places.
    pub fn to_json(&self) -> String {
        serde_json::Value::from(&self.root).to_string()
    }
}

/// As JSON: equal configurations print the same but for the order of their keys.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// The same values, wherever they stand.
impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root && self.is_ini == other.is_ini
    }
}

/// A file in UTF-8.
fn read(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|error| Error::io_at(path, "read", error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let message = format!("expected UTF-8, got the byte 0x{:02x}", error.as_bytes()[valid]);
        let problem = ConfigError::new("", Some(At::of(&before, before.len())), message);
        Error::with_cause(path.display(), problem.into())
    })
}

fn child<'n>(node: &'n mut Node, key: &str) -> &'n mut super::node::Map {
    if node.as_map().is_none() {
        node.data = Data::Map(Default::default());
    }
    let Data::Map(map) = &mut node.data else { unreachable!("it was just made one") };
    if map.get(key).is_none_or(|node| node.as_map().is_none()) {
        map.set(key, Node::map([]));
    }
    match map.get_mut(key).map(|node| &mut node.data) {
        Some(Data::Map(map)) => map,
        _ => unreachable!("it was just put there"),
    }
}

/// The place must be there but for its last key.
fn put(node: &mut Node, keys: &[&str], value: &str) -> Result<(), String> {
    let Some((first, rest)) = keys.split_first() else { return Err("expected a key".into()) };
    if let Data::List(list) = &mut node.data {
        let count = list.len();
        let index: usize = first.parse().map_err(|_| format!("expected an index below {count}, got {first:?}"))?;
        let item = list.get_mut(index).ok_or_else(|| format!("expected an index below {count}, got {index}"))?;
        if !rest.is_empty() {
            return put(item, rest, value);
        }
        item.data = typed(value);
        return Ok(());
    }
    let Some(map) = node.as_map_mut() else { return Err(format!("there is nothing below, for {first:?}")) };
    let known = map.0.iter().position(|(key, _)| key.text.eq_ignore_ascii_case(first));
    match (known, rest) {
        (Some(index), []) => map.0[index].1.data = typed(value),
        (Some(index), rest) => return put(&mut map.0[index].1, rest, value),
        (None, []) => map.set(&first.to_lowercase(), Node::new(typed(value))),
        (None, _) => {
            let names: Vec<_> = map.iter().map(|(key, _)| key.text.clone()).collect();
            let meant = nearest(first, names.iter().map(String::as_str));
            let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
            return Err(format!("there is no key {first:?}{meant}"));
        }
    }
    Ok(())
}

fn typed(value: &str) -> Data {
    match value {
        "true" => Data::Bool(true),
        "false" => Data::Bool(false),
        value => value.parse().map_or_else(|_| Data::Str(value.to_owned()), Data::Int),
    }
}
