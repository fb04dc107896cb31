//! `logging.StreamHandler`.

use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::Output,
        handler_args::SetIfSome as _,
    },
    output::Stream,
    sink::StdStream,
};

pub(super) const STREAM: Class = Class {
    names: &["logging.StreamHandler", "StreamHandler", "colorlog.StreamHandler", "stream"],
    keys: &["stream"],
    attributes: &["terminator"],
    make,
    ..DEFAULTS
};

fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let mut stream = context.args.stream("stream").unwrap_or(StdStream::stderr());
    stream = stream.set_if_some(context.strata.seconds("timeout"), StdStream::timeout);
    let handler = Stream::sink(stream).name(stream.name()).format(context.formatting.lines()).terminator("");
    if context.strata.bool("or_journal") == Some(true) {
        #[cfg(target_os = "linux")]
        return Ok(Output::plain(handler.or_journal(crate::output::Journald::builder())));
        #[cfg(not(target_os = "linux"))]
        context.strata.report(context.strata.wrong("or_journal", "there is no systemd journal on this system"));
    }
    Ok(Output::plain(handler))
}
