//! Parses JSON, YAML, TOML and INI into nodes.

mod file_config;
mod ini;
mod json;
mod literal;
mod toml;
pub(super) mod variables;
mod yaml;

pub(super) use self::literal::literal;
use super::{error::ConfigError, node::Node};

/// The syntax of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Json,
    Yaml,
    Toml,
}

/// The depth limit of a configuration, which protects the stack.
const MAX_DEPTH: usize = 64;

/// A configuration, and what only Python's defaults accept, such as duplicate keys.
pub(super) type Parsed = (Node, Vec<ConfigError>);

pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Parsed, ConfigError> {
    match syntax {
        Syntax::Json => json::parse(text),
        Syntax::Yaml => yaml::parse(text),
        Syntax::Toml => toml::parse(text),
    }
}

/// Reads Python's INI format, with defaults for `%(name)s`.
pub(super) fn parse_ini<'d>(
    text: &str,
    defaults: impl IntoIterator<Item = (&'d str, &'d str)>,
) -> Result<Parsed, Vec<ConfigError>> {
    let mut ini = ini::Ini::parse(text)?;
    ini.add_defaults(defaults);
    file_config::declare(&ini)
}
