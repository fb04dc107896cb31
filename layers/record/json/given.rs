//! Serializes values to JSON text in a record, through a visitor that only knows `Debug`.

use std::{
    cell::{Cell, OnceCell},
    fmt, io,
};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::JsonText;
use crate::{
    record::guarded,
    text::{is_control, next_special},
};

/// Wraps a list, a map or any other `serde::Serialize`, to log it with the types of its parts. (Feature `serde`.)
///
/// Use it with `?` (or `%`) in events and spans, and by reference in a [`Record`](crate::Record), in
/// [`Globals`](crate::Globals) or bound to a [`Logger`](crate::Logger). It is serialized only when a layer reads it.
///
/// JSON [`Format`](crate::format)s embed it as it is, OTLP gets arrays and maps, all others print the JSON text. Layers of
/// other crates see a value whose `Debug` and `Display` print JSON.
///
/// - Floats that are not finite are `null`, as in `serde_json`.
/// - Values nested deeper than 64 levels, or longer than the limit of a value, are plain text; the latter are cut.
/// - If `Serialize` fails or panics, the value is plain text: what was written until then, and why.
/// - Inside another value (in the `Debug` of a struct) it is part of that text.
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

/// A value that prints JSON by `Debug` and `Display`. Made by [`json`].
pub struct AsJson<'a, T: ?Sized> {
    value: &'a T,
    /// The text for a value, and whether it is JSON.
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
                set_printed(Printed::Json(length));
                Ok(())
            }
            Err(error) => {
                write!(f, "<error: {error}>")?;
                set_printed(Printed::Failed);
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

impl<T: Serialize + ?Sized> AsJson<'_, T> {
    /// The text, and the same text as JSON if it is JSON.
    pub(in crate::record) fn rendered(&self) -> (&str, Option<JsonText<'_>>) {
        let (text, is_json) = self.text.get_or_init(|| {
            let mut text = String::new();
            reset_printed();
            let is_whole = guarded::write(&mut text, format_args!("{self}"), usize::MAX);
            let is_json = is_whole && matches!(printed(&text), Printed::Json(_));
            (text, is_json)
        });
        (text, is_json.then(|| JsonText::checked(text)))
    }
}

/// What was printed last on this thread, by `Debug` or `Display`.
#[derive(Clone, Copy)]
pub(in crate::record) enum Printed {
    Other,
    /// JSON of this many bytes.
    Json(usize),
    /// An attempt at JSON, which ends in a marker.
    Failed,
}

thread_local! {
    static PRINTED: Cell<Printed> = const { Cell::new(Printed::Other) };
}

#[inline]
pub(super) fn set_printed(what: Printed) {
    // On a thread that is ending, everything counts as text.
    PRINTED.try_with(|printed| printed.set(what)).unwrap_or_default();
}

/// Call it before something is rendered.
#[inline]
pub(in crate::record) fn reset_printed() {
    set_printed(Printed::Other);
}

/// What was printed since the reset: JSON only if all of `text` is JSON.
#[inline]
pub(in crate::record) fn printed(text: &str) -> Printed {
    match PRINTED.try_with(Cell::get).unwrap_or(Printed::Other) {
        Printed::Json(length) => check(text, length),
        other => other,
    }
}

#[cold]
fn check(text: &str, length: usize) -> Printed {
    // The length tells a part from the whole. It may still be another text of the same length (a `Debug` that redacts), and
    // a `Serialize` may omit a value after a key: the text itself decides.
    if text.len() == length && super::is_compact(text) { Printed::Json(length) } else { Printed::Other }
}

/// Adapts a `fmt::Formatter` to `io::Write`, without a buffer.
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

/// Compact, with all control characters escaped.
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

    /// JSON text (`serde_json::value::RawValue`), perhaps with white space.
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

/// All characters of [`is_control`] are in the basic plane: four digits suffice.
fn escape<W: ?Sized + io::Write>(writer: &mut W, control: char) -> io::Result<()> {
    write!(writer, "\\u{:04x}", u32::from(control))
}
