//! A configuration that has been read but not applied.

use std::{fmt, fs, path::Path};

use serde::Serialize;

use super::{
    error::{ConfigError, ConfigErrors, nearest},
    node::{Data, Map, Node, Position},
    source::{self, Syntax, variables},
};
use crate::{Error, Severity};

/// A configuration: Python's `dictConfig` schema, version 1, from JSON, YAML, TOML, a `serde` value, or Python's INI files.
///
/// Reading finds mistakes in the syntax. Applying it ([`Logging::reload`](super::Logging::reload)) or
/// [checking](super::Logging::check) it finds the others.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) root: Node,
    /// Handlers have positional `args`, as `fileConfig` has them.
    pub(super) is_ini: bool,
    /// Errors unless `python_defaults` is set: Python accepts these.
    pub(super) strict_errors: Vec<ConfigError>,
    pub(super) origin: Option<String>,
}

impl Config {
    /// Reads JSON. A duplicate key is refused when the configuration is applied; with
    /// [`python_defaults`](super::LoggingBuilder::python_defaults) the last one counts, as in Python.
    ///
    /// # Errors
    /// It is not JSON, or it is more than 64 levels deep; with line and column.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Self::parse(text, Syntax::Json)
    }

    /// Reads YAML with the types of YAML 1.1, as PyYAML's `safe_load` does: `yes`, `no`, `on` and `off` are bools, `0640` is
    /// octal, `10_000` and `1:30` are numbers, `1e6` and `0o17` are strings. Dates become strings. One difference:
    /// `level: OFF`, in capitals, is the level that lets nothing pass, not false
    /// ([`python_defaults`](super::LoggingBuilder::python_defaults) restores false). Anchors, merge keys and the tags of
    /// YAML's own scalars are accepted. A duplicate key is refused as in [JSON](Self::from_json).
    ///
    /// # Errors
    /// It is not YAML, more than 64 levels deep, or aliases make it too large; with line and column.
    pub fn from_yaml(text: &str) -> Result<Self, Error> {
        Self::parse(text, Syntax::Yaml)
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// It is not TOML; with line and column.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        Self::parse(text, Syntax::Toml)
    }

    pub(super) fn from_node(root: Node) -> Self {
        Self { root, is_ini: false, strict_errors: Vec::new(), origin: None }.normalized()
    }

    /// Replaces `disable_existing_loggers` by its truthiness, unless it is still a reference.
    pub(super) fn normalized(mut self) -> Self {
        let node = self.root.as_map_mut().and_then(|map| map.get_mut("disable_existing_loggers"));
        let is_reference = |text: &str| text.contains("${") || text.starts_with("cfg://");
        if let Some(node) = node.filter(|node| !node.as_str().is_some_and(is_reference)) {
            node.data = Data::Bool(node.is_true());
        }
        self
    }

    fn parse(text: &str, syntax: Syntax) -> Result<Self, Error> {
        let (root, strict_errors) = source::parse(text, syntax)?;
        Ok(Self { strict_errors, ..Self::from_node(root) })
    }

    /// Reads Python's INI format (`fileConfig`).
    ///
    /// `args` and `kwargs` are constant expressions of Python: literals, arithmetic, concatenated strings, and names
    /// (`sys.stdout`, `sys.stderr`, the levels, `logging`'s numbers, and the names of the
    /// [`ClassRegistry`](super::ClassRegistry)). Nothing is called. An option that looks misspelt is refused when the
    /// configuration is applied; with [`python_defaults`](super::LoggingBuilder::python_defaults) it is ignored, as in Python.
    ///
    /// # Errors
    /// It is not INI, a section is missing, or a value is not a constant; all mistakes at once, with line and column.
    pub fn from_ini(text: &str) -> Result<Self, Error> {
        Self::from_ini_with(text, [])
    }

    /// As [`from_ini`](Self::from_ini), with defaults for `%(name)s` in values, as Python's `defaults`.
    ///
    /// # Errors
    /// As [`Config::from_ini`].
    pub fn from_ini_with<'d>(
        text: &str,
        defaults: impl IntoIterator<Item = (&'d str, &'d str)>,
    ) -> Result<Self, Error> {
        let (root, strict_errors) = source::parse_ini(text, defaults).map_err(ConfigErrors::into_error)?;
        Ok(Self { root, is_ini: true, strict_errors, origin: None })
    }

    /// Reads an INI file, whatever its extension, with defaults for `%(name)s`.
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

    /// Whether to disable existing loggers that the configuration does not name. Overrides the configuration's own key.
    pub fn disable_existing_loggers(mut self, disable: bool) -> Self {
        if let Some(map) = self.root.as_map_mut() {
            map.set("disable_existing_loggers", Node::new(Data::Bool(disable)));
        }
        self
    }

    /// Reads a file. The extension tells the syntax: `.json`, `.yaml`, `.yml`, `.toml`, and `.ini`, `.cfg` or `.conf`.
    ///
    /// # Errors
    /// The file cannot be read, its extension is not one of these, or the error of the syntax's own function, with the
    /// path.
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

    /// As [`Logging::from_path`](super::Logging::from_path) reads it.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        Self::from_path(path)?.expand_includes()?.expand_env()?.override_from_env()
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

    /// Checks that the extension tells the syntax.
    #[cfg(feature = "watch")]
    pub(super) fn check_name(path: &Path) -> Result<(), Error> {
        Self::syntax_of(path).map(drop)
    }

    /// From anything that `serde` can serialize: a `serde_json::Value`, a part of the application's own configuration.
    ///
    /// # Errors
    /// It cannot be serialized to JSON.
    pub fn from_value(value: &impl Serialize) -> Result<Self, Error> {
        Node::from_serialize(value, "configuration").map(Self::from_node)
    }

    /// The path of the file it was read from.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Expands `${NAME}` and `${NAME:-default}` from the environment, once and now: values are not expanded again, and nothing
    /// is expanded while records are written. `$${` becomes `${`. Strings under `formatters` are left alone: there, `${name}`
    /// is an attribute of records.
    ///
    /// Without this call no variable is expanded.
    ///
    /// # Errors
    /// A variable is not set and has no default, or the form is neither of these two; all mistakes at once.
    pub fn expand_env(self) -> Result<Self, Error> {
        self.expand(|name| std::env::var(name).ok())
    }

    /// As [`expand_env`](Self::expand_env), from another source: `lookup` returns `None` for a variable that is not set. It can
    /// restrict the allowed names.
    ///
    /// # Errors
    /// As [`expand_env`](Self::expand_env).
    pub fn expand(mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut problems = Vec::new();
        variables::expand(&mut self.root, &lookup, &mut problems);
        ConfigErrors::check(problems)?;
        Ok(self.normalized())
    }

    /// Overrides values from the environment: `STRATA__HANDLERS__FILE__LEVEL=ERROR` sets `handlers.file.level`. Two underscores
    /// separate the keys, whose case does not matter; a value that looks like an integer or a bool is one.
    /// `STRATA_LOG=warn,shop=debug` sets levels of loggers, in the form of `RUST_LOG`.
    ///
    /// # Errors
    /// A variable names no key of the configuration, or `STRATA_LOG` is wrong.
    pub fn override_from_env(self) -> Result<Self, Error> {
        let variables = std::env::vars_os();
        let variables =
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        self.override_with(variables)
    }

    /// As [`override_from_env`](Self::override_from_env), with variables other than the environment's.
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
                if let Err(message) = set_path(&mut self.root, &keys, &value) {
                    problems.push(ConfigError::new(format!("environment variable {name}"), None, message));
                }
            } else if name == "STRATA_LOG" {
                if let Err(error) = self.set_directives(&value) {
                    problems.push(ConfigError::new("environment variable STRATA_LOG", None, error.to_string()));
                }
            }
        }
        ConfigErrors::check(problems)?;
        Ok(self.normalized())
    }

    /// Sets levels in the form of `RUST_LOG`.
    fn set_directives(&mut self, directives: &str) -> Result<(), Error> {
        let loggers = crate::Loggers::parse(directives)?;
        // `parse` sets the root to WARN if the directives do not name it.
        let is_level = |item: &str| !item.contains('=') && item.trim().parse::<Severity>().is_ok();
        let names_root = directives.split(',').any(is_level) || directives.contains("root=");
        let levels = loggers.snapshot().into_iter().filter_map(|(name, logger)| Some((name, logger.level?)));
        let levels: Vec<_> = levels.filter(|(name, _)| names_root || !name.is_empty()).collect();
        self.set_levels(&levels);
        Ok(())
    }

    /// Sets levels by name; the root's is empty.
    #[cfg(feature = "clap")]
    pub(super) fn with_levels(mut self, levels: &[(String, Severity)]) -> Self {
        self.set_levels(levels);
        self
    }

    fn set_levels(&mut self, levels: &[(String, Severity)]) {
        if self.root.as_map().is_none() {
            self.root.data = Data::Map(Map::default());
        }
        let Data::Map(root) = &mut self.root.data else { unreachable!("set above") };
        for (name, level) in levels {
            let level = Node::new(Data::Int(level.number().into()));
            if name.is_empty() {
                root.child("root").set("level", level);
                continue;
            }
            let loggers = root.child("loggers");
            let known = loggers.iter().map(|(key, _)| key.text.clone()).find(|key| key.replace("::", ".") == *name);
            loggers.child(&known.unwrap_or_else(|| name.clone())).set("level", level);
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::Value::from(&self.root).to_string()
    }
}

