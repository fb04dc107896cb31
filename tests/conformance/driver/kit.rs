//! The extension objects that scenarios may name, registered as a user would register theirs.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::Value as Json;
use tracing_strata::{
    Delivery, Error, Format, Handler, HandlerExt as _, Outcome, Record, Severity, Value,
    config::{ClassRegistry, ConfigFilter, HandlerArgs, Namer, Rotator},
    format::{Buffer, Template, Time},
    output::Stream,
};

use crate::log::value;

pub(crate) fn registry() -> ClassRegistry {
    formatters(filters(ClassRegistry::new()))
        .handler("kit.prefixed_stream", |arguments, format| {
            let prefix = arguments.str("prefix").unwrap_or_default();
            let stream = arguments.stream("stream").unwrap_or(tracing_strata::sink::StdStream::stderr());
            Ok(Stream::sink(stream)
                .format(Around { open: prefix, close: String::new(), format })
                .terminator("")
                .boxed())
        })
        .object("kit.suffix_bak", Namer::new(|name| format!("{name}.bak")))
        .object("kit.log_last", Namer::new(|name| name.replace(".log", "") + ".log"))
        .object("kit.upper_rotator", Rotator::new(upper))
        .object("kit.LIMITS.small", 64_i64)
        .object("kit.LIMITS.big", 4_096_i64)
        .handler("kit.ExplodingHandler", |_, _| Ok(Calls(|_: &Record| Err(Error::new("boom"))).boxed()))
}

/// An upper-cased copy; the source is removed.
fn upper(source: &Path, destination: &Path) -> std::io::Result<()> {
    if source.exists() {
        fs::write(destination, fs::read_to_string(source)?.to_uppercase())?;
        fs::remove_file(source)?;
    }
    Ok(())
}

fn filters(registry: ClassRegistry) -> ClassRegistry {
    registry
        .filter("kit.MaxLevel", |arguments| {
            let most = arguments.level("level").unwrap_or(Severity::ALL);
            Ok(ConfigFilter::decides(move |record: &Record| record.severity() <= most))
        })
        .filter("kit.LevelRange", |arguments| {
            let low = arguments.level("low").unwrap_or(Severity::ALL);
            let high = arguments.level("high").unwrap_or(Severity::OFF);
            Ok(ConfigFilter::decides(move |record: &Record| (low..=high).contains(&record.severity())))
        })
        .filter("kit.MessageContains", |arguments| {
            let text = arguments.required("text");
            let invert = arguments.bool("invert").unwrap_or(false);
            Ok(ConfigFilter::decides(move |record: &Record| record.message().contains(&text) != invert))
        })
        .filter("kit.AddField", |arguments| {
            let field = arguments.required("field");
            let given: Json = arguments.value("value").unwrap_or_default();
            Ok(ConfigFilter::changes(move |record| {
                record.set(field.clone(), value(&given));
                true
            }))
        })
        .filter("kit.Redact", |arguments| {
            let text = arguments.required("text");
            let replacement = arguments.str("replacement").unwrap_or_else(|| "***".into());
            Ok(ConfigFilter::changes(move |record| {
                let message = record.message().replace(&text, &replacement);
                record.set_message(&message);
                true
            }))
        })
        .filter("kit.Relabel", |arguments| {
            let level = arguments.level("level").unwrap_or(Severity::ALL);
            Ok(ConfigFilter::changes(move |record| {
                record.set_severity(level);
                true
            }))
        })
        .filter("kit.EveryNth", |arguments| {
            let n = arguments.count("n").unwrap_or(1).max(1);
            let seen = AtomicU64::new(0);
            Ok(ConfigFilter::decides(move |_: &Record| seen.fetch_add(1, Ordering::SeqCst).is_multiple_of(n)))
        })
        .filter("kit.ReplaceRecord", |arguments| {
            let message = arguments.required("msg");
            Ok(ConfigFilter::replaces(move |record| {
                record.set_message(&message);
                true
            }))
        })
        .decision("kit.only_errors", |record| record.severity() >= Severity::ERROR)
}

