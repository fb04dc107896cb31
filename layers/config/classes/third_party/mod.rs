//! Classes of other packages that configurations of Python name, built as ours with their parameters and their look.
//!
//! Each file has the classes of one package. What they write is compared with what the packages themselves write.

mod attributes;
mod celery;
mod coloredlogs;
mod colorlog;
mod columns;
mod concurrent;
mod django;
mod dumps;
mod ecs_logging;
mod graypy;
#[cfg(target_os = "linux")]
mod journal;
mod line;
mod logstash;
mod logstash_async;
mod loki;
mod python_json_logger;
mod request;
mod rich;
mod structlog;
mod uvicorn;
mod value;

#[cfg(target_os = "linux")]
pub(super) use self::journal::{HANDLERS as JOURNAL, journal_fields};
pub(super) use self::{
    concurrent::HANDLERS as CONCURRENT, graypy::HANDLERS as GRAYPY, logstash::HANDLERS as LOGSTASH,
    logstash_async::HANDLERS as LOGSTASH_ASYNC, loki::HANDLERS as LOKI, rich::HANDLERS as RICH,
};
use crate::{
    Error, Format, Record,
    config::{
        config_filter::ConfigFilter,
        error::ConfigError,
        formatting::Formatter,
        handler_args::HandlerArgs,
        node::{Data, Map, Node},
        setup::Setup,
    },
    format::{Buffer, Style, Template},
};

/// Formatters by their names.
const FORMATTERS: &[Entry] = &[
    (python_json_logger::NAMES, python_json_logger::make),
    (ecs_logging::NAMES, ecs_logging::make),
    (logstash::VERSION_0, logstash::make_version_0),
    (logstash::VERSION_1, logstash::make_version_1),
    (logstash_async::NAMES, logstash_async::make),
    (logstash_async::ECS_NAMES, logstash_async::make_ecs),
    (structlog::NAMES, structlog::make),
];

/// All lists of formatters.
const LISTS: &[&[Entry]] = &[
    FORMATTERS,
    uvicorn::FORMATTERS,
    colorlog::FORMATTERS,
    coloredlogs::FORMATTERS,
    celery::FORMATTERS,
    django::FORMATTERS,
];

/// Filters by their names.
const FILTERS: &[&[(&[&str], MakeFilter)]] = &[django::FILTERS, request::FILTERS];

type Entry = (&'static [&'static str], Make);

type MakeFilter = fn(&Call<'_, '_>) -> Option<ConfigFilter>;

/// `None` after the mistake was reported.
type Make = fn(&Call<'_, '_>) -> Option<Box<dyn Format>>;

/// What `dictConfig` passes to a `class`, in this order; all other keys are dropped.
const POSITIONS: &[&str] = &["format", "datefmt", "style", "validate"];

/// Our keys beside Python's: the zone of local times, and what else a class has.
const OURS: &[&str] = &["zone", "strata"];

/// The call of a class.
struct Call<'m, 'c> {
    setup: &'m Setup,
    args: &'m HandlerArgs<'c>,
    /// Whether the arguments are passed by name (`()`) and not by position (`class`).
    by_name: bool,
}

impl Call<'_, '_> {
    /// The key of the parameter with this name and position.
    fn key<'k>(&self, name: &'k str, position: usize) -> &'k str {
        if !self.by_name {
            POSITIONS.get(position).copied().unwrap_or(name)
        } else if name == "fmt" && !self.args.is_given("fmt") {
            // `dictConfig` tries both.
            "format"
        } else {
            name
        }
    }

    /// The style of a template, `%` by default.
    fn style(&self, position: usize) -> Option<Style> {
        let key = self.key("style", position);
        let style = self.args.str(key).unwrap_or_else(|| "%".to_owned());
        match style.parse() {
            Ok(style) => Some(style),
            Err(error) => {
                let error: crate::Error = error;
                self.args.report(self.args.wrong(key, "expected \"%\", \"{\" or \"$\"").python(error.to_string()));
                None
            }
        }
    }

    /// Whether a format has a field, as `logging.Formatter` asks unless `validate` is false.
    fn validate(&self, key: &str, format: &str, style: Style, validate: bool) -> Option<()> {
        let made = Template::builder(format).style(style).validate(validate).as_python(true).build();
        match made {
            Ok(_) => Some(()),
            Err(error) => {
                self.args.report(self.args.wrong(key, error.to_string()).python(error.to_string()));
                None
            }
        }
    }
}

