//! Translates the sections of `fileConfig` into the schema of `dictConfig`.

use super::{Parsed, ini::Ini, literal::literal};
use crate::config::{
    error::ConfigError,
    node::{Data, Key, Map, Node, Position},
};

pub(super) fn declare(ini: &Ini) -> Result<Parsed, Vec<ConfigError>> {
    let mut reader = Reader { ini, problems: Vec::new(), strict_errors: Vec::new() };
    let formatters = reader.section_of("formatters", Reader::formatter);
    let handlers = reader.section_of("handlers", Reader::handler);
    let (root, loggers) = reader.loggers();
    if !reader.problems.is_empty() {
        return Err(reader.problems.into_iter().chain(reader.strict_errors).collect());
    }
    let mut root = Node::map([
        ("version", Node::new(Data::Int(1))),
        ("formatters", formatters),
        ("handlers", handlers),
        ("loggers", loggers),
        ("root", root),
    ]);
    root.at = Some(Position::START);
    Ok((root, reader.strict_errors))
}

struct Reader<'i> {
    ini: &'i Ini,
    problems: Vec<ConfigError>,
    strict_errors: Vec<ConfigError>,
}

impl Reader<'_> {
    /// The names in `keys=` of a section.
    fn keys(&mut self, section: &str) -> Vec<(String, Position)> {
        let Some(found) = self.ini.section(section) else {
            let problem = ConfigError::new(
                section,
                Some(Position::START),
                format!("expected a section `[{section}]` with `keys=`"),
            );
            self.problems.push(problem.instead(section, self.ini.sections.iter().map(|section| &*section.name)));
            return Vec::new();
        };
        match self.ini.get(found, "keys") {
            Ok(Some((keys, at))) => names(&keys).map(|name| (name, at)).collect(),
            Ok(None) => {
                self.problems.push(ConfigError::new(
                    section,
                    Some(found.at),
                    "expected `keys=`, with the names of its parts",
                ));
                Vec::new()
            }
            Err(problem) => {
                self.problems.push(problem);
                Vec::new()
            }
        }
    }

    fn section_of(&mut self, kind: &str, read: fn(&mut Self, &str, &mut Map)) -> Node {
        let mut all = Map::default();
        for (name, at) in self.keys(kind) {
            let section = format!("{}_{name}", kind.trim_end_matches('s'));
            let Some(found) = self.ini.section(&section) else {
                let problem =
                    ConfigError::new(format!("{kind}.keys"), Some(at), format!("there is no section `[{section}]`"));
                let known = self.ini.sections.iter().map(|section| &*section.name);
                self.problems.push(problem.nearest(&section, known));
                continue;
            };
            let at = found.at;
            let mut map = Map::default();
            read(self, &section, &mut map);
            all.0.push((Key { text: name, at: Some(at) }, Node { data: Data::Map(map), at: Some(at) }));
        }
        Node::new(Data::Map(all))
    }

    /// An option as a string; `raw` skips the interpolation.
    fn option(&mut self, section: &str, name: &str, raw: bool) -> Option<Node> {
        let found = self.ini.section(section)?;
        let value = if raw {
            Ok(self.ini.raw(found, name).map(|(value, at)| (value.to_owned(), at)))
        } else {
            self.ini.get(found, name)
        };
        match value {
            Ok(value) => value.map(|(value, at)| Node { data: Data::Str(value), at: Some(at) }),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// Reports unknown options that look misspelt. Others are ignored, as in Python.
    fn check_names(&mut self, section: &str, known: &[&str]) {
        let Some(found) = self.ini.section(section) else { return };
        for (name, at) in self.ini.names(found) {
            if !known.contains(&name) {
                let problem = ConfigError::new(format!("{section}.{name}"), Some(at), "there is no such option here");
                let problem = problem.nearest(name, known.iter().copied());
                if problem.suggestion().is_some() {
                    self.strict_errors.push(problem);
                }
            }
        }
    }

    fn formatter(&mut self, section: &str, map: &mut Map) {
        self.check_names(section, &["format", "datefmt", "style", "class", "validate", "defaults"]);
        for name in ["format", "datefmt", "style"] {
            if let Some(node) = self.option(section, name, true).filter(|node| node.as_str() != Some("")) {
                map.set(name, node);
            }
        }
        if let Some(node) = self.option(section, "class", false).filter(|node| node.as_str() != Some("")) {
            map.set("class", node);
        }
        if let Some(defaults) = self.literal_option(section, "defaults", true) {
            map.set("defaults", defaults);
        }
    }

    fn handler(&mut self, section: &str, map: &mut Map) {
        self.check_names(section, &["class", "level", "formatter", "args", "kwargs", "target"]);
        match self.option(section, "class", false) {
            // In Python an expression, so it may have a comment.
            Some(Node { data: Data::Str(class), at }) => {
                let class = class.split('#').next().unwrap_or_default().trim().to_owned();
                map.set("class", Node { data: Data::Str(class), at });
            }
            Some(class) => map.set("class", class),
            None => {
                let at = self.ini.section(section).map(|found| found.at);
                self.problems.push(ConfigError::new(section, at, "expected `class=`"));
            }
        }
        for name in ["level", "formatter", "target"] {
            if let Some(node) = self.option(section, name, false).filter(|node| node.as_str() != Some("")) {
                map.set(name, node);
            }
        }
        if let Some(kwargs) = self.literal_option(section, "kwargs", false) {
            match kwargs.data {
                Data::Map(more) => {
                    for (key, node) in more.0 {
                        map.set(&key.text, node);
                    }
                }
                _ => self.problems.push(ConfigError::new(format!("{section}.kwargs"), kwargs.at, "expected a dict")),
            }
        }
        if let Some(args) = self.literal_option(section, "args", false) {
            match args.data {
                Data::List(_) => map.set("args", args),
                _ => {
                    let problem =
                        ConfigError::new(format!("{section}.args"), args.at, "expected a tuple, as in `('app.log',)`");
                    self.problems.push(problem);
                }
            }
        }
    }

    fn literal_option(&mut self, section: &str, name: &str, raw: bool) -> Option<Node> {
        let node = self.option(section, name, raw)?;
        let at = node.at;
        match literal(node.as_str()?) {
            Ok(value) => Some(with_position(value, at)),
            Err((expected, column)) => {
                let message = format!("{expected}, at character {column} of the value");
                self.problems.push(ConfigError::new(format!("{section}.{name}"), at, message));
                None
            }
        }
    }

    fn loggers(&mut self) -> (Node, Node) {
        let (mut root, mut loggers) = (None, Map::default());
        for (name, at) in self.keys("loggers") {
            let section = format!("logger_{name}");
            let Some(found) = self.ini.section(&section) else {
                let problem = ConfigError::new("loggers.keys", Some(at), format!("there is no section `[{section}]`"));
                let known = self.ini.sections.iter().map(|section| &*section.name);
                self.problems.push(problem.nearest(&section, known));
                continue;
            };
            let at = found.at;
            self.check_names(&section, &["level", "handlers", "qualname", "propagate", "channel", "parent"]);
            let mut map = Map::default();
            if let Some(level) = self.option(&section, "level", false).filter(|node| node.as_str() != Some("")) {
                map.set("level", level);
            }
            let handlers = self.option(&section, "handlers", false);
            if handlers.is_none() {
                self.problems.push(ConfigError::new(&section, Some(at), "expected `handlers=`, which may be empty"));
            }
            let handlers_at = handlers.as_ref().and_then(|node| node.at);
            let list = handlers.iter().filter_map(Node::as_str).flat_map(names);
            let list = list.map(|name| Node { data: Data::Str(name), at: handlers_at }).collect();
            map.set("handlers", Node { data: Data::List(list), at: handlers_at });
            if name == "root" {
                root = Some(Node { data: Data::Map(map), at: Some(at) });
                continue;
            }
            let propagate = self.option(&section, "propagate", false);
            let propagates = match propagate.as_ref().and_then(Node::as_str) {
                None | Some("1") => true,
                Some("0") => false,
                Some(other) => other.parse::<i64>().map(|number| number != 0).unwrap_or_else(|_| {
                    let at = propagate.as_ref().and_then(|node| node.at);
                    let problem =
                        ConfigError::new(format!("{section}.propagate"), at, format!("expected 0 or 1, got {other:?}"));
                    self.problems.push(problem);
                    true
                }),
            };
            map.set("propagate", Node::new(Data::Bool(propagates)));
            match self.option(&section, "qualname", false) {
                Some(qualname) => {
                    let text = qualname.as_str().unwrap_or_default().to_owned();
                    loggers.0.push((Key { text, at: Some(at) }, Node { data: Data::Map(map), at: Some(at) }));
                }
                None => {
                    self.problems.push(ConfigError::new(&section, Some(at), "expected `qualname=`, the logger's name"))
                }
            }
        }
        if root.is_none() {
            let at = self.ini.section("loggers").map_or(Position::START, |found| found.at);
            self.problems.push(ConfigError::new("loggers.keys", Some(at), "expected `root` among the loggers"));
        }
        (root.unwrap_or_default(), Node::new(Data::Map(loggers)))
    }
}

fn names(list: &str) -> impl Iterator<Item = String> + use<> {
    let names: Vec<_> = list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    names.into_iter()
}

/// Gives a value and all in it the position of its option.
fn with_position(node: Node, at: Option<Position>) -> Node {
    let data = match node.data {
        Data::List(list) => Data::List(list.into_iter().map(|node| with_position(node, at)).collect()),
        Data::Map(map) => {
            Data::Map(Map(map.0.into_iter().map(|(key, node)| (Key { at, ..key }, with_position(node, at))).collect()))
        }
        data => data,
    };
    Node { data, at }
}
