//! INI as Python's `configparser` reads it.

use std::collections::{HashMap, HashSet};

use crate::config::{node::At, problem::ConfigError};

/// Sections with their options, in order. Names of options are in lower case, as Python has them.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Ini {
    pub(in crate::config) sections: Vec<Section>,
    /// Where in the list.
    by_name: HashMap<String, usize>,
    defaults: Vec<Item>,
}

#[derive(Clone, Debug)]
pub(in crate::config) struct Section {
    pub(in crate::config) name: String,
    pub(in crate::config) at: At,
    items: Vec<Item>,
}

/// How much may be filled in for one value.
const MAX_FILLED: usize = 1 << 24;

#[derive(Clone, Debug)]
struct Item {
    name: String,
    value: String,
    at: At,
}

impl Ini {
    pub(in crate::config) fn parse(text: &str) -> Result<Self, Vec<ConfigError>> {
        let mut ini = Self::default();
        let mut problems = Vec::new();
        // Names of options, by section.
        let mut known = HashSet::new();
        // Which list the next item belongs to; none before the first section.
        let mut section: Option<usize> = None;
        let mut in_defaults = false;
        let mut goes_on = false;
        let mut indent = 0;
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            let at = At { line: number + 1, column: line.chars().take_while(|c| c.is_whitespace()).count() + 1 };
            if trimmed.starts_with(['#', ';']) {
                continue;
            }
            let items = match section {
                Some(index) => Some(&mut ini.sections[index].items),
                None if in_defaults => Some(&mut ini.defaults),
                None => None,
            };
            if trimmed.is_empty() {
                // An empty line belongs to a value that goes on; at its end it does not count.
                if goes_on && let Some(last) = items.and_then(|items| items.last_mut()) {
                    last.value.push('\n');
                }
                continue;
            }
            if goes_on
                && at.column - 1 > indent
                && let Some(last) = items.and_then(|items| items.last_mut())
            {
                last.value.push('\n');
                last.value.push_str(trimmed);
                continue;
            }
            if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).map(|(name, _)| name) {
                goes_on = false;
                in_defaults = name == "DEFAULT";
                section = None;
                if !in_defaults {
                    if ini.by_name.insert(name.to_owned(), ini.sections.len()).is_some() {
                        problems.push(ConfigError::new(name, Some(at), "the section stands here twice"));
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
                goes_on = false;
                continue;
            };
            let name = trimmed[..delimiter].trim().to_lowercase();
            if !known.insert((section, name.clone())) {
                problems.push(ConfigError::new(name.clone(), Some(at), "the option stands here twice"));
            }
            items.push(Item { name, value: trimmed[delimiter + 1..].trim().to_owned(), at });
            goes_on = true;
            indent = at.column - 1;
        }
        let all = ini.sections.iter_mut().flat_map(|section| &mut section.items).chain(&mut ini.defaults);
        all.for_each(|item| item.value.truncate(item.value.trim_end().len()));
        if problems.is_empty() { Ok(ini) } else { Err(problems) }
    }

    /// Options that count in every section that does not have them.
    pub(in crate::config) fn add_defaults<'d>(&mut self, defaults: impl IntoIterator<Item = (&'d str, &'d str)>) {
        for (name, value) in defaults {
            let name = name.to_lowercase();
            if !self.defaults.iter().any(|item| item.name == name) {
                self.defaults.push(Item { name, value: value.to_owned(), at: At { line: 1, column: 1 } });
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
    pub(in crate::config) fn names<'i>(&self, section: &'i Section) -> impl Iterator<Item = (&'i str, At)> {
        section.items.iter().map(|item| (&*item.name, item.at))
    }

    /// An option as it is written.
    pub(in crate::config) fn raw<'i>(&'i self, section: &'i Section, name: &str) -> Option<(&'i str, At)> {
        self.item(section, name).map(|item| (&*item.value, item.at))
    }

    /// An option with `%(name)s` filled in from the same section and the defaults.
    pub(in crate::config) fn get(&self, section: &Section, name: &str) -> Result<Option<(String, At)>, ConfigError> {
        let Some(item) = self.item(section, name) else { return Ok(None) };
        let value = self.filled(section, item, &item.value, 0, &mut { MAX_FILLED })?;
        Ok(Some((value, item.at)))
    }

    fn filled(
        &self,
        section: &Section,
        item: &Item,
        value: &str,
        depth: usize,
        left: &mut usize,
    ) -> Result<String, ConfigError> {
        let wrong =
            |message: String| ConfigError::new(format!("{}.{}", section.name, item.name), Some(item.at), message);
        // Ten values of ten references each to the next are ten thousand million.
        let Some(less) = left.checked_sub(1 + value.len()) else {
            return Err(wrong(format!("expected at most {MAX_FILLED} bytes with all that is filled in, got more")));
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
            out.push_str(&self.filled(section, item, &other.value, depth + 1, left)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}