fn find(name: &str) -> Option<Make> {
    LISTS.iter().copied().flatten().find(|(names, _)| names.contains(&name)).map(|(_, make)| *make)
}

/// Whether a filter of this name is built as one of ours.
pub(super) fn has_filter(name: &str) -> bool {
    filter_names().any(|known| known == name)
}

pub(super) fn filter_names<'n>() -> impl Iterator<Item = &'n str> {
    FILTERS.iter().copied().flatten().flat_map(|(names, _)| names.iter().copied())
}

/// The filter of that name; what is wrong with its arguments is reported.
pub(super) fn make_filter(name: &str, setup: &Setup, args: &HandlerArgs<'_>) -> Option<ConfigFilter> {
    let (_, make) = FILTERS.iter().copied().flatten().find(|(names, _)| names.contains(&name))?;
    let made = make(&Call { setup, args, by_name: true });
    Some(made.unwrap_or_else(|| ConfigFilter::decides(|_: &crate::Record| true)))
}

/// Python's `x in (True, False)`.
fn truth(node: &Node) -> Option<bool> {
    match node.data {
        Data::Bool(on) => Some(on),
        Data::Off | Data::Int(0) => Some(false),
        Data::Int(1) => Some(true),
        _ => None,
    }
}

/// Appends text; nothing if that fails.
fn append(out: &mut Buffer, write: impl FnOnce(&mut String) -> Result<(), Error>) -> Result<(), Error> {
    out.append_text(|text| {
        let result = write(text);
        if result.is_err() {
            text.clear();
        }
        result
    })
}

/// The text that a format makes of a record, not for a terminal.
fn text_of(format: &dyn Format, record: &Record) -> Result<String, Error> {
    let mut out = Buffer::new();
    format.format(record, &mut out)?;
    let text = String::from_utf8(out.into_bytes());
    Ok(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Whether standard output is a terminal, when the formatter is made.
fn is_stdout_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stdout())
}

/// Whether a formatter of this name is built as one of ours.
pub(super) fn has_formatter(name: &str) -> bool {
    find(name).is_some()
}

pub(super) fn formatter_names() -> impl Iterator<Item = &'static str> {
    LISTS.iter().copied().flatten().flat_map(|(names, _)| names.iter().copied())
}

/// Whether Python passes a key on, or it is one of ours.
pub(super) fn is_passed(key: &str, by_name: bool) -> bool {
    by_name || POSITIONS.contains(&key) || OURS.contains(&key) || matches!(key, "class" | "defaults")
}

/// What a formatter reads from its entry, as far as an empty one shows.
pub(super) fn read(name: &str, setup: &Setup, args: &HandlerArgs<'_>) {
    drop(find(name).and_then(|make| make(&Call { setup, args, by_name: true })));
    args.accept(POSITIONS);
}

/// Makes the formatter that a section names.
pub(super) fn make(
    setup: &Setup,
    path: &str,
    node: &Node,
    map: &Map,
    name: &str,
    by_name: bool,
) -> Result<Formatter, Vec<ConfigError>> {
    let passed = map.iter().filter(|(key, _)| is_passed(&key.text, by_name));
    let passed = Map(passed.map(|(key, node)| (key.clone(), node.clone())).collect());
    let args = setup.args(path, node.at, name, &passed);
    let call = Call { setup, args: &args, by_name };
    let made = find(name).and_then(|make| make(&call));
    if !by_name {
        // A parameter that a class does not have is an error only if it is passed by name.
        args.accept(POSITIONS);
        args.accept(&["defaults"]);
    }
    let problems = args.finish(&[], &["()", "class", "."]);
    match made {
        Some(format) if problems.is_empty() => Ok(format.into()),
        _ => Err(problems),
    }
}
