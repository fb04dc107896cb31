//! The logger tree: levels by name, handlers by name, both changed while the application runs.
//!
//! Python: `logging.getLogger`, `Logger.setLevel`, `addHandler`, `propagate`, `disabled`, `logging.disable`.
//!
//! # Names
//! A record's logger is its target. `app::db::pool` is below `app::db`, which is below `app`, which is below the root;
//! `app.db` is the same logger as `app::db`. A single `:` is part of a name. The root is the empty name, or `root`.
//!
//! # Levels
//! The level of the nearest logger that has one decides: of the target itself, else of what it is below. The root starts
//! at WARN. As a [filter](tracing_subscriber::layer::Filter) of any layer a [`Loggers`] decides once per call site; a
//! change is told to all call sites before the method returns. Spans have [a level of their own](Loggers::set_span_level)
//! and all pass by default: a record keeps its context whatever the level of its logger.
//!
//! # Handlers
//! Handlers hang on loggers. A record goes to those of its own logger, then to those of the loggers above, and so on up
//! to the root or a logger that does not propagate. Levels of the loggers above are not asked again. A handler that hangs
//! on two loggers gets the record twice. If no handler was found, the [last resort](Loggers::set_last_resort) gets it.
//!
//! # Directives
//! [`Loggers::parse`], [`Loggers::from_env`] and [`Loggers::apply`] read what people write in `RUST_LOG`, separated by
//! commas:
//!
//! | directive | meaning |
//! |---|---|
//! | `info` | the root's level |
//! | `app=debug`, `app::db=trace` | the level of a logger and what is below |
//! | `app` | all of `app`: the same as `app=trace` |
//! | `app=off` | nothing of `app` |
//! | `"odd, name"=info` | a name with anything but letters, digits, `_`, `-`, `.` and `:`; `\"`, `\\` and `\u{…}` inside |
//!
//! Levels are names in any case ([added ones](crate::Severity::add_name), too) or numbers: 0 to 5 as in `env_logger`
//! (off, error, warn, info, debug, trace), all others on Python's scale (25, 35; `+3` is Python's 3). Anything else is an
//! error that names the directive, its place and what was expected; then nothing is changed. Levels by span or field and
//! filters by message are such errors.
//!
//! # Differences from Python
//! - `setLevel(NOTSET)` is [`Loggers::clear_level`]; [`Severity::ALL`](crate::Severity::ALL) is a level like others and
//!   lets all records pass.
//! - A logger exists once something was set on it (or [`Loggers::add`] was called); asking makes none. At most 65,536
//!   exist, with names of at most 256 bytes.
//! - A logger's filters decide and change nothing; to change records, put a
//!   [`transform`](crate::HandlerExt::transform) in front of a handler.
//! - Below `a..b` there is `a.`, then `a`; CPython's search steps over the latter.
//! - The last resort's line is one line, whatever the message holds; without any last resort, nothing is printed, and the
//!   router's ledger counts the record as dropped.

mod cache;
#[cfg(feature = "config")]
mod declared;
mod explain;
mod filter;
mod generation;
mod interest;
mod name;
mod parse;
mod router;
mod tree;

use std::{
    env, fmt,
    str::FromStr,
    sync::{
        Arc, RwLockReadGuard,
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering},
    },
};

#[cfg(feature = "config")]
pub(crate) use self::declared::{LoggerState, RetiredLoggers};
use self::tree::{LastResort, Node, Tree};
pub use self::{
    explain::{Decision, Explanation, HandlerDecision, Step},
    router::Router,
};
use crate::{Error, NamedHandler, Severity, filter::Filter, fork::ForkRwLock};

/// The tree of loggers. Cheap to clone; clones are the same tree, so keep one to change levels at run time.
///
/// ```
/// use tracing_strata::{Loggers, Severity};
///
/// # fn main() -> Result<(), tracing_strata::Error> {
/// let loggers = Loggers::parse("warn,shop=info,shop.db=debug")?;
/// assert!(loggers.is_enabled_for("shop::db::pool", Severity::DEBUG));
/// assert!(!loggers.is_enabled_for("shopping", Severity::INFO));
///
/// loggers.set_level("shop::db", Severity::ERROR)?;
/// assert_eq!(loggers.effective_level("shop.db.pool"), Severity::ERROR);
/// assert_eq!(loggers.to_string(), "warn,shop=info,shop.db=error");
/// println!("{}", loggers.explain("shop.db", Severity::INFO));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Loggers(Arc<Inner>);

struct Inner {
    tree: ForkRwLock<Tree>,
    /// Names the state of `tree`; changes only while that is locked for writing.
    generation: AtomicU64,
    span_level: AtomicI32,
    /// Whether anybody asked for the router: if not, these loggers are levels only.
    routed: AtomicBool,
}

