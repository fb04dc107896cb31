//! Call sites of another process: where its spans and their events come from.

use std::{collections::HashMap, sync::LazyLock};

use tracing_core::{Callsite, Interest, Kind, Level, Metadata, callsite::Identifier, field::FieldSet};

use super::bytes::{Reader, put_bytes, put_number, put_option, put_text};
use crate::fork::ForkMutex;

const LEVELS: [Level; 5] = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];

/// Metadata lives for ever, and a damaged file may name anything: so many are made, of so many bytes each at most. All
/// others are [`OTHER`].
const MAX_SITES: usize = 4_096;
const MAX_BYTES: usize = 1_024;

static OTHER: Metadata<'static> = Metadata::new(
    "(other)",
    "",
    Level::INFO,
    None,
    None,
    None,
    FieldSet::new(&[], Identifier(&NoCallsite)),
    Kind::SPAN,
);

/// By what [`put_site`] wrote.
type Sites = HashMap<Box<[u8]>, &'static Metadata<'static>>;

static SITES: LazyLock<ForkMutex<Sites>> = LazyLock::new(ForkMutex::default);

/// Nobody is asked whether such a call site is of interest.
struct NoCallsite;

impl Callsite for NoCallsite {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &OTHER
    }
}

/// A site that may be known by its name only.
pub(super) fn put_site(out: &mut Vec<u8>, name: &str, metadata: Option<&Metadata<'_>>) {
    put_bytes(out, name.as_bytes());
    put_option(out, metadata, |out, metadata| {
        put_bytes(out, metadata.target().as_bytes());
        out.push(LEVELS.iter().position(|level| level == metadata.level()).unwrap_or_default() as u8);
        put_text(out, metadata.file());
        put_option(out, metadata.line(), |out, line| put_number(out, line.into()));
        put_text(out, metadata.module_path());
    });
}

/// Of an event of a span.
#[cfg(feature = "otlp")]
pub(super) fn put_event_site(out: &mut Vec<u8>, name: &str, target: &str, level: &str) {
    let level = level.parse().unwrap_or(Level::INFO);
    let fields = FieldSet::new(&[], Identifier(&NoCallsite));
    put_site(out, name, Some(&Metadata::new("", target, level, None, None, None, fields, Kind::EVENT)));
}

/// The same metadata for the same bytes; whether it is more than a name.
pub(super) fn read_site(from: &mut Reader<'_>) -> Option<(&'static Metadata<'static>, bool)> {
    let before = from.rest();
    let name = from.str()?;
    let about = from.option(|from| {
        let (target, level, file) = (from.str()?, *LEVELS.get(usize::from(from.byte()?))?, from.text()?);
        let line = from.option(|from| u32::try_from(from.number()?).ok())?;
        Some((target, level, file, line, from.text()?))
    })?;
    let key = &before[..before.len() - from.rest().len()];
    let metadata = known(&mut SITES.get(), key, || {
        let (target, level, file, line, module_path) = about.unwrap_or(("", Level::INFO, None, None, None));
        let (file, module_path) = (file.map(leak), module_path.map(leak));
        let fields = FieldSet::new(&[], Identifier(&NoCallsite));
        Metadata::new(leak(name), leak(target), level, file, line, module_path, fields, Kind::SPAN)
    });
    Some((metadata, about.is_some()))
}

fn known(sites: &mut Sites, key: &[u8], make: impl FnOnce() -> Metadata<'static>) -> &'static Metadata<'static> {
    if let Some(known) = sites.get(key) {
        return known;
    }
    if sites.len() >= MAX_SITES || key.len() > MAX_BYTES {
        return &OTHER;
    }
    let made: &'static _ = Box::leak(Box::new(make()));
    sites.insert(key.into(), made);
    made
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_can_make_names_without_end() {
        let mut sites = Sites::new();
        let mut name = |number: usize, length: usize| {
            let mut key = number.to_string().into_bytes();
            key.resize(length, b' ');
            let fields = FieldSet::new(&[], Identifier(&NoCallsite));
            let make = || Metadata::new("made", "", Level::INFO, None, None, None, fields, Kind::SPAN);
            known(&mut sites, &key, make).name()
        };
        assert_eq!((name(0, 9), name(1, MAX_BYTES + 1)), ("made", "(other)"));
        (1..MAX_SITES).for_each(|number| assert_eq!(name(number, 9), "made"));
        assert_eq!((name(MAX_SITES, 9), name(7, 9)), ("(other)", "made"));
    }
}
