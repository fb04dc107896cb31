//! Call sites made at run time, so that an event whose target, level and fields are not known to the compiler is an
//! event like any other to every layer.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use tracing_core::{
    Dispatch, Event, Interest, Kind, Level, LevelFilter, Metadata,
    callsite::{self, Callsite, Identifier},
    dispatcher,
    field::{Field, FieldSet, Value},
};

use crate::fork::ForkRwLock;

/// Where an event comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EventMeta<'a> {
    pub(crate) target: &'a str,
    pub(crate) level: Level,
    pub(crate) module_path: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) line: Option<u32>,
}

/// One run-time call site. `tracing` wants them to live for ever, so they are never freed and their number is bounded.
pub(crate) struct Site {
    interest: &'static Cached,
    metadata: &'static Metadata<'static>,
    names: &'static [&'static str],
    fields: Box<[Field]>,
}

/// What `tracing` knows a call site by, and where it leaves what the layers think of it.
struct Cached {
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

/// How many call sites may be made by then: for any place and names; for levels and sets of names only, with the target in
/// a field; and for levels alone. Names made from data (a logger for each user) end in the second, field names made from
/// data in the third.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Any = 4_096,
    WithoutPlace = 5_120,
    WithoutNames = 5_130,
}

/// The most fields of one event, with its message; the rest is given up and counted in a last field.
pub(crate) const MAX_FIELDS: usize = 64;

#[derive(Clone, Default)]
struct Sites {
    by_hash: HashMap<u64, Vec<&'static Site>>,
    made: usize,
}

static SITES: LazyLock<ForkRwLock<Sites>> = LazyLock::new(ForkRwLock::default);

/// The call site of a place and names. `None` when all that may be made are made.
pub(crate) fn site(place: EventMeta<'_>, names: &[&str], room: Room) -> Option<&'static Site> {
    let mut hasher = DefaultHasher::new();
    (place, names).hash(&mut hasher);
    let hash = hasher.finish();
    let find = |sites: &Sites| sites.by_hash.get(&hash)?.iter().copied().find(|site| site.is(place, names));
    if let Some(found) = find(&SITES.read()) {
        return Some(found);
    }
    let site = {
        let mut sites = SITES.write();
        if let Some(found) = find(&sites) {
            return Some(found);
        }
        if sites.made >= room as usize {
            return None;
        }
        let site = Site::leak(place, names, room);
        sites.made += 1;
        sites.by_hash.entry(hash).or_default().push(site);
        site
    };
    // Asks the layers for their interest: with no lock of ours held. Until then it is `sometimes`.
    callsite::register(site.interest);
    Some(site)
}

fn leak_str(text: &str) -> &'static str {
    Box::leak(text.into())
}

impl Site {
    fn leak(place: EventMeta<'_>, names: &[&str], room: Room) -> &'static Self {
        let names: &'static [&'static str] = Vec::leak(names.iter().map(|name| leak_str(name)).collect());
        let name = match (place.file, place.line) {
            (Some(file), Some(line)) => leak_str(&format!("event {file}:{line}")),
            // As `tracing-log` calls the events whose target is in a field.
            _ if room != Room::Any => "log event",
            _ => "event at run time",
        };
        let interest: &'static Cached =
            Box::leak(Box::new(Cached { metadata: OnceLock::new(), interest: AtomicU8::new(SOMETIMES) }));
        let metadata = interest.metadata.get_or_init(|| {
            Metadata::new(
                name,
                leak_str(place.target),
                place.level,
                place.file.map(leak_str),
                place.line,
                place.module_path.map(leak_str),
                FieldSet::new(names, Identifier(interest)),
                Kind::EVENT,
            )
        });
        let fields = metadata.fields().iter().collect();
        Box::leak(Box::new(Self { interest, metadata, names, fields }))
    }

    fn is(&self, place: EventMeta<'_>, names: &[&str]) -> bool {
        self.metadata.target() == place.target
            && *self.metadata.level() == place.level
            && self.metadata.line() == place.line
            && self.metadata.file() == place.file
            && self.metadata.module_path() == place.module_path
            && self.names == names
    }

    fn is_enabled(&self, dispatch: &Dispatch) -> bool {
        match self.interest.interest.load(Ordering::Relaxed) {
            NEVER => false,
            ALWAYS => true,
            _ => dispatch.enabled(self.metadata),
        }
    }

    /// Whether any layer may want an event from here. `Dispatch::enabled` would know more, but must not be asked without
    /// sending an event after: the answers of per-layer filters stay behind and hide the thread's next event.
    pub(crate) fn may_be_enabled(&self) -> bool {
        *self.metadata.level() <= LevelFilter::current() && self.interest.interest.load(Ordering::Relaxed) != NEVER
    }

    /// Sends an event to the layers. `values` belong to the names, in order.
    pub(crate) fn dispatch(&self, values: &[&dyn Value]) {
        match values.len() {
            0..=4 => self.send::<4>(values),
            5..=16 => self.send::<16>(values),
            _ => self.send::<MAX_FIELDS>(values),
        }
    }

    fn send<const N: usize>(&self, values: &[&dyn Value]) {
        let Some(first) = self.fields.first() else { return };
        let mut pairs: [(&Field, Option<&dyn Value>); N] = [(first, None); N];
        for ((pair, field), value) in pairs.iter_mut().zip(&self.fields).zip(values) {
            *pair = (field, Some(*value));
        }
        dispatcher::get_default(|dispatch| {
            if self.is_enabled(dispatch) {
                let values = self.metadata.fields().value_set(&pairs);
                dispatch.event(&Event::new(self.metadata, &values));
            }
        });
    }
}

impl Callsite for Cached {
    fn set_interest(&self, interest: Interest) {
        let interest = match interest {
            interest if interest.is_never() => NEVER,
            interest if interest.is_always() => ALWAYS,
            _ => SOMETIMES,
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().expect("a call site is shown to nobody before its metadata is set")
    }
}
