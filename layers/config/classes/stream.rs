//! `logging.StreamHandler`.

use super::{Class, Making, PLAIN};
use crate::{Error, config::slot::Output, output::Stream, sink::StdStream};

pub(super) const STREAM: Class = Class {
    names: &["logging.StreamHandler", "StreamHandler", "stream"],
    keys: &["stream"],
    attributes: &["terminator"],
    make,
    ..PLAIN
};

fn make(making: &Making<'_, '_>) -> Result<Output, Error> {
    let mut stream = making.keywords.stream("stream").unwrap_or(StdStream::stderr());
    if let Some(deadline) = making.ours.seconds("deadline") {
        stream = stream.timeout(deadline);
    }
    let handler = Stream::sink(stream).name(stream.name()).format(making.dress.lines()).terminator("");
    if making.ours.bool("or_journal") == Some(true) {
        #[cfg(target_os = "linux")]
        return Ok(Output::plain(handler.or_journal(crate::output::Journald::builder())));
        #[cfg(not(target_os = "linux"))]
        making.ours.note(making.ours.wrong("or_journal", "there is no systemd journal on this system"));
    }
    Ok(Output::plain(handler))
}
