//! `logging.handlers.HTTPHandler`.

use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::Output,
    },
};
#[cfg(any(feature = "forward", feature = "http"))]
use crate::{config::handler_args::HandlerArgs, handler::worker::batching::SpoolOptions};
#[cfg(feature = "http")]
use crate::{config::handler_args::SetIfSome as _, output::HttpBuilder};

pub(super) const HTTP: Class = Class {
    names: &["logging.handlers.HTTPHandler", "handlers.HTTPHandler", "http"],
    keys: &["host", "url", "method", "secure", "credentials", "context"],
    has_own_format: true,
    make,
    ..DEFAULTS
};

#[cfg(not(feature = "http"))]
fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    // The keys are valid: only the feature is missing.
    context.args.accept(HTTP.keys);
    Err(Error::config("the class \"HTTPHandler\" needs the feature \"http\" of tracing-strata"))
}

#[cfg(feature = "http")]
fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    use crate::{
        config::class::placeholder,
        format::Form,
        output::{Http, HttpBody},
        sink::{http::Auth, net::Tls},
    };

    let (args, strata) = (context.args, context.strata);
    let (host, url) = (args.required("host"), args.required("url"));
    let body = match args.str("method").map(|method| method.to_uppercase()).as_deref() {
        None | Some("GET") => HttpBody::query(),
        Some("POST") => HttpBody::form(),
        Some(other) => {
            let problem = args.wrong("method", format!("expected GET or POST, got {other:?}"));
            args.report(problem.python("method must be GET or POST"));
            return Ok(placeholder());
        }
    };
    let secure = args.bool("secure").unwrap_or(false);
    let tls = match args.registered::<Tls>("context") {
        Some(_) if !secure => {
            let problem = args.wrong("context", "it has no effect without `secure: true`");
            args.report(problem.python("context parameter only makes sense with secure=True"));
            None
        }
        Some(tls) => Some(tls.as_ref().clone()),
        None => super::connection::http_tls(context, secure),
    };
    let credentials = args.texts("credentials").and_then(|pair| match <[String; 2]>::try_from(pair) {
        Ok([user, password]) => Some(Auth::basic(user, password)),
        Err(_) => args.expected("credentials", args.node("credentials")?, "a user and a password"),
    });
    if args.has_problems() {
        return Ok(placeholder());
    }
    let scheme = if secure { "https" } else { "http" };
    let slash = if url.starts_with('/') { "" } else { "/" };
    let form = Form::new().set_if_some(strata.str("process_name"), Form::process_name);
    let builder = Http::builder(format!("{scheme}://{host}{slash}{url}"))
        .body(body)
        .format(form)
        .any_answer(!strata.bool("check_answer").unwrap_or(!context.as_python))
        .set_if_some(credentials, HttpBuilder::auth)
        .set_if_some(tls, HttpBuilder::tls)
        .set_if_some(strata.str("proxy"), HttpBuilder::proxy)
        .set_if_some(strata.seconds("timeout"), HttpBuilder::timeout)
        .set_if_some(strata.seconds("connect_timeout"), HttpBuilder::connect_timeout)
        .set_if_some(strata.size("capacity"), HttpBuilder::capacity)
        .set_if_some(strata.size("max_bytes"), HttpBuilder::max_bytes)
        .set_if_some(strata.seconds("retry_for"), HttpBuilder::retry_for)
        .set_if_some(strata.seconds("flush_timeout"), HttpBuilder::flush_timeout);
    let builder = builder.set_if_some(spool(strata), HttpBuilder::configured_spool);
    if args.has_problems() {
        return Ok(placeholder());
    }
    Ok(started_later(builder.build_stopped()?))
}

/// `spool: {directory, max_bytes, sync}`. A handler that has it may be about to end, by a reload.
#[cfg(any(feature = "forward", feature = "http"))]
pub(super) fn spool(args: &HandlerArgs<'_>) -> Option<SpoolOptions> {
    args.inside("spool", |spool| {
        let (directory, max_bytes) = (spool.required("directory"), spool.count("max_bytes"));
        if max_bytes.is_none() && !spool.has("max_bytes") {
            spool.require("max_bytes");
        }
        SpoolOptions {
            directory: directory.into(),
            max_bytes: max_bytes.unwrap_or_default(),
            syncs: spool.bool("sync").unwrap_or(false),
            takes_over: true,
        }
    })
}

/// Its thread starts when the whole configuration was checked.
#[cfg(any(feature = "forward", feature = "http"))]
pub(super) fn started_later(batched: crate::output::Batched) -> Output {
    let batched = std::sync::Arc::new(batched);
    Output::plain(std::sync::Arc::clone(&batched)).started_by(move || batched.start())
}
