//! The logger tree: levels by name, handlers by name, both changed while the application runs.
//!
//! Python: `logging.getLogger`, `Logger.setLevel`, `addHandler`, `propagate`, `disabled`, `logging.disable`.
//!
//! # Names
//! A record's logger is its target. `app::db::pool` is below `app::db`, which is below `app`, which is below the root;
//! `app.db` is the same logger as `app::db`. A single `:` is part of a name. The root is the empty name, or `root`.
//!
//! # Levels
//! The effective level of a target is that of its own logger, or of the nearest logger above that has one. The root starts
//! at WARN. As a [filter](tracing_subscriber::layer::Filter) of any layer, [`Loggers`] decides once per call site. A change
//! takes effect at all call sites before the method returns. Spans have [their own level](Loggers::set_span_level); by
//! default all pass, so that records keep their context whatever the level of their logger.
//!
//! # Handlers
//! A record goes to the handlers of its own logger, then to those of the loggers above, up to the root or a logger that
//! does not propagate. The levels of the loggers above are not checked. A handler on two of these loggers gets the record
//! twice. If there is no handler, the [last resort](Loggers::set_last_resort) gets the record.
//!
//! # Directives
//! [`Loggers::parse`], [`Loggers::from_env`] and [`Loggers::apply`] read directives as in `RUST_LOG`, separated by commas:
//!
//! | directive | meaning |
//! |---|---|
//! | `info` | the root's level |
//! | `app=debug`, `app::db=trace` | the level of a logger and those below |
//! | `app` | the same as `app=trace` |
//! | `app=off` | nothing of `app` |
//! | `"odd, name"=info` | a name with characters other than letters, digits, `_`, `-`, `.` and `:`; the escapes are `\"`, `\\` and `\u{…}` |
//!
//! Levels are names in any case, [added ones](crate::Severity::add_name) included, or numbers: 0 to 5 as in `env_logger`
//! (off, error, warn, info, debug, trace), all others on Python's scale (25, 35; `+3` is Python's 3). Anything else is an
//! error that names the directive, its position and what was expected, and nothing is changed. That includes levels by
//! span or field and filters by message.
//!
//! # Differences from Python
//! - `setLevel(NOTSET)` is [`Loggers::clear_level`]. [`Severity::ALL`](crate::Severity::ALL) is a level like any other,
//!   which lets all records pass.
//! - A logger exists once something is set on it or [`Loggers::add`] is called; getters create none. There are at most
//!   65,536 loggers, with names of at most 256 bytes.
//! - A logger's filters only decide. To change records, put a [`transform`](crate::HandlerExt::transform) in front of a
//!   handler.
//! - Above `a..b` there is `a.`, then `a`; CPython skips the latter.
//! - The last resort writes one line, even if the message contains line breaks. Without a last resort nothing is printed,
//!   and the router's ledger counts the record as dropped.

mod cache;
mod directives;
mod explain;
mod filter;
mod handlers;
mod interest;
mod last_resort;
mod levels;
mod name;
mod router;
#[cfg(feature = "config")]
mod snapshot;
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
pub(crate) use self::snapshot::{AllLoggers, RetiredLoggers};
pub(crate) use self::tree::LoggerState;
use self::tree::Tree;
pub use self::{
    explain::{Decision, Explanation, HandlerDecision, Step},
    router::Router,
};
use crate::{Error, Severity, fork::ForkRwLock};

/// The tree of loggers. Cheap to clone: clones share the tree, so keep one to change levels at run time.
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
    /// The number of the tree's state. It changes only while the tree is locked for writing.
    generation: AtomicU64,
    span_level: AtomicI32,
    /// A router was made. Without one, the tree decides by levels alone.
    routed: AtomicBool,
}

/// The environment variable with directives.
const VARIABLE: &str = "RUST_LOG";

impl Loggers {
    /// The root alone, at WARN.
    pub fn new() -> Self {
        Self::with_tree(Tree::default())
    }

