//! Texts → nodes.

mod ini;
mod json;
mod literal;
mod toml;
pub(super) mod variables;
mod yaml;

use super::{node::Node, problem::ConfigError};

pub(super) use self::{ini::Ini, literal::literal};

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Json,
    Yaml,
    Toml,
}

/// How deep a configuration may be: a text must not be able to use up the stack.
const MAX_DEPTH: usize = 64;

/// What was read, and what is taken only with Python's defaults: there, the last of two equal keys counts.
pub(super) type Read = (Node, Vec<ConfigError>);

pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Read, ConfigError> {
    match syntax {
        Syntax::Json => json::parse(text),
        Syntax::Yaml => yaml::parse(text),
        Syntax::Toml => toml::parse(text),
    }
}