/// As JSON. Equal configurations may differ in the order of their keys.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// Compares the values, not their positions.
impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root && self.is_ini == other.is_ini
    }
}

/// Reads a file in UTF-8.
fn read(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|error| Error::io_at(path, "read", error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let message = format!("expected UTF-8, got the byte 0x{:02x}", error.as_bytes()[valid]);
        let problem = ConfigError::new("", Some(Position::of(&before, before.len())), message);
        Error::with_cause(path.display(), problem.into())
    })
}

/// Sets a value; all keys but the last must exist.
fn set_path(node: &mut Node, keys: &[&str], value: &str) -> Result<(), String> {
    let Some((first, rest)) = keys.split_first() else { return Err("expected a key".into()) };
    if let Data::List(list) = &mut node.data {
        let count = list.len();
        let index: usize = first.parse().map_err(|_| format!("expected an index below {count}, got {first:?}"))?;
        let item = list.get_mut(index).ok_or_else(|| format!("expected an index below {count}, got {index}"))?;
        if !rest.is_empty() {
            return set_path(item, rest, value);
        }
        item.data = typed(value);
        return Ok(());
    }
    let Some(map) = node.as_map_mut() else { return Err(format!("there is nothing below, for {first:?}")) };
    let known = map.0.iter().position(|(key, _)| key.text.eq_ignore_ascii_case(first));
    match (known, rest) {
        (Some(index), []) => map.0[index].1.data = typed(value),
        (Some(index), rest) => return set_path(&mut map.0[index].1, rest, value),
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
