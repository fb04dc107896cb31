//! `logging.StreamHandler`.

use super::{Class, Making};
use crate::{Error, config::slot::Output, output::Stream, sink::StdStream};

pub(super) const STREAM: Class = Class {
    names: &["logging.StreamHandler", "StreamHandler", "stream"],
    keys: &["stream"],
    attributes: &["terminator"],
    refers: None,
    make,
};

fn make(making: &Making<'_, '_>) -> Result<Output, Error> {
    let stream = making.keywords.stream("stream").unwrap_or(StdStream::stderr());
    let handler = Stream::sink(stream).place(stream.name()).format(making.dress.lines()).terminator("");
    Ok(Output::plain(handler))
}
