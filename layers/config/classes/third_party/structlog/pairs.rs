//! `KeyValueRenderer` and `LogfmtRenderer`.

use super::super::value::{Dict, Py};
use crate::{
    Error,
    config::{handler_args::HandlerArgs, node::Node},
};

/// Which pairs, and in which order.
struct Order {
    sort_keys: bool,
    first: Vec<String>,
    drop_missing: bool,
}

impl Order {
    fn read(args: &HandlerArgs<'_>) -> Self {
        Self {
            sort_keys: args.node("sort_keys").is_some_and(Node::is_true),
            first: args.texts("key_order").unwrap_or_default(),
            drop_missing: args.node("drop_missing").is_some_and(Node::is_true),
        }
    }

    fn pairs<'e>(&'e self, event: &'e Dict<'_>) -> Vec<(&'e str, &'e Py<'e>)> {
        let first = self.first.iter().filter_map(|name| match event.get(name) {
            Some(value) => Some((name.as_str(), value)),
            None => (!self.drop_missing).then_some((name.as_str(), &Py::None)),
        });
        let mut pairs: Vec<_> = first.collect();
        let sorted_from = pairs.len();
        let rest = event.0.iter().filter(|(name, _)| !self.first.iter().any(|first| first == name));
        pairs.extend(rest.map(|(name, value)| (name.as_ref(), value)));
        if self.sort_keys {
            pairs[sorted_from..].sort_by_key(|(name, _)| *name);
        }
        pairs
    }
}

/// `key=repr(value)`
pub(super) struct KeyValue {
    order: Order,
    repr_native_str: bool,
}

impl KeyValue {
    pub(super) fn read(args: &HandlerArgs<'_>) -> Self {
        Self { order: Order::read(args), repr_native_str: args.node("repr_native_str").is_none_or(Node::is_true) }
    }

    pub(super) fn push(&self, event: &Dict<'_>, out: &mut String) {
        for (index, (name, value)) in self.order.pairs(event).into_iter().enumerate() {
            out.push_str(if index > 0 { " " } else { "" });
            out.push_str(name);
            out.push('=');
            if self.repr_native_str { value.push_repr(out) } else { value.push_str(out) }
        }
    }
}

/// `key=value`, quoted where it takes that.
pub(super) struct Logfmt {
    order: Order,
    bool_as_flag: bool,
}

impl Logfmt {
    pub(super) fn read(args: &HandlerArgs<'_>) -> Self {
        Self { order: Order::read(args), bool_as_flag: args.node("bool_as_flag").is_none_or(Node::is_true) }
    }

    pub(super) fn push(&self, event: &Dict<'_>, out: &mut String) -> Result<(), Error> {
        let start = out.len();
        for (index, (name, value)) in self.order.pairs(event).into_iter().enumerate() {
            if name.chars().any(|c| c <= ' ') {
                out.truncate(start);
                return Err(Error::format(format_args!("Invalid key: {name:?}")));
            }
            out.push_str(if index > 0 { " " } else { "" });
            out.push_str(name);
            match value {
                Py::Bool(true) if self.bool_as_flag => continue,
                _ => out.push('='),
            }
            match value {
                Py::None => {}
                Py::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
                value => {
                    let mut text = String::new();
                    value.push_str(&mut text);
                    push_quoted(&text, out);
                }
            }
        }
        Ok(())
    }
}

fn push_quoted(text: &str, out: &mut String) {
    let quoted = text.contains([' ', '=', '"']);
    out.push_str(if quoted { "\"" } else { "" });
    for c in text.chars() {
        match c {
            '\\' if quoted => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push_str(if quoted { "\"" } else { "" });
}
