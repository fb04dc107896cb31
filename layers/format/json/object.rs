//! Writes fields as members of a JSON object, without duplicate keys.
//!
//! If several sources of an object have a name, the innermost one's value is written. A name that is one of the format's
//! keys gets `_` appended until the name is free. So do the keys that an error adds (`….causes`, `….type`).

use super::{any, plan::RecordState, value::value};
use crate::{
    Record, Value,
    format::{
        key_cache::KeyCache,
        line::{Fragment, Line},
    },
    record::{Entry, ErrorChain, Fields, FormatCache, SpanView, Tag, TraceParent},
};

/// `,"name":`
static KEYS: KeyCache = KeyCache::new(|name| Fragment::of(false, |line| line.key(name)));

/// The same for key-value pairs.
static PAIRS: KeyCache = KeyCache::new(any::key_fragment);

/// The format's keys in one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserved {
    bloom: u64,
    /// The same, finer.
    words: [u64; 4],
    keys: Vec<(Tag, String)>,
}

impl Reserved {
    pub(super) fn new(keys: impl IntoIterator<Item = String>) -> Self {
        let mut reserved = Self::default();
        for key in keys {
            let tag = Tag::of(&key);
            let (word, bit) = tag.word_and_bit();
            reserved.bloom |= bit;
            reserved.words[word] |= bit;
            reserved.keys.push((tag, key));
        }
        reserved
    }

    /// Whether the name may be a key; `contains` knows.
    #[inline]
    fn may_contain(&self, tag: Tag) -> bool {
        let (word, bit) = tag.word_and_bit();
        self.words[word] & bit != 0
    }

    #[inline]
    pub(super) fn contains(&self, tag: Tag, name: &str) -> bool {
        self.may_contain(tag) && self.keys.iter().any(|(of_key, key)| *of_key == tag && key == name)
    }

    /// Whether none of the names is a key.
    #[inline(always)]
    fn is_disjoint(&self, fields: &Fields) -> bool {
        let is_disjoint =
            |entry: Entry<'_>| !self.may_contain(entry.tag()) || !self.contains(entry.tag(), entry.text());
        fields.bloom() & self.bloom == 0 || fields.entries().all(is_disjoint)
    }
}

/// The sources of one object, in the order of precedence: the same for all records.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    pub(super) event: bool,
    pub(super) spans: bool,
    pub(super) globals: bool,
    /// Resource attributes of the environment.
    pub(super) resource: bool,
    /// The first error is written elsewhere.
    pub(super) hides_error: bool,
    /// As key-value pairs.
    pub(super) is_pairs: bool,
    /// The format's keys, for records without and with a trace, and the same with an error.
    pub(super) own: [Reserved; 4],
}

/// One object of a record.
pub(super) struct Object<'a> {
    pub(super) state: &'a RecordState<'a>,
    pub(super) sources: &'a Sources,
    pub(super) reserved: &'a Reserved,
    /// One span, beside the sources.
    pub(super) span: Option<SpanView<'a>>,
}

/// Where a field comes from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Event,
    /// With the number of spans further in.
    Span(usize, SpanView<'a>),
    Globals,
    Resource,
}

const TRACEPARENT: Tag = Tag::of(TraceParent::FIELD);

impl<'a> Object<'a> {
    #[inline(always)]
    pub(super) fn new(state: &'a RecordState<'a>, sources: &'a Sources) -> Self {
        let own = usize::from(state.trace.is_some()) + 2 * usize::from(state.error.is_some());
        Self { state, sources, reserved: &sources.own[own], span: None }
    }

