//! The floor: the least that a JSON layer on a registry has to do, written by hand. No product: no options, no rotation,
//! spans are rendered once when they are made and kept on a stack of the thread, the time's second is kept as text.

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write as _},
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::{
    super::{
        cases::Case,
        place::{self, BUFFER, Null, Place},
        work::Facade,
    },
    Failure, install_layer,
};

pub(super) fn install(case: &Case, path: &Path) -> Result<Facade, Failure> {
    let place = match case.place {
        Place::Null => Destination::Null,
        Place::Lines => Destination::Lines(place::open(path)?),
        Place::Buffer => Destination::Buffer(Mutex::new(BufWriter::with_capacity(BUFFER, place::open(path)?))),
    };
    install_layer(Floor(place), case.work)
}

struct Floor(Destination);

enum Destination {
    Null,
    Lines(File),
    Buffer(Mutex<BufWriter<File>>),
}

impl Destination {
    fn write(&self, line: &[u8]) {
        let result = match self {
            Self::Null => { Null }.write_all(line),
            Self::Lines(file) => { file }.write_all(line),
            Self::Buffer(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line),
        };
        result.unwrap_or_default();
    }
}

/// A span's name and fields, as an object.
struct Rendered(Vec<u8>);

#[derive(Default)]
struct Here {
    line: RefCell<Vec<u8>>,
    /// The spans that the thread is in, each with those around it.
    spans: RefCell<Vec<(u64, Vec<u8>)>>,
    second: Cell<u64>,
    text: RefCell<String>,
}

thread_local! {
    static HERE: Here = Here::default();
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Floor {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut object = Vec::with_capacity(96);
        object.extend_from_slice(b"{\"name\":\"");
        object.extend_from_slice(attributes.metadata().name().as_bytes());
        object.push(b'"');
        attributes.record(&mut Object(&mut object));
        object.push(b'}');
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Rendered(object));
        }
    }

    fn on_enter(&self, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let extensions = span.extensions();
        let Some(Rendered(object)) = extensions.get() else { return };
        HERE.with(|here| {
            let mut spans = here.spans.borrow_mut();
            let mut all = Vec::with_capacity(256);
            if let Some((_, around)) = spans.last() {
                all.extend_from_slice(around);
                all.push(b',');
            }
            all.extend_from_slice(object);
            spans.push((id.into_u64(), all));
        });
    }

    fn on_exit(&self, id: &span::Id, _: Context<'_, S>) {
        HERE.with(|here| {
            let mut spans = here.spans.borrow_mut();
            if spans.last().is_some_and(|(last, _)| *last == id.into_u64()) {
                spans.pop();
            }
        });
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        HERE.with(|here| {
            let line = &mut *here.line.borrow_mut();
            line.clear();
            line.extend_from_slice(b"{\"timestamp\":\"");
            here.put_time(line);
            let metadata = event.metadata();
            let level = if *metadata.level() == Level::INFO { "INFO" } else { "OTHER" };
            line.extend_from_slice(b"\",\"level\":\"");
            line.extend_from_slice(level.as_bytes());
            line.extend_from_slice(b"\",\"target\":\"");
            line.extend_from_slice(metadata.target().as_bytes());
            line.push(b'"');
            event.record(&mut Object(line));
            if let Some((_, spans)) = here.spans.borrow().last() {
                line.extend_from_slice(b",\"spans\":[");
                line.extend_from_slice(spans);
                line.push(b']');
            }
            line.extend_from_slice(b"}\n");
            self.0.write(line);
        });
    }
}

impl Here {
    fn put_time(&self, line: &mut Vec<u8>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut text = self.text.borrow_mut();
        if self.second.replace(now.as_secs()) != now.as_secs() {
            text.clear();
            // Only the hours of a day: a date costs nothing more, once a second.
            let second = now.as_secs() % 86_400;
            write!(text, "2026-11-29T{:02}:{:02}:{:02}.", second / 3_600, second / 60 % 60, second % 60)
                .unwrap_or_default();
        }
        line.extend_from_slice(text.as_bytes());
        let mut micros = now.subsec_micros();
        let mut digits = *b"000000Z";
        for digit in digits[..6].iter_mut().rev() {
            *digit = b'0' + (micros % 10) as u8;
            micros /= 10;
        }
        line.extend_from_slice(&digits);
    }
}

/// Fields of a JSON object that has a field already.
struct Object<'a>(&'a mut Vec<u8>);

impl Object<'_> {
    #[inline]
    fn name(&mut self, field: &Field) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(field.name().as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    #[inline]
    fn raw(&mut self, field: &Field, text: &str) {
        self.name(field);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// The inside of a JSON string.
struct Escaped<'a>(&'a mut Vec<u8>);

impl Escaped<'_> {
    #[inline]
    fn put(&mut self, text: &[u8]) {
        let is_plain = |byte: &u8| *byte >= 32 && *byte != b'"' && *byte != b'\\';
        if text.iter().all(is_plain) {
            return self.0.extend_from_slice(text);
        }
        for byte in text {
            match byte {
                b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', *byte]),
                byte if *byte < 32 => write!(self.0, "\\u{byte:04x}").unwrap_or_default(),
                byte => self.0.push(*byte),
            }
        }
    }
}

impl fmt::Write for Escaped<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

impl Visit for Object<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field);
        self.0.push(b'"');
        write!(Escaped(self.0), "{value:?}").unwrap_or_default();
        self.0.push(b'"');
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.0.push(b'"');
        Escaped(self.0).put(value.as_bytes());
        self.0.push(b'"');
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.raw(field, itoa::Buffer::new().format(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.raw(field, itoa::Buffer::new().format(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.raw(field, if value { "true" } else { "false" });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let mut buffer = zmij::Buffer::new();
        self.raw(field, if value.is_finite() { buffer.format(value) } else { "null" });
    }
}
