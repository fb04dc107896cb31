//! structlog: `structlog.stdlib.ProcessorFormatter`, its processors and renderers.

mod console;
mod pairs;
mod processor;
mod spec;

use self::{
    console::{Console, push_escaped},
    pairs::{KeyValue, Logfmt},
    processor::Processor,
    spec::Spec,
};
use super::{
    Call, append,
    attributes::{exception, exception_info, zone},
    dumps::Dumps,
    value::{Dict, Py},
};
use crate::{
    Error, Format, Record,
    config::{
        handler_args::HandlerArgs,
        node::{Data, Node},
    },
    format::{Buffer, Template, Time},
    text::next_special,
};

pub(super) const NAMES: &[&str] = &["structlog.stdlib.ProcessorFormatter"];

struct ProcessorFormatter {
    steps: Vec<Processor>,
    renderer: Renderer,
    /// The line around what is rendered, if there is more.
    around: Option<Template>,
    positional_args: bool,
    keep_exception: bool,
    keep_stack: bool,
    as_python: bool,
}

enum Renderer {
    Json(Dumps),
    KeyValue(KeyValue),
    Logfmt(Logfmt),
    Console(Box<Console>),
    /// No renderer: the map as `str()` has it.
    None,
}

pub(super) fn make(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    let args = call.args;
    // By position, `format` is the processor: it cannot be called.
    let names = if call.by_name { ["processor", "processors"] } else { ["format", "datefmt"] };
    let zone = zone(args);
    let reader = Reader { call, zone: &zone };
    let (mut steps, renderer) = match (args.node(names[0]), args.node(names[1])) {
        (Some(_), Some(_)) => {
            let problem = args.wrong("processors", "expected either \"processor\" or \"processors\"");
            args.report(problem.python("The `processor` and `processors` arguments are mutually exclusive."));
            return None;
        }
        (Some(processor), None) => (vec![Processor::WithoutMeta], reader.renderer(names[0], processor)?),
        (None, Some(processors)) => reader.processors(processors)?,
        (None, None) => {
            let problem = args.missing("processor", "expected the key \"processor\" or \"processors\"");
            args.report(problem.python("Either `processor` or `processors` must be passed."));
            return None;
        }
    };
    let mut all = reader.list("foreign_pre_chain")?;
    all.append(&mut steps);
    let is_true = |key: &str| args.node(key).is_some_and(Node::is_true);
    // Messages come merged: there is no other text.
    args.accept(&["use_get_message", "logger"]);
    Some(Box::new(ProcessorFormatter {
        steps: all,
        renderer,
        around: around(call)?,
        positional_args: is_true("pass_foreign_args"),
        keep_exception: is_true("keep_exc_info"),
        keep_stack: is_true("keep_stack_info"),
        as_python: call.setup.as_python,
    }))
}

/// The template, if it is more than the message.
fn around(call: &Call<'_, '_>) -> Option<Option<Template>> {
    let args = call.args;
    if !call.by_name {
        return Some(None);
    }
    let key = call.key("fmt", 0);
    let (style, datefmt) = (call.style(2)?, args.str("datefmt"));
    let Some(format) = args.str(key).filter(|format| format != "%(message)s") else { return Some(None) };
    let mut builder = Template::builder(format).style(style).as_python(true).exceptions(false);
    if let Some(zone) = zone(args) {
        builder = builder.zone(zone);
    }
    if let Some(datefmt) = datefmt {
        builder = builder.datefmt(datefmt);
    }
    match builder.build() {
        Ok(template) => Some(Some(template)),
        Err(error) => {
            args.report(args.wrong(key, error.to_string()).python(error.to_string()));
            None
        }
    }
}

/// Reads processors and renderers.
struct Reader<'m, 'c> {
    call: &'m Call<'m, 'c>,
    zone: &'m Option<Time>,
}

