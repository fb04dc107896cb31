//! From what `serde` can serialise to JSON text in a record, past a visitor that only knows `Debug`.

use std::{
    cell::{Cell, OnceCell},
    fmt, io,
};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::JsonText;
use crate::{
    Value,
    record::guarded,
    text::{is_control, next_special},
};

/// Gives a value as a list or a map, with the types of what is in it: anything that implements `serde::Serialize`.
/// (Feature `serde`.)
///
/// In events and spans with `?` (or `%`); in a [`Record`](crate::Record), in [`Globals`](crate::Globals), bound to a
/// [`Logger`](crate::Logger) by reference. Nothing is done before somebody wants the value.
///
/// [`Format`](crate::format)s of JSON embed it as it is, OTLP gets arrays and maps, all others print the JSON text. For
/// layers of other crates it is something whose `Debug` and `Display` print JSON.
///
/// - Floats that are not finite are `null`, as `serde_json` has it.
/// - What is nested deeper than 64 levels, or longer than the limit of a value, is plain text; the latter is cut.
/// - Where `Serialize` fails or panics, the value is plain text: what was written until then, and why.
/// - Printed as a part of another value (in the `Debug` of a struct), it is a part of that text.
///
/// ```
/// use std::collections::BTreeMap;
/// use tracing_strata::{Globals, json, output::Stream, prelude::*};
/// use tracing_subscriber::prelude::*;
///
/// let globals = Globals::new().field("zones", &json(&["eu-1", "eu-2"]));
/// let layer = Stream::stdout().into_layer().globals(globals);
/// let _guard = tracing_subscriber::registry().with(layer).set_default();
///
/// let counts = BTreeMap::from([("a", 1), ("b", 2)]);
/// tracing::info!(tags = ?json(&["new", "gift"]), counts = ?json(&counts), "paid");
/// // … "message":"paid","tags":["new","gift"],"counts":{"a":1,"b":2},"zones":["eu-1","eu-2"]}
/// ```
pub fn json<T: Serialize + ?Sized>(value: &T) -> AsJson<'_, T> {
    AsJson { value, text: OnceCell::new() }
}

/// What [`json`] gives: prints JSON by `Debug` and `Display`.
pub struct AsJson<'a, T: ?Sized> {
    value: &'a T,
    /// For those who want it as a [`Value`], and whether it is JSON.
    text: OnceCell<(String, bool)>,
}

impl<T: Serialize + ?Sized> fmt::Display for AsJson<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Out { f, length: 0, is_refused: false };
        let result = self.value.serialize(&mut Serializer::with_formatter(&mut out, Plain));
        let (length, is_refused) = (out.length, out.is_refused);
        match result {
            _ if is_refused => Err(fmt::Error),
            Ok(()) => {
                tell(Printed::Json(length));
                Ok(())
            }
            Err(error) => {
                write!(f, "<error: {error}>")?;
                tell(Printed::Failed);
                Ok(())
            }
        }
    }
}

impl<T: Serialize + ?Sized> fmt::Debug for AsJson<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// [`Value::Json`], or [`Value::Rendered`] where that was not possible.
impl<'j, T: Serialize + ?Sized> From<&'j AsJson<'_, T>> for Value<'j> {
    fn from(given: &'j AsJson<'_, T>) -> Self {
        let (text, is_json) = given.text.get_or_init(|| {
            let mut text = String::new();
            expect();
            let is_whole = guarded::write(&mut text, format_args!("{given}"), usize::MAX);
            let is_json = is_whole && matches!(printed(&text), Printed::Json(_));
            (text, is_json)
        });
        if *is_json { Self::Json(JsonText::checked(text)) } else { Self::Rendered(text) }
    }
}

/// What was printed last on this thread, by `Debug` or `Display`.
#[derive(Clone, Copy)]
pub(in crate::record) enum Printed {
    Other,
    /// So many bytes of JSON.
    Json(usize),
    /// Something that should have been JSON, and is marked.
    Failed,
}

thread_local! {
    static PRINTED: Cell<Printed> = const { Cell::new(Printed::Other) };
}

#[inline]
pub(super) fn tell(what: Printed) {
    // A thread that is ending has no JSON any more, only text.
    PRINTED.try_with(|printed| printed.set(what)).unwrap_or_default();
}

/// Before something is printed.
#[inline]
pub(in crate::record) fn expect() {
    tell(Printed::Other);
}

/// What the text is that was printed since: JSON only if it is that as a whole.
#[inline]
pub(in crate::record) fn printed(text: &str) -> Printed {
    match PRINTED.try_with(Cell::get).unwrap_or(Printed::Other) {
        Printed::Json(length) => check(text, length),
        other => other,
    }
}

#[cold]
fn check(text: &str, length: usize) -> Printed {
    // The length tells a part from the whole. It may be another text of the same length (a `Debug` that blackens what it
    // got), and a `Serialize` may forget a value after a key: the text itself decides.
    if text.len() == length && super::is_compact(text) { Printed::Json(length) } else { Printed::Other }
}

/// `fmt` as something that can be written to, without a buffer between them.
struct Out<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    length: usize,
    is_refused: bool,
}

impl io::Write for Out<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // `serde_json` writes whole pieces of text.
        let text = std::str::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        self.length += text.len();
        self.f.write_str(text).map_err(|_| {
            self.is_refused = true;
            io::ErrorKind::WriteZero
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compact, and without bare control characters.
struct Plain;

impl Formatter for Plain {
    #[inline]
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut from = 0;
        while let Some(at) = next_special(fragment, from, false) {
            writer.write_all(&fragment.as_bytes()[from..at])?;
            let Some(control) = fragment[at..].chars().next() else { break };
            escape(writer, control)?;
            from = at + control.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[from..])
    }

    /// JSON that was text before (`serde_json::value::RawValue`), perhaps with white space.
    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let (mut is_text, mut is_escaped) = (false, false);
        for c in fragment.chars() {
            match c {
                ' ' | '\n' | '\r' | '\t' if !is_text => continue,
                '"' if !is_escaped => is_text = !is_text,
                _ => {}
            }
            is_escaped = c == '\\' && !is_escaped;
            match is_control(c) {
                true => escape(writer, c)?,
                false => CompactFormatter.write_string_fragment(writer, c.encode_utf8(&mut [0; 4]))?,
            }
        }
        Ok(())
    }
}

/// All that [`is_control`] knows are in the first plane, so four digits do.
fn escape<W: ?Sized + io::Write>(writer: &mut W, control: char) -> io::Result<()> {
    write!(writer, "\\u{:04x}", u32::from(control))
}