fn formatters(registry: ClassRegistry) -> ClassRegistry {
    registry
        .formatter("kit.BracketFormatter", |arguments| {
            let format: Box<dyn Format> = Box::new(template(arguments, None)?);
            let open = arguments.str("open").unwrap_or_else(|| "[".into());
            let close = arguments.str("close").unwrap_or_else(|| "]".into());
            Ok(Box::new(Around { open, close, format }))
        })
        .formatter("kit.GmtFormatter", |arguments| Ok(Box::new(template(arguments, Some(Time::utc()))?)))
        .formatter("kit.JsonFormatter", |arguments| {
            Ok(Box::new(JsonFields(arguments.texts("fields").unwrap_or_default())))
        })
}

fn template(arguments: &HandlerArgs<'_>, zone: Option<Time>) -> Result<Template, Error> {
    let format = arguments.str("fmt").or_else(|| arguments.str("format"));
    let mut builder = Template::builder(format.unwrap_or_default()).as_python(true);
    if let Some(style) = arguments.str("style") {
        builder = builder.style(style.parse()?);
    }
    if let Some(format) = arguments.str("datefmt") {
        builder = builder.datefmt(format);
    }
    if let Some(validate) = arguments.bool("validate") {
        builder = builder.validate(validate);
    }
    if let Some(defaults) = arguments.fields("defaults") {
        builder = builder.defaults(defaults);
    }
    if let Some(zone) = zone {
        builder = builder.zone(zone);
    }
    builder.build()
}

/// A handler that is a function.
pub(crate) struct Calls<F>(pub(crate) F);

impl<F: Fn(&Record) -> Result<(), Error> + Send + Sync + 'static> Handler for Calls<F> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0(&record).map(|()| Outcome::Written)
    }
}

struct Around {
    open: String,
    close: String,
    format: Box<dyn Format>,
}

impl Format for Around {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        out.push_str(&self.open);
        self.format.format(record, out)?;
        out.push_str(&self.close);
        Ok(())
    }
}

/// One object with the named attributes, as Python's `json.dumps` writes it.
struct JsonFields(Vec<String>);

impl Format for JsonFields {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        out.push_str("{");
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            push_text(name, out);
            out.push_str(": ");
            match self.numbers(name, record) {
                Some(number) => out.push_str(&number),
                None => match record.get(name) {
                    Some(Value::Bool(value)) => out.push_str(if value { "true" } else { "false" }),
                    Some(Value::Str(text)) => push_text(text, out),
                    Some(number) => push_by_template(name, number, record, out)?,
                    None => match attribute(name, record)? {
                        Some(text) => push_text(&text, out),
                        None => out.push_str("null"),
                    },
                },
            }
        }
        out.push_str("}");
        Ok(())
    }
}

impl JsonFields {
    fn numbers(&self, name: &str, record: &Record) -> Option<String> {
        matches!(name, "levelno" | "lineno" | "created" | "msecs" | "relativeCreated" | "process" | "thread")
            .then(|| attribute(name, record).ok().flatten())
            .flatten()
    }
}

fn push_by_template(name: &str, _: Value<'_>, record: &Record, out: &mut Buffer) -> Result<(), Error> {
    out.push_str(&attribute(name, record)?.unwrap_or_default());
    Ok(())
}

/// An attribute as a template has it; none if the record does not have it.
fn attribute(name: &str, record: &Record) -> Result<Option<String>, Error> {
    let template = Template::builder(format!("%({name})s")).as_python(true).exceptions(false).build()?;
    let mut out = Buffer::new();
    Ok(template.format(record, &mut out).ok().map(|()| out.to_string()).filter(|text| text != "None"))
}

fn push_text(text: &str, out: &mut Buffer) {
    out.push('"');
    for unit in text.encode_utf16() {
        match char::from_u32(unit.into()) {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(c @ ' '..='~') => out.push(c),
            _ => write!(out, "\\u{unit:04x}").unwrap_or_default(),
        }
    }
    out.push('"');
}
