//! Templates that formatters of other packages fill in: their common parameters.

use std::sync::Arc;

use super::{Call, attributes::zone};
use crate::{
    Format,
    config::handler_args::SetIfSome as _,
    format::{OwnNames, Style, Template, TemplateBuilder, Time},
};

/// The parameters of `logging.Formatter`, as a formatter of another package takes them.
pub(super) struct LineArgs {
    /// The format, and the key that has it.
    pub(super) format: Option<String>,
    pub(super) key: &'static str,
    pub(super) style: Style,
    pub(super) datefmt: Option<String>,
    pub(super) zone: Option<Time>,
    /// What else the template needs.
    pub(super) with: fn(TemplateBuilder) -> TemplateBuilder,
}

/// What a constructor takes besides `fmt` and `datefmt`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Style,
    All,
}

/// `None` after reporting what is wrong.
pub(super) fn line_args(call: &Call<'_, '_>) -> Option<LineArgs> {
    let args = call.args;
    let zone = zone(args);
    let key = if args.has("format") || !call.by_name { "format" } else { "fmt" };
    let style = match args.str("style").map(|style| style.parse::<Style>()) {
        None => Style::Percent,
        Some(Ok(style)) => style,
        Some(Err(error)) => {
            args.report(args.wrong("style", "expected \"%\", \"{\" or \"$\"").python(error.to_string()));
            return None;
        }
    };
    let is_text = args.node(key).is_some_and(|node| node.as_map().is_none());
    Some(LineArgs {
        format: if is_text { args.str(key).filter(|format| !format.is_empty()) } else { None },
        key,
        style,
        datefmt: args.str("datefmt"),
        zone,
        with: |builder| builder,
    })
}

impl LineArgs {
    /// The format; `default` is one in `%` style, of plain fields only.
    pub(super) fn format_or(&self, default: &str) -> String {
        let in_style = || match self.style {
            Style::Percent => default.to_owned(),
            Style::Brace => default.replace("%(", "{").replace(")s", "}"),
            Style::Dollar => default.replace("%(", "${").replace(")s", "}"),
        };
        self.format.clone().unwrap_or_else(in_style)
    }

    /// The template; `None` after reporting what is wrong with it. `takes`: whether `validate` and `defaults` are parameters.
    pub(super) fn template(
        &self,
        call: &Call<'_, '_>,
        takes: Takes,
        format: String,
        own: Option<Arc<dyn OwnNames>>,
    ) -> Option<Template> {
        let args = call.args;
        let mut builder = Template::builder(format)
            .style(self.style)
            .as_python(call.setup.as_python)
            .set_if_some(self.datefmt.clone(), TemplateBuilder::datefmt)
            .set_if_some(own, TemplateBuilder::own_names);
        if takes == Takes::All {
            if call.by_name {
                builder = builder.set_if_some(args.bool("validate"), TemplateBuilder::validate);
            }
            builder = builder.set_if_some(args.fields("defaults"), TemplateBuilder::defaults);
        }
        builder = builder.set_if_some(self.zone.clone(), TemplateBuilder::zone);
        let made = (self.with)(builder).build();
        made.map_err(|error| args.report(args.wrong(self.key, error.to_string()).python(error.to_string()))).ok()
    }

    /// The same as a formatter.
    pub(super) fn formatter(
        &self,
        call: &Call<'_, '_>,
        takes: Takes,
        default: &str,
        own: Option<Arc<dyn OwnNames>>,
    ) -> Option<Box<dyn Format>> {
        self.template(call, takes, self.format_or(default), own).map(|template| Box::new(template) as Box<dyn Format>)
    }
}

/// With `class`, Python passes `validate` as the fourth argument, which is another one here.
pub(super) fn reject_validate(call: &Call<'_, '_>, fourth: &str) {
    if !call.by_name && call.args.has("validate") {
        let message = format!("with `class`, Python passes it as {fourth:?}: name the formatter by `()`");
        call.args.report(call.args.wrong("validate", message));
    }
}