impl Reader<'_, '_> {
    /// Reads the arguments of a processor.
    fn with<R>(&self, key: &str, node: &Node, read: impl FnOnce(&str, &HandlerArgs<'_>) -> Option<R>) -> Option<R> {
        let outer = self.call.args;
        let Some(spec) = Spec::read(node) else {
            return outer.expected(key, node, "a processor or a renderer of structlog");
        };
        let path = format!("{}.{key}", outer.path());
        let args = self.call.setup.args(path, node.at, &spec.name, &spec.args);
        let made = read(spec.short_name(), &args);
        if made.is_none() {
            // The reason is with the arguments, or it is the name.
            let problems = args.finish(&[], &["()"]);
            if problems.is_empty() {
                outer.expected::<()>(key, node, "a processor or a renderer of structlog");
            }
            problems.into_iter().for_each(|problem| outer.report(problem));
            return None;
        }
        args.finish(&[], &["()"]).into_iter().for_each(|problem| outer.report(problem));
        made
    }

    fn renderer(&self, key: &str, node: &Node) -> Option<Renderer> {
        self.with(key, node, |name, args| Renderer::named(name, args, self.call.setup.as_python))
    }

    fn step(&self, key: &str, node: &Node) -> Option<Processor> {
        self.with(key, node, |name, args| Processor::named(name, args, self.zone.as_ref()))
    }

    fn list(&self, key: &str) -> Option<Vec<Processor>> {
        let args = self.call.args;
        let Some(node) = args.node(key) else { return Some(Vec::new()) };
        match node.as_list() {
            Some(list) => list.iter().map(|node| self.step(key, node)).collect(),
            None => Some(vec![self.step(key, node)?]),
        }
    }

    /// Processors, the last of which may be a renderer.
    fn processors(&self, node: &Node) -> Option<(Vec<Processor>, Renderer)> {
        let key = "processors";
        let Some(list) = node.as_list() else { return self.call.args.expected(key, node, "a list") };
        let Some((last, before)) = list.split_last() else { return Some((Vec::new(), Renderer::None)) };
        let mut steps: Vec<_> = before.iter().map(|node| self.step(key, node)).collect::<Option<_>>()?;
        if Spec::read(last)
            .is_some_and(|spec| spec.short_name().ends_with("Renderer") && spec.short_name() != "ExceptionRenderer")
        {
            return Some((steps, self.renderer(key, last)?));
        }
        steps.push(self.step(key, last)?);
        Some((steps, Renderer::None))
    }
}

impl Renderer {
    fn named(name: &str, args: &HandlerArgs<'_>, as_python: bool) -> Option<Self> {
        Some(match name {
            "JSONRenderer" => Self::Json(json(args)),
            "KeyValueRenderer" => Self::KeyValue(KeyValue::read(args)),
            "LogfmtRenderer" => Self::Logfmt(Logfmt::read(args)),
            "ConsoleRenderer" => Self::Console(Box::new(Console::read(args, as_python))),
            _ => return None,
        })
    }

    fn push(&self, event: Dict<'_>, record: &Record, as_python: bool, out: &mut String) -> Result<(), Error> {
        let from = out.len();
        match self {
            Self::Json(dumps) => dumps.push_dict(&event, out),
            Self::KeyValue(renderer) => renderer.push(&event, out),
            Self::Logfmt(renderer) => renderer.push(&event, out)?,
            Self::Console(console) => console.push(event, record, out),
            Self::None => event.push_repr(out),
        }
        // JSON has no controls, and the console escapes values by itself.
        if !as_python && matches!(self, Self::KeyValue(_) | Self::Logfmt(_)) && next_special(out, from, false).is_some()
        {
            let line = out.split_off(from);
            push_escaped(&line, false, out);
        }
        Ok(())
    }
}

/// The options of `json.dumps`.
fn json(args: &HandlerArgs<'_>) -> Dumps {
    let mut dumps = Dumps::new();
    dumps.sort_keys = args.node("sort_keys").is_some_and(Node::is_true);
    dumps.ensure_ascii = args.node("ensure_ascii").is_none_or(Node::is_true);
    dumps.indent = args.node("indent").map(|node| match &node.data {
        Data::Str(text) => text.clone(),
        _ => " ".repeat(args.size("indent").unwrap_or(0).min(100)),
    });
    if dumps.indent.is_some() {
        dumps.between = ",".into();
    }
    if let Some(separators) = args.texts("separators") {
        match <[String; 2]>::try_from(separators) {
            Ok([between, after_key]) => (dumps.between, dumps.after_key) = (between, after_key),
            Err(_) => args.report(args.wrong("separators", "expected two texts")),
        }
    }
    dumps
}

impl Format for ProcessorFormatter {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let mut event = Dict::default();
        event.set("event", record.message());
        if self.positional_args {
            event.set("positional_args", Py::Tuple(Vec::new()));
        }
        if let Some(info) = exception_info(record) {
            event.set("exc_info", info);
        }
        if let Some(stack) = record.stack() {
            event.set("stack_info", stack);
        }
        for step in &self.steps {
            step.run(record, &mut event)?;
        }
        match &self.around {
            None => append(out, |out| self.renderer.push(event, record, self.as_python, out))?,
            Some(template) => {
                let mut message = String::new();
                self.renderer.push(event, record, self.as_python, &mut message)?;
                let mut rendered = record.clone();
                rendered.set_message(&message);
                template.format(&rendered, out)?;
            }
        }
        if let Some(text) = exception(record).filter(|_| self.keep_exception) {
            out.push('\n');
            out.push_str(&text);
        }
        if let Some(stack) = record.stack().filter(|_| self.keep_stack) {
            out.push('\n');
            out.push_str(stack);
        }
        Ok(())
    }
}
