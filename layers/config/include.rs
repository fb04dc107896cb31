//! Configurations that are made of several: one under a key, one over another, and `include`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    document::Config,
    error::ConfigError,
    node::{Data, Map, Node, Position},
};
use crate::{Error, fork::ForkMutex};

/// How many files may include each other in a row.
const MAX_DEPTH: usize = 16;

impl Config {
    /// The configuration under a key of a larger document, such as `logging` in an application's own settings. Dots lead
    /// further down: `app.logging`.
    ///
    /// ```
    /// use tracing_strata::config::{Config, Logging};
    ///
    /// let settings = "
    /// port: 8080
    /// logging: {version: 1, root: {level: INFO}}
    /// ";
    /// let logging = Logging::builder().build(&Config::from_yaml(settings)?.under("logging")?)?;
    /// # Ok::<(), tracing_strata::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no mapping under that key.
    pub fn under(mut self, key: &str) -> Result<Self, Error> {
        let mut path = String::new();
        for part in key.split('.') {
            let Data::Map(mut map) = std::mem::take(&mut self.root.data) else {
                return Err(
                    ConfigError::new(path, self.root.at, format!("expected a mapping with the key {part:?}")).into()
                );
            };
            let found = map.get_mut(part).filter(|node| node.as_map().is_some()).map(std::mem::take);
            let written = map.get(part).map(|node| (node.at, format!("expected a mapping, got {node}")));
            path = if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
            let Some(found) = found else {
                let (at, message) = written.unwrap_or_else(|| (self.root.at, format!("expected the key {part:?}")));
                let keys = map.iter().map(|(key, _)| &*key.text);
                return Err(ConfigError::new(path, at, message).nearest(part, keys).into());
            };
            self.root = found;
        }
        // What stands twice elsewhere in the document is not ours.
        self.strict_errors.retain_mut(|problem| match problem.path.strip_prefix(&path) {
            Some("") => true,
            Some(rest) if rest.starts_with('.') => {
                problem.path = rest[1..].to_owned();
                true
            }
            _ => path.starts_with(&format!("{}.", problem.path)),
        });
        Ok(self.normalized())
    }

    /// This configuration with another one over it, such as that of an environment over a common base. As a JSON Merge Patch
    /// ([RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)): mappings are merged key by key, `null` removes a key, and any
    /// other value, lists included, replaces the one below. One addition: an entry that names another `class` (or `()`)
    /// replaces the entry below as a whole.
    ///
    /// ```
    /// use tracing_strata::config::Config;
    ///
    /// let base = Config::from_yaml("
    /// version: 1
    /// handlers:
    ///   out: {class: rotating, filename: app.log, maxBytes: 1000000, backupCount: 3}
    ///   debug: {class: file, filename: debug.log}
    /// root: {level: INFO, handlers: [out, debug]}
    /// ")?;
    /// let production = Config::from_yaml("
    /// handlers:
    ///   out: {backupCount: 30}
    ///   debug: null
    /// root: {handlers: [out]}
    /// ")?;
    /// let expected = Config::from_yaml("
    /// version: 1
    /// handlers:
    ///   out: {class: rotating, filename: app.log, maxBytes: 1000000, backupCount: 30}
    /// root: {level: INFO, handlers: [out]}
    /// ")?;
    /// assert_eq!(base.overlaid_with(production)?, expected);
    /// # Ok::<(), tracing_strata::Error>(())
    /// ```
    ///
    /// # Errors
    /// One of the two, but not the other, is an INI file.
    pub fn overlaid_with(mut self, over: Self) -> Result<Self, Error> {
        if self.is_ini != over.is_ini {
            return Err(Error::config("an INI file cannot be merged with a configuration in another syntax"));
        }
        merge(&mut self.root, over.root);
        self.strict_errors.extend(over.strict_errors);
        Ok(Self { origin: over.origin.or(self.origin), ..self }.normalized())
    }

    /// Reads the files that the top-level key `include` names, a path or a list of paths, and puts the rest of the
    /// configuration [over](Self::overlaid_with) them; of several files, the later ones over the earlier. Paths are relative to
    /// the file that names them (or to the working directory), and these files may include others. Errors name the file.
    ///
    /// [`Logging::from_path`](super::Logging::from_path), [`watch`](super::Logging::watch) and the command line do this;
    /// [`from_path`](Self::from_path) does not, since Python knows no such key.
    ///
    /// ```yaml
    /// # production.yaml
    /// include: base.yaml
    /// root: {level: WARNING}
    /// ```
    ///
    /// # Errors
    /// As for [`from_path`](Self::from_path); a file includes itself; `include` is neither a path nor a list of paths.
    pub fn expand_includes(self) -> Result<Self, Error> {
        let origin = self.origin.as_deref().map(Path::new).and_then(|path| std::path::absolute(path).ok());
        self.expanded(&mut origin.into_iter().collect())
    }

