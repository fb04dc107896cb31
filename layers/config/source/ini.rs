//! INI as Python's `configparser` reads it.

use std::collections::{HashMap, HashSet};

use crate::config::{error::ConfigError, node::Position};

/// Sections with their options, in order. The names of options are in lower case, as in Python.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Ini {
    pub(in crate::config) sections: Vec<Section>,
    /// Indices in `sections`.
    by_name: HashMap<String, usize>,
    defaults: Vec<Item>,
}

#[derive(Clone, Debug)]
pub(in crate::config) struct Section {
    pub(in crate::config) name: String,
    pub(in crate::config) at: Position,
    items: Vec<Item>,
}

/// The size limit of one value with its interpolations, in bytes.
const MAX_INTERPOLATED: usize = 1 << 24;

#[derive(Clone, Debug)]
struct Item {
    name: String,
    value: String,
    at: Position,
}

impl Ini {
    pub(in crate::config) fn parse(text: &str) -> Result<Self, Vec<ConfigError>> {
        let mut ini = Self::default();
        let mut problems = Vec::new();
        // Names of options, by section.
        let mut known = HashSet::new();
        // The section of the next item; none before the first section, and in `[DEFAULT]`.
        let mut section: Option<usize> = None;
        let mut in_defaults = false;
        let mut continues = false;
        let mut indent = 0;
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            let at = Position::new(number + 1, line.chars().take_while(|c| c.is_whitespace()).count() + 1);
            if trimmed.starts_with(['#', ';']) {
                continue;
            }
            let items = match section {
                Some(index) => Some(&mut ini.sections[index].items),
                None if in_defaults => Some(&mut ini.defaults),
                None => None,
            };
            if trimmed.is_empty() {
                // Part of a value if the value continues afterwards.
                if continues {
                    if let Some(last) = items.and_then(|items| items.last_mut()) {
                        last.value.push('\n');
                    }
                }
                continue;
            }
            if continues && at.column - 1 > indent {
                if let Some(last) = items.and_then(|items| items.last_mut()) {
                    last.value.push('\n');
                    last.value.push_str(trimmed);
                    continue;
                }
            }
            if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).map(|(name, _)| name) {
                continues = false;
                in_defaults = name == "DEFAULT";
                section = None;
                if !in_defaults {
                    if ini.by_name.insert(name.to_owned(), ini.sections.len()).is_some() {
                        problems.push(ConfigError::new(name, Some(at), "duplicate section"));
                    }
                    ini.sections.push(Section { name: name.to_owned(), at, items: Vec::new() });
                    section = Some(ini.sections.len() - 1);
                }
                continue;
            }
            let items = match section {
                Some(index) => &mut ini.sections[index].items,
                None if in_defaults => &mut ini.defaults,
                None => {
                    problems.push(ConfigError::new(
                        "",
                        Some(at),
                        "expected a section, as in `[loggers]`, before the first option",
                    ));
                    continue;
                }
            };
            let Some(delimiter) = trimmed.find(['=', ':']) else {
                problems.push(ConfigError::new("", Some(at), format!("expected `name=value`, got {trimmed:?}")));
                continues = false;
                continue;
            };
            let name = trimmed[..delimiter].trim().to_lowercase();
            if !known.insert((section, name.clone())) {
                problems.push(ConfigError::new(name.clone(), Some(at), "duplicate option"));
            }
            items.push(Item { name, value: trimmed[delimiter + 1..].trim().to_owned(), at });
            continues = true;
            indent = at.column - 1;
        }
        let all = ini.sections.iter_mut().flat_map(|section| &mut section.items).chain(&mut ini.defaults);
        all.for_each(|item| item.value.truncate(item.value.trim_end().len()));
        if problems.is_empty() { Ok(ini) } else { Err(problems) }
    }

    /// Adds options for sections that do not have them.
    pub(in crate::config) fn add_defaults<'d>(&mut self, defaults: impl IntoIterator<Item = (&'d str, &'d str)>) {
        for (name, value) in defaults {
            let name = name.to_lowercase();
            if !self.defaults.iter().any(|item| item.name == name) {
                self.defaults.push(Item { name, value: value.to_owned(), at: Position::new(1, 1) });
            }
        }
    }

    pub(in crate::config) fn section(&self, name: &str) -> Option<&Section> {
        self.by_name.get(name).map(|index| &self.sections[*index])
    }

    fn item<'i>(&'i self, section: &'i Section, name: &str) -> Option<&'i Item> {
        section.items.iter().chain(&self.defaults).find(|item| item.name == name)
    }

    /// The names of a section's own options.
    pub(in crate::config) fn names<'i>(&self, section: &'i Section) -> impl Iterator<Item = (&'i str, Position)> {
        section.items.iter().map(|item| (&*item.name, item.at))
    }

    /// An option as written.
    pub(in crate::config) fn raw<'i>(&'i self, section: &'i Section, name: &str) -> Option<(&'i str, Position)> {
        self.item(section, name).map(|item| (&*item.value, item.at))
    }

    /// An option with `%(name)s` interpolated from the same section and the defaults.
    pub(in crate::config) fn get(
        &self,
        section: &Section,
        name: &str,
    ) -> Result<Option<(String, Position)>, ConfigError> {
        let Some(item) = self.item(section, name) else { return Ok(None) };
        let value = self.interpolated(section, item, &item.value, 0, &mut { MAX_INTERPOLATED })?;
        Ok(Some((value, item.at)))
    }

    fn interpolated(
        &self,
        section: &Section,
        item: &Item,
        value: &str,
        depth: usize,
        left: &mut usize,
    ) -> Result<String, ConfigError> {
        let wrong =
            |message: String| ConfigError::new(format!("{}.{}", section.name, item.name), Some(item.at), message);
        // Nested references grow exponentially.
        let Some(less) = left.checked_sub(1 + value.len()) else {
            return Err(wrong(format!("expected at most {MAX_INTERPOLATED} bytes with its interpolations, got more")));
        };
        *left = less;
        if depth > 10 {
            return Err(wrong("values that refer to each other without end".into()));
        }
        let mut out = String::new();
        let mut rest = value;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                out.push('%');
                rest = after;
                continue;
            }
            let name = rest.strip_prefix('(').and_then(|rest| rest.split_once(")s"));
            let Some((name, after)) = name else {
                return Err(wrong("expected `%(name)s` or `%%` after '%'".into()));
            };
            let Some(other) = self.item(section, &name.to_lowercase()) else {
                return Err(wrong(format!("`%({name})s`: there is no option {name:?} here or in the defaults")));
            };
            out.push_str(&self.interpolated(section, item, &other.value, depth + 1, left)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}
