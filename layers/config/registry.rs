//! What a configuration may name: classes, factories and objects.

use std::{any::Any, collections::BTreeMap, io, path::Path, sync::Arc};

use super::{class::Class, config_filter::ConfigFilter, handler_args::HandlerArgs, objects::Objects};
use crate::{Error, Format, Handler, Record};

/// The names that a configuration may use in `class`, `()` and `ext://`. All other names are refused: a configuration
/// cannot reach into the program.
///
/// [`ClassRegistry::new`] knows the handlers of this crate by Python's names and by short ones. Add your own:
///
/// ```
/// use tracing_strata::{Record, config::{Config, Logging, ClassRegistry, ConfigFilter}, output::Stream, prelude::*};
///
/// let registry = ClassRegistry::new()
///     .filter("shop.NoHealthChecks", |args| {
///         let path = args.str("path").unwrap_or_else(|| "/health".to_owned());
///         Ok(ConfigFilter::decides(move |record: &Record| record.get("path").is_none_or(|value| value.as_str() != Some(&path))))
///     })
///     .handler("shop.Loud", |args, format| {
///         let _ = args.bool("loud");
///         Ok(Stream::stderr().format(format).terminator("!\n").boxed())
///     });
/// let config = Config::from_yaml("
/// version: 1
/// filters: {quiet: {(): shop.NoHealthChecks, path: /ping}}
/// handlers: {loud: {(): shop.Loud, loud: true, filters: [quiet]}}
/// root: {handlers: [loud]}
/// ")?;
/// let logging = Logging::builder().registry(registry).build(&config)?;
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone)]
pub struct ClassRegistry {
    handlers: BTreeMap<String, HandlerMaker>,
    formatters: BTreeMap<String, FormatterMaker>,
    filters: BTreeMap<String, FilterMaker>,
    pub(super) objects: Objects,
}

#[derive(Clone)]
pub(super) enum HandlerMaker {
    Class(&'static Class),
    Custom(Arc<MakeHandler>),
}

type MakeHandler = dyn Fn(&HandlerArgs<'_>, Box<dyn Format>) -> Result<Box<dyn Handler>, Error> + Send + Sync;
type FormatterMaker = Arc<dyn Fn(&HandlerArgs<'_>) -> Result<Box<dyn Format>, Error> + Send + Sync>;
type FilterMaker = Arc<dyn Fn(&HandlerArgs<'_>) -> Result<ConfigFilter, Error> + Send + Sync>;

/// Names rotated files: an object for `namer` under `.`.
///
/// Python: `RotatingFileHandler.namer`.
pub struct Namer(pub(super) Box<dyn Fn(&str) -> String + Send + Sync>);

impl Namer {
    /// `name` maps the default path, such as `/var/log/app.log.1`, to the one to use.
    pub fn new(name: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Box::new(name))
    }
}

/// Moves a rotated file: an object for `rotator` under `.`.
///
/// Python: `RotatingFileHandler.rotator`.
pub struct Rotator(pub(super) Box<RotateFile>);

type RotateFile = dyn Fn(&Path, &Path) -> io::Result<()> + Send + Sync;

impl Rotator {
    /// `rotate` gets the source and the destination.
    pub fn new(rotate: impl Fn(&Path, &Path) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Box::new(rotate))
    }
}

impl ClassRegistry {
    /// With these classes, and Python's constants.
    pub(super) fn with_classes(classes: impl Iterator<Item = &'static Class>) -> Self {
        let named = classes.flat_map(|class| class.names.iter().map(move |name| (name, class)));
        Self {
            handlers: named.map(|(name, class)| ((*name).to_owned(), HandlerMaker::Class(class))).collect(),
            formatters: BTreeMap::new(),
            filters: BTreeMap::new(),
            objects: Objects::python(),
        }
    }

    /// Adds a class or factory of handlers. It is called when all else in the configuration was checked and before our files
    /// are opened, so it may open what it needs. It gets its arguments and the format to write with. The format already ends
    /// each record as the configuration says (by default with a line break), so give the output an empty
    /// [`terminator`](crate::output::Formatted::terminator).
    pub fn handler(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&HandlerArgs<'_>, Box<dyn Format>) -> Result<Box<dyn Handler>, Error> + Send + Sync + 'static,
    ) -> Self {
        self.handlers.insert(name.into(), HandlerMaker::Custom(Arc::new(make)));
        self
    }

    /// Adds a class or factory of formats.
    pub fn formatter(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&HandlerArgs<'_>) -> Result<Box<dyn Format>, Error> + Send + Sync + 'static,
    ) -> Self {
        self.formatters.insert(name.into(), Arc::new(make));
        self
    }

    /// Adds a class or factory of filters.
    pub fn filter(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&HandlerArgs<'_>) -> Result<ConfigFilter, Error> + Send + Sync + 'static,
    ) -> Self {
        self.filters.insert(name.into(), Arc::new(make));
        self
    }

    /// Adds a predicate as a filter, as Python accepts a callable.
    pub fn decision(self, name: impl Into<String>, passes: impl Fn(&Record) -> bool + Send + Sync + 'static) -> Self {
        let filter = ConfigFilter::decides(passes);
        self.filter(name, move |_| Ok(filter.clone()))
    }

    /// Adds an object behind `ext://name`: a number (`i64`), a text (`String`), a [`StdStream`](crate::sink::StdStream), or
    /// a type that a class of yours asks for with [`HandlerArgs::registered`].
    pub fn object(mut self, name: impl Into<String>, object: impl Any + Send + Sync) -> Self {
        self.objects.insert(name.into(), Arc::new(object));
        self
    }

    pub(super) fn find_handler(&self, name: &str) -> Option<&HandlerMaker> {
        self.handlers.get(name)
    }

    pub(super) fn handler_names(&self) -> impl Iterator<Item = &str> {
        self.handlers.keys().map(String::as_str)
    }

    pub(super) fn make_formatter(&self, name: &str, args: &HandlerArgs<'_>) -> Option<Result<Box<dyn Format>, Error>> {
        Some(self.formatters.get(name)?(args))
    }

    pub(super) fn has_formatter(&self, name: &str) -> bool {
        self.formatters.contains_key(name)
    }

    pub(super) fn formatter_names(&self) -> impl Iterator<Item = &str> {
        self.formatters.keys().map(String::as_str)
    }

    pub(super) fn make_filter(&self, name: &str, args: &HandlerArgs<'_>) -> Option<Result<ConfigFilter, Error>> {
        Some(self.filters.get(name)?(args))
    }

    pub(super) fn filter_names(&self) -> impl Iterator<Item = &str> {
        self.filters.keys().map(String::as_str)
    }
}