    /// `open` are the files that are being read.
    fn expanded(mut self, open: &mut Vec<PathBuf>) -> Result<Self, Error> {
        let Some(map) = self.root.as_map_mut() else { return Ok(self) };
        let Some(index) = map.0.iter().position(|(key, _)| key.text == "include") else { return Ok(self) };
        let (_, include) = map.0.remove(index);
        let files = match &include.data {
            Data::Str(_) => std::slice::from_ref(&include),
            Data::List(list) => list,
            _ => return Err(wrong(&include)),
        };
        let mut merged: Option<Self> = None;
        for node in files {
            let path = included_path(node.as_str().ok_or_else(|| wrong(node))?, open.last())?;
            let refused = match open.len() {
                _ if open.contains(&path) => Some(format!("{} includes itself", path.display())),
                MAX_DEPTH.. => Some(format!("expected at most {MAX_DEPTH} files that include each other in a row")),
                _ => None,
            };
            if let Some(message) = refused {
                return Err(ConfigError::new("include", node.at, message).into());
            }
            let mut base = Self::from_path(&path)?;
            let name = interned(&path.display().to_string());
            set_file(&mut base.root, name);
            base.strict_errors.iter_mut().for_each(|problem| problem.at = at_file(problem.at, name));
            open.push(path);
            let base = base.expanded(open)?;
            open.pop();
            merged = Some(match merged {
                Some(below) => below.overlaid_with(base)?,
                None => base,
            });
        }
        match merged {
            Some(below) => below.overlaid_with(self),
            None => Ok(self),
        }
    }
}

fn wrong(node: &Node) -> Error {
    ConfigError::new("include", node.at, format!("expected a path or a list of paths, got {node}")).into()
}

fn included_path(path: &str, from: Option<&PathBuf>) -> Result<PathBuf, Error> {
    let path = match from.and_then(|file| file.parent()) {
        Some(directory) => directory.join(path),
        None => path.into(),
    };
    std::path::absolute(&path).map_err(|error| Error::io_at(&path, "find", error))
}

/// Puts one value over another.
fn merge(below: &mut Node, mut over: Node) {
    let class = |node: &Node| node.class_name().map(str::to_owned);
    let is_same_class = class(&over).is_none_or(|name| class(below) == Some(name));
    if !is_same_class || below.as_map().is_none() {
        drop_nulls(&mut over);
    }
    let at = over.at;
    match (&mut below.data, over.data) {
        (Data::Map(map), Data::Map(over)) if is_same_class => merge_maps(map, over),
        (data, over) => {
            *data = over;
            below.at = at;
        }
    }
}

fn merge_maps(map: &mut Map, over: Map) {
    for (key, mut node) in over.0 {
        let known = map.0.iter().position(|(known, _)| known.text == key.text);
        match known {
            Some(index) if node.is_null() => drop(map.0.remove(index)),
            Some(index) => merge(&mut map.0[index].1, node),
            None if node.is_null() => {}
            None => {
                drop_nulls(&mut node);
                map.0.push((key, node));
            }
        }
    }
}

/// As over nothing: what removes a key has nothing to remove.
fn drop_nulls(node: &mut Node) {
    if let Data::Map(map) = &mut node.data {
        map.0.retain(|(_, node)| !node.is_null());
        map.0.iter_mut().for_each(|(_, node)| drop_nulls(node));
    }
}

/// Names the file in all positions of a tree.
fn set_file(node: &mut Node, file: &'static String) {
    node.at = at_file(node.at, file);
    match &mut node.data {
        Data::List(list) => list.iter_mut().for_each(|node| set_file(node, file)),
        Data::Map(map) => {
            for (key, node) in &mut map.0 {
                key.at = at_file(key.at, file);
                set_file(node, file);
            }
        }
        _ => {}
    }
}

fn at_file(at: Option<Position>, file: &'static String) -> Option<Position> {
    at.map(|at| Position { file: Some(file), ..at })
}

/// The same text for ever: a position is copied too often to own one. There are only as many as files.
fn interned(text: &str) -> &'static String {
    static NAMES: ForkMutex<BTreeSet<&'static String>> = ForkMutex::for_static(BTreeSet::new());
    let mut names = NAMES.get();
    if let Some(known) = names.iter().find(|known| **known == text) {
        return known;
    }
    let name: &'static String = Box::leak(Box::new(text.to_owned()));
    names.insert(name);
    name
}
