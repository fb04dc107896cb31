//! A record rewritten before anything keeps it. Spans are shared with other records: a span in which something changes gets
//! fields of this record's own, as if they were recorded late.

use std::sync::Arc;

use super::{
    Fields, Record, SpanPath, Value,
    fields::{Change, Edit},
    span::SpanData,
};

/// What changes a record's texts and values. The same one changes the same value in the same way.
pub(crate) trait Rewrite {
    /// Tells it from all others.
    fn id(&self) -> u64;

    /// A text that nobody named: a message, an error, a stack. `None`: as it is.
    fn text(&self, text: &str) -> Option<String>;

    /// A field; the name is `Ok` if it lives as long as the process. An error is asked for as a whole, then its texts one by
    /// one.
    fn value(&self, name: Result<&'static str, &str>, value: Value<'_>) -> Change;
}

impl Fields {
    /// Rewrites all values. Nothing of what was replaced stays in memory.
    pub(crate) fn rewrite(&mut self, with: &impl Rewrite) {
        let edits = self.edits(with);
        self.apply(edits);
    }

    fn rewritten(&self, with: &impl Rewrite) -> Option<Self> {
        let edits = self.edits(with);
        (!edits.is_empty()).then(|| {
            let mut copy = self.clone();
            copy.apply(edits);
            copy
        })
    }

    fn edits(&self, with: &impl Rewrite) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (index, entry) in self.entries().enumerate() {
            match with.value(entry.name(), entry.value()) {
                Change::Keep => {
                    let Value::Error(chain) = entry.value() else { continue };
                    let texts = std::iter::once(chain.message()).chain(chain.causes()).enumerate();
                    edits.extend(texts.filter_map(|(at, text)| Some(Edit::Link(index, at, with.text(text)?))));
                }
                change => edits.push(Edit::Value(index, change)),
            }
        }
        edits
    }
}

impl SpanPath {
    /// The spans whose fields change, by depth, with their new fields.
    fn rewritten(&self, with: &impl Rewrite) -> Vec<(u32, Arc<Fields>)> {
        let mut changed = Vec::new();
        for (depth, span) in (0..).zip(self.iter()) {
            let fields = match span.is_late() {
                true => span.fields().rewritten(with).map(Arc::new),
                false => span.data().rewritten(with),
            };
            changed.extend(fields.map(|fields| (depth, fields)));
        }
        changed
    }
}

impl SpanData {
    /// Looked through once for all records.
    fn rewritten(&self, with: &impl Rewrite) -> Option<Arc<Fields>> {
        let rewrite = || self.fields.rewritten(with).map(Arc::new);
        match self.rewritten.get_or_init(|| (with.id(), rewrite())) {
            (id, known) if *id == with.id() => known.clone(),
            _ => rewrite(),
        }
    }
}

#[cfg(feature = "otlp")]
impl SpanData {
    /// For an exporter, when the span has closed.
    pub(crate) fn rewrite_closed(&self, with: &impl Rewrite) {
        let fields = match self.late() {
            Some(late) => late.rewritten(with).map(Arc::new),
            None => self.rewritten(with),
        };
        if let Some(fields) = fields {
            self.set_late(fields);
        }
    }
}

impl Record {
    /// Whether [`rewrite`](Self::rewrite) would change it.
    pub(crate) fn is_rewritten(&self, with: &impl Rewrite) -> bool {
        with.text(self.message()).is_some()
            || self.stack().is_some_and(|stack| with.text(stack).is_some())
            || !self.fields.edits(with).is_empty()
            || !self.path.rewritten(with).is_empty()
            || self.globals().is_some_and(|globals| !globals.edits(with).is_empty())
    }

    /// Rewrites the message, the stack and all values: its own, its spans' and the globals.
    pub(crate) fn rewrite(&mut self, with: &impl Rewrite) {
        if let Some(message) = with.text(self.message()) {
            let old = std::mem::take(&mut self.message);
            self.fields.erase(old);
            self.set_message(&message);
        }
        if let Some(stack) = self.stack().and_then(|stack| with.text(stack)) {
            if let Some(old) = self.overrides_mut().stack.take() {
                self.fields.erase(old);
            }
            self.set_stack(&stack);
        }
        self.fields.rewrite(with);
        for (depth, fields) in self.path.rewritten(with) {
            self.path.replace(depth, fields);
        }
        if let Some(globals) = self.globals().and_then(|globals| globals.rewritten(with)) {
            self.set_globals(globals);
        }
    }
}