/// Where directives are looked for.
const VARIABLE: &str = "RUST_LOG";

impl Loggers {
    /// The root alone, at WARN.
    pub fn new() -> Self {
        Self::with_tree(Tree::new())
    }

    /// Loggers with the levels of [directives](self#directives); the root is at WARN unless they say otherwise.
    ///
    /// # Errors
    /// A directive is wrong: the message names it, its place and what was expected.
    pub fn parse(directives: &str) -> Result<Self, Error> {
        let mut tree = Tree::new();
        tree.set_levels(&parse::parse(directives)?)?;
        Ok(Self::with_tree(tree))
    }

    /// Loggers with the directives in `RUST_LOG`; the root alone, at WARN, if it is not set or empty.
    ///
    /// # Errors
    /// A directive is wrong, or the variable is not Unicode.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_env_or(VARIABLE, "")
    }

    /// Loggers with the directives in an environment variable, or those of `default` if it is not set or empty.
    ///
    /// # Errors
    /// A directive is wrong, or the variable is not Unicode; the message names the variable.
    pub fn from_env_or(variable: &str, default: &str) -> Result<Self, Error> {
        match env::var(variable) {
            Ok(directives) if !directives.trim().is_empty() => Self::parse(&directives)
                .map_err(|error| Error::config(format_args!("environment variable {variable}: {error}"))),
            Ok(_) | Err(env::VarError::NotPresent) => Self::parse(default),
            Err(env::VarError::NotUnicode(_)) => {
                Err(Error::config(format_args!("environment variable {variable}: expected Unicode")))
            }
        }
    }

    fn with_tree(tree: Tree) -> Self {
        Self(Arc::new(Inner {
            tree: ForkRwLock::new(tree),
            generation: AtomicU64::new(generation::next()),
            span_level: AtomicI32::new(Severity::ALL.number()),
            routed: AtomicBool::new(false),
        }))
    }

    // --- levels

    /// Replaces all levels by those of [directives](self#directives), at once or not at all; the root is at WARN unless
    /// they say otherwise. Handlers, filters and switches stay; loggers on which nothing is left are forgotten.
    ///
    /// # Errors
    /// As [`Loggers::parse`]; then nothing is changed.
    pub fn apply(&self, directives: &str) -> Result<(), Error> {
        let levels = parse::parse(directives)?;
        self.change_levels(|tree| tree.set_levels(&levels))
    }

    /// Sets the level of a logger and of those below that have none. A level that changes makes `tracing` ask about every
    /// call site again, about a microsecond each: many levels are set at once by [`apply`](Self::apply).
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn set_level(&self, name: &str, level: impl Into<Severity>) -> Result<(), Error> {
        let level = level.into();
        let name = name::checked(name)?;
        if self.level(&name) == Some(level) {
            return Ok(());
        }
        self.change_levels(|tree| {
            tree.make(&name)?.level = Some(level);
            Ok(())
        })
    }

    /// Takes the level off a logger: that of the nearest one above counts again (Python's `setLevel(NOTSET)`). With none
    /// on the root either, all records pass.
    pub fn clear_level(&self, name: &str) {
        self.change_levels(|tree| {
            if let Some(node) = tree.get_mut(&name::canonical(name)) {
                node.level = None;
            }
        });
    }

    /// The level set on this very logger.
    pub fn level(&self, name: &str) -> Option<Severity> {
        self.look(name, |node| node.level)?
    }

    /// The level that counts for a name: its own, or that of the nearest logger above that has one.
    pub fn effective_level(&self, name: &str) -> Severity {
        self.0.read().effective(&name::canonical(name)).0
    }

    /// Whether records of this name and severity get past the loggers. Does not allocate.
    pub fn is_enabled_for(&self, name: &str, severity: impl Into<Severity>) -> bool {
        i64::from(severity.into().number()) >= cache::threshold(&self.0, name).floor
    }

    /// Refuses all records up to a severity, whatever the levels say (Python's `logging.disable`). Severities of 0 and
    /// less are always refused.
    pub fn disable(&self, up_to: impl Into<Severity>) {
        let up_to = up_to.into();
        self.change_levels(|tree| tree.disabled_up_to = up_to);
    }

    /// Ends [`Loggers::disable`].
    pub fn enable(&self) {
        self.disable(Severity::ALL);
    }

    /// Up to which severity everything is refused; [`Severity::ALL`] if nothing is.
    pub fn disabled_up_to(&self) -> Severity {
        self.0.read().disabled_up_to
    }

    /// Sets the least level of spans, whatever their target; [`Severity::ALL`] at first. Records inside a span that is
    /// refused do not have its fields.
    pub fn set_span_level(&self, level: impl Into<Severity>) {
        let level = level.into();
        self.change_levels(|_| self.0.span_level.store(level.number(), Ordering::Release));
    }

    /// The least level of spans.
    #[inline]
    pub fn span_level(&self) -> Severity {
        Severity::new(self.0.span_level.load(Ordering::Acquire))
    }

    /// Switches a logger off, or on again. This concerns only records made with that very name, not those below.
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn set_disabled(&self, name: &str, disabled: bool) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change_levels(|tree| {
            tree.make(&name)?.disabled = disabled;
            Ok(())
        })
    }

    /// Whether a logger is switched off.
    pub fn disabled(&self, name: &str) -> bool {
        self.look(name, |node| node.disabled).unwrap_or_default()
    }

    // --- handlers

    /// Hangs a handler on a logger; nothing happens if it hangs there already.
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn add_handler(&self, name: &str, handler: NamedHandler) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change_handlers(|tree| {
            let handlers = &mut tree.make(&name)?.handlers;
            if !handlers.iter().any(|known| known.is_same(&handler)) {
                handlers.push(handler.clone());
            }
            Ok(())
        })
    }

    /// Takes a handler off a logger. False if it did not hang there.
    pub fn remove_handler(&self, name: &str, handler: &NamedHandler) -> bool {
        let removed = self.change_handlers(|tree| {
            let handlers = &mut tree.get_mut(&name::canonical(name))?.handlers;
            let index = handlers.iter().position(|known| known.is_same(handler))?;
            Some(handlers.remove(index))
        });
        removed.is_some()
    }

    /// The handlers that hang on this very logger, in the order in which they get records.
    pub fn handlers(&self, name: &str) -> Vec<NamedHandler> {
        self.look(name, |node| node.handlers.clone()).unwrap_or_default()
    }

    /// Whether any handler would be found for records of a name, on the way up to the root or to the first logger that
    /// does not propagate.
    pub fn has_handlers(&self, name: &str) -> bool {
        let tree = self.0.read();
        for (_, node) in tree.upwards(&name::canonical(name)) {
            if !node.handlers.is_empty() {
                return true;
            }
            if !node.propagate {
                return false;
            }
        }
        false
    }

    /// Whether records go on from this logger's handlers to those above (the default).
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn set_propagate(&self, name: &str, propagate: bool) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| {
            tree.make(&name)?.propagate = propagate;
            Ok(())
        })
    }

    /// Whether records go on from this logger's handlers to those above.
    pub fn propagate(&self, name: &str) -> bool {
        self.look(name, |node| node.propagate).unwrap_or(true)
    }

    /// Hangs a filter on a logger; nothing happens if it hangs there already. It is asked, after the filters before it,
    /// only about records made with that very name, not about those from below.
    ///
    /// Only records that go through these loggers' own layer ([`into_layer`](Self::into_layer) or a
    /// [`router`](Self::router)) are asked about: before another layer, as in `.with_filter(loggers)`, there is no record
    /// yet. There, give the handler the filter, with [`HandlerExt::filter`](crate::HandlerExt::filter).
    ///
    /// # Errors
    /// As [`Loggers::add`].
    pub fn add_filter(&self, name: &str, filter: Arc<dyn Filter>) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| {
            let filters = &mut tree.make(&name)?.filters;
            if !filters.iter().any(|known| is_same(known, &filter)) {
                filters.push(Arc::clone(&filter));
            }
            Ok(())
        })
    }

    /// Takes a filter off a logger. False if it did not hang there.
    pub fn remove_filter(&self, name: &str, filter: &Arc<dyn Filter>) -> bool {
        let removed = self.change(|tree| {
            let filters = &mut tree.get_mut(&name::canonical(name))?.filters;
            let index = filters.iter().position(|known| is_same(known, filter))?;
            Some(filters.remove(index))
        });
        removed.is_some()
    }

    /// The filters that hang on this very logger, in the order in which they are asked.
    pub fn filters(&self, name: &str) -> Vec<Arc<dyn Filter>> {
        self.look(name, |node| node.filters.clone()).unwrap_or_default()
    }

    /// Who gets the records that no handler was found for. At first that is a handler at WARN that writes the bare
    /// message to stderr; `None`: nobody.
    ///
    /// Python: `logging.lastResort`.
    pub fn set_last_resort(&self, handler: Option<NamedHandler>) {
        let new = handler.map_or(LastResort::Off, LastResort::Own);
        // Dropped when nothing is locked any more.
        drop(self.change_handlers(|tree| std::mem::replace(&mut tree.last_resort, new)));
    }

    /// Who gets the records that no handler was found for.
    pub fn last_resort(&self) -> Option<NamedHandler> {
        let last_resort = self.0.read().last_resort.clone();
        last_resort.handler()
    }

    // --- the tree

    /// Makes a logger exist, without setting anything on it; nothing happens if it does.
    ///
    /// # Errors
    /// There are 65,536 loggers already, or the name is longer than 256 bytes.
    pub fn add(&self, name: &str) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| tree.make(&name).map(drop))
    }

    /// Forgets a logger and all that is set on it. False if it does not exist; the root always does.
    pub fn remove(&self, name: &str) -> bool {
        let name = name::canonical(name);
        let removed: Option<Node> = self.change_levels(|tree| if name.is_empty() { None } else { tree.remove(&name) });
        removed.is_some()
    }

    /// The names of the loggers that exist, with dots and sorted, `root` first.
    pub fn names(&self) -> Vec<String> {
        self.0.read().iter().map(|(name, _)| name::shown(name).to_owned()).collect()
    }

    /// The nearest logger above that exists; `None` for the root.
    pub fn parent(&self, name: &str) -> Option<String> {
        let name = name::canonical(name);
        let tree = self.0.read();
        let above = tree.upwards(&name).map(|(above, _)| above).find(|above| **above != *name);
        above.map(|above| name::shown(above).to_owned())
    }

    /// The loggers below that exist and have just one part more.
    pub fn children(&self, name: &str) -> Vec<String> {
        self.0.read().children(&name::canonical(name)).into_iter().map(str::to_owned).collect()
    }

    /// What would become of a record, and why: which logger and level decide, and which handlers would get it.
    ///
    /// ```
    /// use tracing_strata::{Loggers, Severity};
    ///
    /// let loggers = Loggers::parse("shop=info").unwrap();
    /// let explanation = loggers.explain("shop::db", Severity::DEBUG);
    /// assert!(!explanation.is_enabled());
    /// assert_eq!(explanation.level_of(), Some("shop"));
    /// assert!(explanation.to_string().starts_with("shop.db at DEBUG is refused: level info of shop"));
    /// ```
    pub fn explain(&self, name: &str, severity: impl Into<Severity>) -> Explanation {
        let severity = severity.into();
        Explanation::new(&self.0.read(), name, severity, self.0.routed.load(Ordering::Relaxed))
    }

    /// Makes these loggers what others are, at once: levels, handlers, filters, switches. For whoever builds a whole
    /// configuration before anything of it counts.
    pub fn copy_from(&self, others: &Self) {
        let tree = others.0.read().clone();
        let span_level = others.span_level();
        // The old ones are dropped when nothing is locked any more.
        drop(self.change_levels(|old| {
            self.0.span_level.store(span_level.number(), Ordering::Release);
            std::mem::replace(old, tree)
        }));
    }

    // --- underneath

    fn look<R>(&self, name: &str, look: impl FnOnce(&Node) -> R) -> Option<R> {
        self.0.read().get(&name::canonical(name)).map(look)
    }

    /// A change that call sites are told about.
    fn change_levels<R>(&self, edit: impl FnOnce(&mut Tree) -> R) -> R {
        let result = self.change(edit);
        interest::rebuild();
        result
    }

    /// A change of who gets records.
    fn change_handlers<R>(&self, edit: impl FnOnce(&mut Tree) -> R) -> R {
        self.change(|tree| edit(tree))
    }

    /// A change. What `edit` takes out (a handler's `Drop` is somebody else's code) it gives back, and it is dropped
    /// here or by the caller, when nothing is locked any more.
    fn change<R>(&self, edit: impl FnOnce(&mut Tree) -> R) -> R {
        let (result, stale) = {
            let mut tree = self.0.tree.write();
            let stale = tree.take_routes();
            let result = edit(&mut tree);
            self.0.generation.store(generation::next(), Ordering::Release);
            (result, stale)
        };
        drop(stale);
        result
    }

    fn levels(&self) -> Vec<(String, Severity)> {
        let tree = self.0.read();
        let mut levels: Vec<_> = tree.iter().filter_map(|(name, node)| Some((name.to_owned(), node.level?))).collect();
        if tree.get("").is_none_or(|root| root.level.is_none()) {
            levels.insert(0, (String::new(), Severity::ALL));
        }
        levels
    }
}

impl Inner {
    fn read(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read()
    }

    #[inline]
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

fn is_same(a: &Arc<dyn Filter>, b: &Arc<dyn Filter>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

impl Default for Loggers {
    fn default() -> Self {
        Self::new()
    }
}

impl FromStr for Loggers {
    type Err = Error;

    fn from_str(directives: &str) -> Result<Self, Error> {
        Self::parse(directives)
    }
}

/// The levels as [directives](self#directives) that parse to the same levels, the root's first.
impl fmt::Display for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        parse::write(f, &self.levels())
    }
}

impl fmt::Debug for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loggers({self})")
    }
}
