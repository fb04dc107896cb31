//! Records as bytes, for another process to read: what an output keeps on disk while its receiver is away.
//!
//! What is read was perhaps written by nobody: a damaged entry is refused, and costs no more memory than its bytes are worth.

use std::sync::Arc;

use super::{
    Fields, OwnedRecord, Record, Severity, TextRange,
    bytes::{Reader, put_number, put_option, put_text, put_time, put_trace},
    event::Overrides,
    ids::{GeneratedIds, SpanIds},
    owned::Pooled,
    site::{put_site, read_site},
    span::SpanData,
};
#[cfg(feature = "otlp")]
use super::{export::ExportState, span::ClosedSpan};

// --- records

impl Record {
    /// Appends it. [`decode`](OwnedRecord::decode) makes a record that every format writes alike, in any process; only
    /// [`metadata`](Self::metadata) is gone, and [`uptime`](Self::uptime) and [`process_name`](Self::process_name) are those of
    /// the process that reads.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_option(out, self.id(), |out, id| out.extend_from_slice(&id.to_le_bytes()));
        put_time(out, self.time);
        out.extend_from_slice(&self.severity.number().to_le_bytes());
        for text in [Some(self.target()), self.name(), Some(self.message()), self.file(), self.module_path()] {
            put_text(out, text);
        }
        put_option(out, self.line(), |out, line| put_number(out, line.into()));
        for text in [self.function(), self.stack(), self.thread_name()] {
            put_text(out, text);
        }
        put_number(out, self.thread_id);
        put_number(out, self.process_id().into());
        self.fields.encode(out);
        put_option(out, self.globals(), |out, globals| globals.encode(out));
        let spans: Vec<_> = self.spans().collect();
        put_number(out, spans.len() as u64);
        spans.iter().rev().for_each(|span| span.data().encode(span.fields(), out));
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let id = from.option(|from| Some(u128::from_le_bytes(from.array()?)))?;
        self.time = from.time()?;
        self.severity = Severity::new(i32::from_le_bytes(from.array()?));
        let [target, name, message, file, module_path] =
            [from.text()?, from.text()?, from.text()?, from.text()?, from.text()?];
        let line = from.option(|from| u32::try_from(from.number()?).ok())?;
        let [function, stack, thread_name] = [from.text()?, from.text()?, from.text()?];
        self.thread_id = from.number()?;
        let process_id = u32::try_from(from.number()?).ok()?;
        self.fields.read(from)?;

        let mut keep = |text: Option<&str>| text.map(|text| self.fields.push_text(text));
        (self.message, self.thread_name) = (keep(message).unwrap_or_default(), keep(thread_name).unwrap_or_default());
        let [target, name, file, module_path]: [Option<TextRange>; 4] =
            [keep(target), keep(name), keep(file), keep(module_path)];
        let (function, stack) = (keep(function), keep(stack));
        *self.overrides_mut() =
            Overrides { id, process_id: Some(process_id), line, target, name, file, module_path, function, stack };

        let globals = from.option(|from| {
            let mut globals = Fields::new();
            globals.read(from).map(|()| Arc::new(globals))
        })?;
        self.globals = globals;
        let mut leaf = None;
        for _ in 0..from.count(1)? {
            leaf = Some(Arc::new(SpanData::read(from, leaf)?));
        }
        self.path.set(leaf);
        Some(())
    }
}

impl OwnedRecord {
    /// Reads what [`encode`](Record::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (mut record, mut from) = (Pooled::create(), Reader::new(bytes));
        record.read(&mut from)?;
        from.end()?;
        Some(record.into_owned())
    }
}

// --- spans

impl SpanData {
    /// A span of a record, or one that is exported, with its fields as they were then.
    pub(super) fn encode(&self, fields: &Fields, out: &mut Vec<u8>) {
        put_site(out, self.name, self.metadata);
        put_option(out, self.ids.otel(), put_trace);
        put_option(out, self.ids.generated(), |out, generated| {
            put_trace(out, generated.own);
            put_number(out, generated.parent);
        });
        fields.encode(out);
    }

    pub(super) fn read(from: &mut Reader<'_>, parent: Option<Arc<Self>>) -> Option<Self> {
        let (metadata, has_metadata) = read_site(from)?;
        let otel = from.option(Reader::trace)?;
        let generated = from.option(|from| Some(GeneratedIds { own: from.trace()?, parent: from.number()? }))?;
        let mut fields = Fields::new();
        fields.read(from)?;
        let ids = SpanIds::restored(generated, otel);
        Some(Self::restored(metadata.name(), has_metadata.then_some(metadata), fields, parent, ids))
    }
}

// --- spans that are exported

#[cfg(feature = "otlp")]
impl ClosedSpan {
    /// Appends it, without the spans around it.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.read_fields(|fields| SpanData::encode(self, fields, out));
        self.export().encode(out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let mut data = SpanData::read(&mut from, None)?;
        data.set_export(ExportState::read(&mut from)?);
        from.end()?;
        Some(Self::new(Arc::new(data)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests;
