//! `python-logging-loki`.

use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::Output,
    },
};

pub(in crate::config::classes) const HANDLERS: &[&Class] = &[&LOKI];

const LOKI: Class = Class {
    names: &["logging_loki.LokiHandler", "logging_loki.handlers.LokiHandler"],
    keys: &["url", "tags", "auth", "version"],
    make,
    ..DEFAULTS
};

#[cfg(not(feature = "http"))]
fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    // The keys are valid: only the feature is missing.
    context.args.accept(LOKI.keys);
    Err(Error::config("the class \"LokiHandler\" needs the feature \"http\" of tracing-strata"))
}

/// The labels that the handler itself sets.
#[cfg(feature = "http")]
const OWN: [&str; 2] = ["severity", "logger"];

#[cfg(feature = "http")]
fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    use crate::{
        config::{class::placeholder, classes::http::started_later, handler_args::SetIfSome as _},
        output::{Http, HttpBuilder, Loki},
        sink::http::Auth,
    };

    let args = context.args;
    let mut loki = Loki::new(args.required("url")).python_levels().level_label(Some(OWN[0])).target_label(Some(OWN[1]));
    for (name, value) in args.fields("tags").unwrap_or_default().iter().filter(|(name, _)| !OWN.contains(name)) {
        loki = loki.label(name, value.to_string());
    }
    let auth = args.texts("auth").and_then(|pair| match <[String; 2]>::try_from(pair) {
        Ok([user, password]) => Some(Auth::basic(user, password)),
        Err(_) => args.expected("auth", args.node("auth")?, "a user and a password"),
    });
    if let Some(version) = args.str("version").filter(|version| version != "1") {
        let why = format!("expected \"1\", got {version:?}: Loki takes no other form");
        args.report(args.wrong("version", why).python(format!("Unknown emitter version: {version}")));
    }
    if args.has_problems() {
        return Ok(placeholder());
    }
    let http = Http::builder(loki).format(context.formatting.texts()).set_if_some(auth, HttpBuilder::auth);
    Ok(started_later(http.build_stopped()?))
}