    /// Loggers with the levels of [directives](self#directives). The root is at WARN unless they say otherwise.
    ///
    /// # Errors
    /// A directive is wrong: the error names it, its position and what was expected.
    pub fn parse(directives: &str) -> Result<Self, Error> {
        let mut tree = Tree::default();
        tree.set_levels(&directives::parse(directives)?)?;
        Ok(Self::with_tree(tree))
    }

    /// Loggers with the directives in `RUST_LOG`. If that is unset or empty: the root alone, at WARN.
    ///
    /// # Errors
    /// A directive is wrong, or the variable is not Unicode.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_env_or(VARIABLE, "")
    }

    /// Loggers with the directives in an environment variable, or those in `default` if it is unset or empty.
    ///
    /// # Errors
    /// A directive is wrong, or the variable is not Unicode. The error names the variable.
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
            generation: AtomicU64::new(interest::next_generation()),
            span_level: AtomicI32::new(Severity::ALL.number()),
            routed: AtomicBool::new(false),
        }))
    }

    /// Creates a logger with no settings, unless it exists.
    ///
    /// # Errors
    /// There are 65,536 loggers already, or the name is longer than 256 bytes.
    pub fn add(&self, name: &str) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| tree.get_or_create(&name).map(|_| ()))
    }

    /// Removes a logger with all its settings. Returns false if it does not exist, or for the root, which stays.
    pub fn remove(&self, name: &str) -> bool {
        let name = name::canonical(name);
        let removed = self.change_levels(|tree| if name.is_empty() { None } else { tree.loggers.remove(&*name) });
        removed.is_some()
    }

    /// The names of all loggers, with dots, sorted, `root` first.
    pub fn names(&self) -> Vec<String> {
        self.0.read().loggers.keys().map(|name| name::shown(name).to_owned()).collect()
    }

    /// The nearest existing logger above; `None` for the root.
    pub fn parent(&self, name: &str) -> Option<String> {
        let name = name::canonical(name);
        let tree = self.0.read();
        let above = tree.upwards(&name).map(|(above, _)| above).find(|above| **above != *name);
        above.map(|above| name::shown(above).to_owned())
    }

    /// The existing loggers whose names have one part more.
    pub fn children(&self, name: &str) -> Vec<String> {
        self.0.read().children(&name::canonical(name)).into_iter().map(str::to_owned).collect()
    }

    /// Explains what would happen to a record: which logger's level decides, and which handlers would get it.
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

    /// Replaces all levels, handlers, filters and other settings by those of `others`, at once. So a whole configuration can
    /// be built before any of it takes effect.
    pub fn copy_from(&self, others: &Self) {
        let tree = others.0.read().clone();
        let span_level = others.span_level();
        // The old tree is dropped with no lock held.
        drop(self.change_levels(|old| {
            self.0.span_level.store(span_level.number(), Ordering::Release);
            std::mem::replace(old, tree)
        }));
    }

    fn read_logger<R>(&self, name: &str, read: impl FnOnce(&LoggerState) -> R) -> Option<R> {
        self.0.read().loggers.get(&*name::canonical(name)).map(read)
    }

    /// Changes the tree in a way that affects which records pass: `tracing` asks about its call sites again.
    fn change_levels<R>(&self, edit: impl FnOnce(&mut Tree) -> R) -> R {
        let result = self.change(edit);
        interest::rebuild();
        result
    }

    /// Changes the tree. `edit` returns what it removes, so that the caller drops it with no lock held: dropping a handler
    /// runs user code.
    fn change<R>(&self, edit: impl FnOnce(&mut Tree) -> R) -> R {
        let (result, stale) = {
            let mut tree = self.0.tree.write();
            let stale = tree.take_routes();
            let result = edit(&mut tree);
            self.0.generation.store(interest::next_generation(), Ordering::Release);
            (result, stale)
        };
        drop(stale);
        result
    }

    fn levels(&self) -> Vec<(String, Severity)> {
        let tree = self.0.read();
        let mut levels: Vec<_> =
            tree.loggers.iter().filter_map(|(name, logger)| Some((name.to_owned(), logger.level?))).collect();
        if tree.loggers.get("").is_none_or(|root| root.level.is_none()) {
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
        directives::write(f, &self.levels())
    }
}

impl fmt::Debug for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loggers({self})")
    }
}
