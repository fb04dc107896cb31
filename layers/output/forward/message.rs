//! Records as messages of the forward protocol.

use std::hash::{BuildHasher as _, RandomState};

use super::ForwardMode;
use crate::{
    Error, Format,
    format::{
        Buffer,
        msgpack::{
            fits, push_array, push_bin, push_event_time, push_formatted, push_map, push_record, push_seconds, push_str,
            push_unsigned,
        },
    },
    record::{OwnedRecord, ROOT, canonical_bytes},
    sink::Compression,
    text::base64,
};

/// What a record is filed under.
#[derive(Clone, Debug)]
pub(super) enum Tag {
    Constant(String),
    Target { prefix: String },
}

impl Tag {
    fn of(&self, target: &str) -> String {
        match self {
            Self::Constant(tag) => tag.clone(),
            Self::Target { prefix } => {
                let name = String::from_utf8_lossy(&canonical_bytes(target).collect::<Vec<_>>()).into_owned();
                match (prefix.is_empty(), name.is_empty()) {
                    (true, true) => ROOT.to_owned(),
                    (true, false) => name,
                    (false, true) => prefix.clone(),
                    (false, false) => format!("{prefix}.{name}"),
                }
            }
        }
    }
}

/// Records with one tag.
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    pub(super) records: usize,
    /// What the receiver acknowledges, if it is asked to.
    pub(super) chunk: Option<String>,
}

pub(super) struct Encoder {
    pub(super) mode: ForwardMode,
    pub(super) tag: Tag,
    pub(super) format: Option<Box<dyn Format>>,
    pub(super) nanoseconds: bool,
    pub(super) require_ack: bool,
    pub(super) ids: [RandomState; 2],
}

impl Encoder {
    /// Messages in order, after so many that were acknowledged.
    ///
    /// # Errors
    /// A message would be too large, or the format fails.
    pub(super) fn messages(&self, records: &[OwnedRecord], acknowledged: u64) -> Result<Vec<Message>, Error> {
        let is_constant = matches!(self.tag, Tag::Constant(_));
        let runs = records.chunk_by(|one, other| is_constant || one.target() == other.target());
        (acknowledged..).zip(runs).map(|(number, run)| self.message(run, number)).collect()
    }

    fn message(&self, run: &[OwnedRecord], number: u64) -> Result<Message, Error> {
        let mut entries = Vec::new();
        for record in run {
            push_array(2, &mut entries);
            match self.nanoseconds {
                true => push_event_time(record.time(), &mut entries),
                false => push_seconds(record.time(), &mut entries),
            }
            match &self.format {
                None => push_record(record, &mut entries),
                Some(format) => {
                    let mut text = Buffer::new();
                    format.format(record, &mut text)?;
                    push_formatted(&String::from_utf8_lossy(text.as_bytes()), &mut entries);
                }
            }
        }
        if !fits(entries.len()) {
            return Err(Error::new("a message of 4 GiB or more: expected less"));
        }
        let tag = self.tag.of(run.first().map_or("", |record| record.target()));
        let chunk = self.require_ack.then(|| self.chunk(&tag, &entries, number));
        let is_compressed = self.mode == ForwardMode::CompressedPackedForward;
        let mut bytes = Vec::with_capacity(entries.len() + tag.len() + 96);
        push_array(3, &mut bytes);
        push_str(&tag, &mut bytes);
        match self.mode {
            ForwardMode::Forward => {
                push_array(run.len(), &mut bytes);
                bytes.extend_from_slice(&entries);
            }
            ForwardMode::PackedForward => push_bin(&entries, &mut bytes),
            ForwardMode::CompressedPackedForward => {
                let compressed = Compression::gzip().encode_bytes(&entries);
                push_bin(&compressed.map_err(|error| Error::with_source("gzip", error))?, &mut bytes);
            }
        }
        push_map(1 + usize::from(chunk.is_some()) + usize::from(is_compressed), &mut bytes);
        push_str("size", &mut bytes);
        push_unsigned(run.len() as u64, &mut bytes);
        if let Some(chunk) = &chunk {
            push_str("chunk", &mut bytes);
            push_str(chunk, &mut bytes);
        }
        if is_compressed {
            push_str("compressed", &mut bytes);
            push_str("gzip", &mut bytes);
        }
        Ok(Message { bytes, records: run.len(), chunk })
    }

    /// 128 bits. The same for a message that is sent again, as no later one is acknowledged before it; another one for another
    /// message, also if that is equal.
    fn chunk(&self, tag: &str, entries: &[u8], number: u64) -> String {
        let key = (crate::fork::process_id(), number, tag, entries);
        let id = self.ids.each_ref().map(|state| state.hash_one(key).to_be_bytes()).concat();
        id.chunks(3).flat_map(base64).map(char::from).collect()
    }
}