    /// Appends the members. `names` are the names that the event probably has, in this order; none of them reserved.
    #[inline(always)]
    pub(super) fn write(&self, line: &mut Line<'_>, names: &[(&'static str, Fragment)]) {
        if self.sources.is_pairs { self.all::<true>(line, names) } else { self.all::<false>(line, names) }
    }

    #[inline(always)]
    fn all<const PAIR: bool>(&self, line: &mut Line<'_>, names: &[(&'static str, Fragment)]) {
        // Bits of the names that have been written.
        let mut taken = 0;
        if let Some(fields) = self.event() {
            if self.sources.hides_error {
                let bit = |entry: Option<Entry<'_>>| entry.map_or(0, |entry| entry.tag().bit());
                taken = bit(self.state.error) | bit(self.state.backtrace);
            }
            self.members::<PAIR>(line, fields, taken, Source::Event, names);
            taken |= fields.bloom();
        }
        if let Some(span) = self.span {
            self.members::<PAIR>(line, span.fields(), self.taken_in(span, taken), Source::Span(0, span), &[]);
        }
        if self.sources.spans {
            for (depth, span) in self.state.record.spans().enumerate() {
                let fields = span.fields();
                // A span's text is the same for every record, unless other names clash with its names.
                let alone = fields.bloom() & taken == 0 && !line.is_first() && self.reserved.is_disjoint(fields);
                let is_same =
                    alone && (self.state.hides_traceparent() || !self.state.is_traced() || span.trace().is_none());
                let cache = if PAIR { FormatCache::Pairs } else { FormatCache::Json };
                match is_same.then(|| span.cached(cache, || self.render_span::<PAIR>(span))).flatten() {
                    Some(text) => line.raw_bytes(text),
                    None => {
                        self.members::<PAIR>(line, fields, self.taken_in(span, taken), Source::Span(depth, span), &[]);
                    }
                }
                taken |= fields.bloom();
            }
        }
        if let Some(fields) = self.globals() {
            self.members::<PAIR>(line, fields, taken | self.state.plan.moved.bloom, Source::Globals, &[]);
            taken |= fields.bloom();
        }
        if let Some(fields) = self.resource() {
            self.members::<PAIR>(line, fields, taken | self.state.plan.moved.bloom, Source::Resource, &[]);
        }
    }

    #[inline(always)]
    fn event(&self) -> Option<&'a Fields> {
        self.sources.event.then(|| self.state.record.fields())
    }

    #[inline(always)]
    fn globals(&self) -> Option<&'a Fields> {
        if self.sources.globals { self.state.record.globals() } else { None }
    }

    #[inline(always)]
    fn resource(&self) -> Option<&'a Fields> {
        self.sources.resource.then_some(&self.state.options.resource)
    }

    #[inline]
    fn taken_in(&self, span: SpanView<'a>, taken: u64) -> u64 {
        let may_hide = self.state.hides_traceparent() && span.fields().bloom() & TRACEPARENT.bit() != 0;
        if may_hide && span.trace().is_some() { taken | TRACEPARENT.bit() } else { taken }
    }

    /// `taken` has a bit for each name that must be checked; `names` are those that probably come.
    fn members<const PAIR: bool>(
        &self,
        line: &mut Line<'_>,
        fields: &Fields,
        taken: u64,
        source: Source<'a>,
        names: &[(&'static str, Fragment)],
    ) {
        let mut names = names.iter();
        for entry in fields.entries() {
            let mut appended = 0;
            match (names.next(), entry.name()) {
                // These need no check.
                (Some((expected, fragment)), Ok(name)) if std::ptr::eq(*expected, name) => line.key_fragment(fragment),
                (_, name) => {
                    if entry.tag().bit() & taken != 0 || self.reserved.may_contain(entry.tag()) {
                        match self.resolve_name(entry, source) {
                            Some(underscores) => appended = underscores,
                            None => continue,
                        }
                    }
                    let known = if PAIR { &PAIRS } else { &KEYS };
                    match name {
                        Ok(name) | Err(name) if appended > 0 => {
                            key::<PAIR>(line, [name].into_iter().chain(underscores(appended)));
                        }
                        name => match name.map(|name| known.get(name).ok_or(name)) {
                            Ok(Ok(fragment)) => line.key_fragment(fragment),
                            Ok(Err(name)) | Err(name) if PAIR => any::key(line, [name]),
                            Ok(Err(name)) | Err(name) => line.key(name),
                        },
                    }
                }
            }
            let of = entry.value();
            if PAIR {
                any::any_and_end(line, of);
            } else {
                value(line, of);
            }
            if let Value::Error(chain) = of {
                self.error::<PAIR>(line, entry, appended, chain);
            }
        }
    }

    /// How many `_` the name gets; `None` if the value is not written here.
    #[inline(never)]
    fn resolve_name(&self, entry: Entry<'_>, source: Source<'a>) -> Option<usize> {
        let (tag, Ok(name) | Err(name)) = (entry.tag(), entry.name());
        let has = |fields: &Fields| fields.has(name, tag);
        let inner = match source {
            Source::Event => 0,
            Source::Span(depth, _) => depth,
            Source::Globals | Source::Resource => usize::MAX,
        };
        let shadowed = match source {
            Source::Event => {
                let is_it = |hidden: Option<Entry<'_>>| hidden.is_some_and(|hidden| hidden.text() == name);
                self.sources.hides_error && (is_it(self.state.error) || is_it(self.state.backtrace))
            }
            Source::Span(..) | Source::Globals | Source::Resource => {
                let is_global = matches!(source, Source::Globals | Source::Resource);
                is_global && self.state.plan.moved.contains(tag, name)
                    || self.event().is_some_and(has)
                    || self.spans().take(inner).any(|span| has(span.fields()))
                    || matches!(source, Source::Resource) && self.globals().is_some_and(has)
            }
        };
        let hidden = tag == TRACEPARENT
            && name == TraceParent::FIELD
            && self.state.hides_traceparent()
            && matches!(source, Source::Span(_, span) if span.trace().is_some());
        if shadowed || hidden {
            None
        } else if self.reserved.contains(tag, name) {
            Some(self.appended(name))
        } else {
            Some(0)
        }
    }

    /// The type and the causes of an error.
    #[cold]
    fn error<const PAIR: bool>(&self, line: &mut Line<'_>, entry: Entry<'_>, appended: usize, chain: ErrorChain<'_>) {
        let (Ok(name) | Err(name)) = entry.name();
        if chain.causes().len() > 0 {
            self.derived_key::<PAIR>(line, Name { text: name, appended, suffix: ".causes" });
            line.raw(if PAIR { "\"arrayValue\":{\"values\":[" } else { "[" });
            for (index, cause) in chain.causes().enumerate() {
                if index > 0 {
                    line.byte(b',');
                }
                if PAIR {
                    line.raw("{\"stringValue\":");
                }
                line.string(cause);
                if PAIR {
                    line.byte(b'}');
                }
            }
            line.raw(if PAIR { "]}}}" } else { "]" });
        }
        if let Some(type_name) = chain.type_name() {
            self.derived_key::<PAIR>(line, Name { text: name, appended, suffix: ".type" });
            if PAIR {
                any::any_and_end(line, Value::Str(type_name));
            } else {
                line.string(type_name);
            }
        }
    }

    fn derived_key<const PAIR: bool>(&self, line: &mut Line<'_>, name: Name<'_>) {
        let mut more = 0;
        while self.is_used(name, more) {
            more += 1;
        }
        let first = [name.text].into_iter().chain(underscores(name.appended));
        key::<PAIR>(line, first.chain([name.suffix]).chain(underscores(more)));
    }

    /// A span's members, each after a comma, without a valid `traceparent`. `None` if they are long or depend on other names.
    #[cold]
    fn render_span<const PAIR: bool>(&self, span: SpanView<'_>) -> Option<Box<[u8]>> {
        if span.fields().iter().any(|(_, value)| value.as_error().is_some()) {
            return None;
        }
        let (sources, mut text) = (Sources::default(), Vec::new());
        let object = Object::new(self.state, &sources);
        let mut line = Line::new(&mut text, false);
        object.members::<PAIR>(&mut line, span.fields(), object.taken_in(span, 0), Source::Span(0, span), &[]);
        line.finish();
        (text.len() <= MAX_CACHED_SPAN).then(|| text.into())
    }

    // --- names in use

    fn spans(&self) -> impl Iterator<Item = SpanView<'a>> {
        self.sources.spans.then_some(self.state.record).into_iter().flat_map(Record::spans).chain(self.span)
    }

    fn has(&self, name: &str) -> bool {
        let tag = Tag::of(name);
        let has = |fields: &Fields| fields.has(name, tag);
        let is_global = self.globals().into_iter().chain(self.resource()).any(has);
        is_global || self.event().is_some_and(has) || self.spans().any(|span| has(span.fields()))
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        let of_spans = self.spans().flat_map(|span| span.fields().iter());
        let all = self.event().into_iter().flat_map(Fields::iter).chain(of_spans);
        let of_all = self.globals().into_iter().chain(self.resource()).flat_map(Fields::iter);
        all.chain(of_all).map(|(name, _)| name)
    }

    /// How many `_` a reserved name gets.
    #[cold]
    fn appended(&self, name: &str) -> usize {
        let stem = name.trim_end_matches('_');
        let own = name.len() - stem.len();
        // Names that differ only in their `_` compete for the same results: the one with the fewest comes first.
        let mut count = 0;
        for ends in 0..=own {
            if self.is_renamed(&name[..stem.len() + ends]) {
                count = self.free_count(stem, count.max(ends) + 1);
            }
        }
        count - own
    }

    fn is_renamed(&self, name: &str) -> bool {
        self.reserved.contains(Tag::of(name), name) && self.has(name)
    }

    /// The smallest number of `_`, at least `from`, with which the stem is not a name yet.
    fn free_count(&self, stem: &str, from: usize) -> usize {
        let name = |appended| Name { text: stem, appended, suffix: "" };
        (from..).find(|count| !self.is_name(name(*count), 0)).unwrap_or(from)
    }

    /// Whether a field of the record or a key of the format has this name, with `more` times `_` appended.
    fn is_name(&self, name: Name<'_>, more: usize) -> bool {
        self.reserved.keys.iter().any(|(_, key)| name.is(key, more)) || self.names().any(|other| name.is(other, more))
    }

    /// The same, or a renamed field has it.
    fn is_used(&self, name: Name<'_>, more: usize) -> bool {
        self.is_name(name, more) || {
            self.names().filter(|other| self.is_renamed(other)).any(|other| {
                let renamed = Name { text: other, appended: self.appended(other), suffix: "" };
                renamed.len() == name.len() + more && renamed.bytes(0).eq(name.bytes(more))
            })
        }
    }
}

/// Longest cached text of a span, in bytes.
const MAX_CACHED_SPAN: usize = 1_024;

#[cold]
fn key<'p, const PAIR: bool>(line: &mut Line<'_>, parts: impl IntoIterator<Item = &'p str>) {
    if PAIR { any::key(line, parts) } else { line.joined_key(parts) }
}

/// A name in parts: text, `_` times `appended`, suffix.
#[derive(Clone, Copy)]
struct Name<'n> {
    text: &'n str,
    appended: usize,
    suffix: &'static str,
}

impl Name<'_> {
    fn len(self) -> usize {
        self.text.len() + self.appended + self.suffix.len()
    }

    fn is(self, other: &str, more: usize) -> bool {
        other.len() == self.len() + more && other.starts_with(self.text) && self.bytes(more).eq(other.bytes())
    }

    fn bytes(&self, more: usize) -> impl Iterator<Item = u8> {
        let underscores = std::iter::repeat_n(b'_', self.appended);
        self.text.bytes().chain(underscores).chain(self.suffix.bytes()).chain(std::iter::repeat_n(b'_', more))
    }
}

fn underscores<'n>(count: usize) -> impl Iterator<Item = &'n str> {
    std::iter::repeat_n("_", count)
}
