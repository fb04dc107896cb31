//! The handle that applications use.

use std::{
    env, fmt,
    str::FromStr,
    sync::{
        Arc, RwLockReadGuard,
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering},
    },
};

use super::{
    Explanation, interest, name, parse,
    tree::{Node, Tree},
};
use crate::{Error, Severity, fork::ForkRwLock};

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
pub struct Loggers(pub(super) Arc<Inner>);

pub(super) struct Inner {
    tree: ForkRwLock<Tree>,
    /// The number of the state of `tree`; changes only while that is locked for writing.
    generation: AtomicU64,
    pub(super) span_level: AtomicI32,
    /// A router exists: without one, these loggers are levels only.
    pub(super) routed: AtomicBool,
}

/// The environment variable with directives.
const VARIABLE: &str = "RUST_LOG";

impl Loggers {
    /// The root alone, at WARN.
    pub fn new() -> Self {
        Self::with_tree(Tree::new())
    }

    /// Loggers with the levels of [directives](super#directives); the root is at WARN unless they say otherwise.
    ///
    /// # Errors
    /// A directive is wrong: the message names it, its position and what was expected.
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
            generation: AtomicU64::new(interest::next_generation()),
            span_level: AtomicI32::new(Severity::ALL.number()),
            routed: AtomicBool::new(false),
        }))
    }

    // --- the tree

    /// Creates a logger without any setting, unless it exists.
    ///
    /// # Errors
    /// There are 65,536 loggers already, or the name is longer than 256 bytes.
    pub fn add(&self, name: &str) -> Result<(), Error> {
        let name = name::checked(name)?;
        self.change(|tree| tree.get_or_create(&name).map(drop))
    }

    /// Removes a logger with all its settings. False if it does not exist; the root cannot be removed.
    pub fn remove(&self, name: &str) -> bool {
        let name = name::canonical(name);
        let removed: Option<Node> = self.change_levels(|tree| if name.is_empty() { None } else { tree.remove(&name) });
        removed.is_some()
    }

    /// The names of all loggers, with dots and sorted, `root` first.
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

    /// The existing loggers directly below, whose names have one part more.
    pub fn children(&self, name: &str) -> Vec<String> {
        self.0.read().children(&name::canonical(name)).into_iter().map(str::to_owned).collect()
    }

    /// Explains what would happen to a record: which logger and level decide, and which handlers would get it.
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

    /// Copies levels, handlers, filters and switches of other loggers, at once: to build a whole configuration before any
    /// of it takes effect.
    pub fn copy_from(&self, others: &Self) {
        let tree = others.0.read().clone();
        let span_level = others.span_level();
        // The old ones are dropped with no lock held.
        drop(self.change_levels(|old| {
            self.0.span_level.store(span_level.number(), Ordering::Release);
            std::mem::replace(old, tree)
        }));
    }

    // --- access to the tree

    pub(super) fn read_node<R>(&self, name: &str, read: impl FnOnce(&Node) -> R) -> Option<R> {
        self.0.read().get(&name::canonical(name)).map(read)
    }

    /// A change of what passes: `tracing` asks about its call sites again.
    pub(super) fn change_levels<R>(&self, edit: impl FnOnce(&mut Tree) -> R) -> R {
        let result = self.change(edit);
        interest::rebuild();
        result
    }

    /// A change of the tree. `edit` returns what it removes, so that the caller drops it with no lock held: a handler's
    /// `Drop` is user code.
    pub(super) fn change<R>(&self, edit: impl FnOnce(&mut Tree) -> R) -> R {
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
        let mut levels: Vec<_> = tree.iter().filter_map(|(name, node)| Some((name.to_owned(), node.level?))).collect();
        if tree.get("").is_none_or(|root| root.level.is_none()) {
            levels.insert(0, (String::new(), Severity::ALL));
        }
        levels
    }
}

impl Inner {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read()
    }

    #[inline]
    pub(super) fn generation(&self) -> u64 {
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

/// The levels as [directives](super#directives) that parse to the same levels, the root's first.
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
