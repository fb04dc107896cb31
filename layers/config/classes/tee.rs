//! Several handlers as one, for a memory buffer or a fallback with more than one target.

use crate::{
    Error, Tee,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::Output,
    },
};

pub(super) const TEE: Class = Class {
    names: &["tracing_strata.Tee", "tee"],
    keys: &["handlers"],
    targets_key: Some("handlers"),
    make,
    ..DEFAULTS
};

fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    context.args.require("handlers");
    let names = context.args.texts("handlers").unwrap_or_default();
    if names.is_empty() && context.args.has("handlers") {
        context.args.report(context.args.wrong("handlers", "expected at least one handler"));
    }
    let handlers: Tee = names.iter().filter_map(|name| context.target(name, true)).collect();
    Ok(Output::plain(handlers))
}
