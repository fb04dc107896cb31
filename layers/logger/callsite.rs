//! Call sites made at run time: with one, an event whose target, level and fields the compiler does not know is like any
//! other event to every layer.

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

/// Where an event comes from, and its level.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EventMeta<'a> {
    pub(crate) target: &'a str,
    pub(crate) level: Level,
    pub(crate) module_path: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) line: Option<u32>,
}

/// A call site made at run time. `tracing` wants call sites to live for ever, so they are leaked, and their number is
/// bounded.
pub(crate) struct DynamicCallsite {
    cached: &'static CachedInterest,
    metadata: &'static Metadata<'static>,
    names: &'static [&'static str],
    fields: Box<[Field]>,
}

/// The part that `tracing` knows, and where it stores the interest of the layers.
struct CachedInterest {
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

/// How many call sites may exist, by what distinguishes a new one: everything; level and field names, with the target in a
/// field; the level alone. Logger names from data (a logger for each user …) use up the first quota, field names from data
/// the second.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quota {
    Exact = 4_096,
    LevelAndNames = 5_120,
    Level = 5_130,
}

/// The most fields of one event, with its message. Further ones are dropped; a last field counts them.
pub(crate) const MAX_FIELDS: usize = 64;

#[derive(Clone, Default)]
struct Callsites {
    by_hash: HashMap<u64, Vec<&'static DynamicCallsite>>,
    made: usize,
}

static CALLSITES: LazyLock<ForkRwLock<Callsites>> = LazyLock::new(ForkRwLock::default);

/// The call site for events with this metadata and these field names. `None` when the quota is used up.
pub(crate) fn callsite_for(meta: EventMeta<'_>, names: &[&str], quota: Quota) -> Option<&'static DynamicCallsite> {
    let mut hasher = DefaultHasher::new();
    (meta, names).hash(&mut hasher);
    let hash = hasher.finish();
    let find = |sites: &Callsites| sites.by_hash.get(&hash)?.iter().copied().find(|site| site.is(meta, names));
    if let Some(found) = find(&CALLSITES.read()) {
        return Some(found);
    }
    let site = {
        let mut sites = CALLSITES.write();
        if let Some(found) = find(&sites) {
            return Some(found);
        }
        if sites.made >= quota as usize {
            return None;
        }
        let site = DynamicCallsite::leak(meta, names, quota);
        sites.made += 1;
        sites.by_hash.entry(hash).or_default().push(site);
        site
    };
    // Asks the layers for their interest, with no lock of ours held. Until then it is `sometimes`.
    callsite::register(site.cached);
    Some(site)
}

fn leak_str(text: &str) -> &'static str {
    Box::leak(text.into())
}

impl DynamicCallsite {
    fn leak(meta: EventMeta<'_>, names: &[&str], quota: Quota) -> &'static Self {
        let names: &'static [&'static str] = Vec::leak(names.iter().map(|name| leak_str(name)).collect());
        let name = match (meta.file, meta.line) {
            (Some(file), Some(line)) => leak_str(&format!("event {file}:{line}")),
            // The name that `tracing-log` gives to events whose target is in a field.
            _ if quota != Quota::Exact => "log event",
            _ => "event at run time",
        };
        let cached: &'static CachedInterest =
            Box::leak(Box::new(CachedInterest { metadata: OnceLock::new(), interest: AtomicU8::new(SOMETIMES) }));
        let metadata = cached.metadata.get_or_init(|| {
            Metadata::new(
                name,
                leak_str(meta.target),
                meta.level,
                meta.file.map(leak_str),
                meta.line,
                meta.module_path.map(leak_str),
                FieldSet::new(names, Identifier(cached)),
                Kind::EVENT,
            )
        });
        let fields = metadata.fields().iter().collect();
        Box::leak(Box::new(Self { cached, metadata, names, fields }))
    }

    fn is(&self, meta: EventMeta<'_>, names: &[&str]) -> bool {
        self.metadata.target() == meta.target
            && *self.metadata.level() == meta.level
            && self.metadata.line() == meta.line
            && self.metadata.file() == meta.file
            && self.metadata.module_path() == meta.module_path
            && self.names == names
    }

    fn is_enabled(&self, dispatch: &Dispatch) -> bool {
        match self.cached.interest.load(Ordering::Relaxed) {
            NEVER => false,
            ALWAYS => true,
            _ => dispatch.enabled(self.metadata),
        }
    }

    /// Whether any layer may want an event from here. `Dispatch::enabled` would know more, but must not be called without
    /// an event after it: the answers of per-layer filters stay set and hide the thread's next event.
    pub(crate) fn may_be_enabled(&self) -> bool {
        *self.metadata.level() <= LevelFilter::current() && self.cached.interest.load(Ordering::Relaxed) != NEVER
    }

    /// Sends an event to the layers. `values` are in the order of the names.
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

impl Callsite for CachedInterest {
    fn set_interest(&self, interest: Interest) {
        let interest = match interest {
            interest if interest.is_never() => NEVER,
            interest if interest.is_always() => ALWAYS,
            _ => SOMETIMES,
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().expect("the metadata is set before the call site is registered")
    }
}
