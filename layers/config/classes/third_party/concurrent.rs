//! `concurrent_log_handler` and `cloghandler`: rotating files that processes share.

use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        classes::rotating,
        configured_handler::Output,
        handler_args::SetIfSome as _,
        node::{Data, Node},
    },
    format::{Encoding, EncodingErrors},
    output::{RotatingFile, RotatingFileBuilder},
    sink::FileLocking,
};

pub(in crate::config::classes) const HANDLERS: &[&Class] = &[&ROTATING, &TIMED];

const ROTATING: Class = Class {
    names: &[
        "concurrent_log_handler.ConcurrentRotatingFileHandler",
        "cloghandler.ConcurrentRotatingFileHandler",
        "logging.handlers.ConcurrentRotatingFileHandler",
        "handlers.ConcurrentRotatingFileHandler",
    ],
    keys: &[
        "filename",
        "mode",
        "maxBytes",
        "backupCount",
        "encoding",
        "debug",
        "delay",
        "use_gzip",
        "owner",
        "chmod",
        "umask",
        "newline",
        "terminator",
        "unicode_error_policy",
        "lock_file_directory",
        "keep_file_open",
    ],
    attributes: &["terminator", "namer"],
    make: |context| {
        let args = context.args;
        let path = args.required("filename");
        let truncates = match args.str("mode").as_deref().map(|mode| mode.trim_end_matches(['t', 'b', '+'])) {
            None | Some("a") => false,
            Some("w") => !context.is_replacement,
            Some(_) => {
                args.report(args.wrong("mode", "expected \"a\" or \"w\""));
                false
            }
        };
        let builder = RotatingFile::builder(&path).max_bytes(args.count("maxBytes").unwrap_or(0));
        finish(context, builder, path, truncates)
    },
    ..DEFAULTS
};

const TIMED: Class = Class {
    names: &[
        "concurrent_log_handler.ConcurrentTimedRotatingFileHandler",
        "logging.handlers.ConcurrentTimedRotatingFileHandler",
        "handlers.ConcurrentTimedRotatingFileHandler",
    ],
    keys: &[
        "filename",
        "when",
        "interval",
        "backupCount",
        "encoding",
        "delay",
        "utc",
        "atTime",
        "errors",
        "maxBytes",
        "use_gzip",
        "owner",
        "chmod",
        "umask",
        "newline",
        "terminator",
        "unicode_error_policy",
        "lock_file_directory",
        "keep_file_open",
        "debug",
        "mode",
    ],
    attributes: &["terminator", "namer"],
    make: |context| {
        let path = context.args.required("filename");
        // Both without effect, as in Python.
        for name in ["mode", "errors"] {
            context.args.node(name);
        }
        let builder = rotating::timed(context, &path);
        finish(context, builder, path, false)
    },
    ..DEFAULTS
};

fn finish(
    context: &BuildContext<'_, '_>,
    mut builder: RotatingFileBuilder,
    path: String,
    truncates: bool,
) -> Result<Output, Error> {
    let args = context.args;
    // What has no effect on what is written.
    for name in ["debug", "delay", "lock_file_directory", "keep_file_open"] {
        args.node(name);
    }
    builder = builder.encoding(encoding(context));
    if let Some(terminator) = args.str("terminator").filter(|terminator| !terminator.is_empty()) {
        context.formatting.set_terminator(&terminator);
    }
    if let Some(newline) = args.str("newline").filter(|newline| !matches!(&**newline, "" | "\n")) {
        args.report(args.wrong("newline", format!("expected \"\" or a line feed, got {newline:?}: use `terminator`")));
    }
    if let Some(owner) = args.node("owner") {
        args.expected::<()>("owner", owner, "null: files belong to whoever makes them");
    }
    let chmod = bits(context, "chmod");
    let umask = bits(context, "umask").map(|mask| 0o666 & !mask);
    builder = builder.set_if_some(chmod.or(umask), RotatingFileBuilder::permissions);
    if args.node("use_gzip").is_some_and(Node::is_true) && args.count("backupCount").is_some_and(|count| count > 0) {
        #[cfg(feature = "gzip")]
        {
            builder = builder.compression(crate::sink::Compression::gzip());
        }
        #[cfg(not(feature = "gzip"))]
        args.report(args.wrong("use_gzip", "gzip needs the feature \"gzip\" of tracing-strata"));
    }
    rotating::finish(context, builder.locking(FileLocking::Shared).fills_up(), path, truncates, true)
}

/// What the encoding does not have is dropped, unless the policy is another.
fn encoding(context: &BuildContext<'_, '_>) -> Encoding {
    let args = context.args;
    let policy = match args.str("unicode_error_policy").as_deref() {
        Some("strict") => EncodingErrors::Strict,
        Some("replace") => EncodingErrors::Replace,
        _ => EncodingErrors::Ignore,
    };
    let name = args.str("encoding").unwrap_or_else(|| "utf-8".to_owned());
    let encoding = Encoding::named(&name).unwrap_or_else(|error| {
        args.report(args.wrong("encoding", error.to_string()).python(format!("unknown encoding: {name}")));
        Encoding::UTF_8
    });
    encoding.errors(policy)
}

/// Permissions as a number.
fn bits(context: &BuildContext<'_, '_>, name: &str) -> Option<u32> {
    let node = context.args.node(name)?;
    match &node.data {
        Data::Int(number) if (0..=0o777).contains(number) => u32::try_from(*number).ok(),
        _ => context.args.expected(name, node, "permissions as a number, such as 0o640"),
    }
}
