//! Questions: `get`, `format`, `uses_time`, `format_many`.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use tracing_strata::{
    Error, Fields, Logger, Record, Severity,
    format::{Buffer, BufferingFormatter, Format as _, Template, Time},
};

use crate::{
    log::{Failure, value},
    player::{Chain, Player, chain, level, text},
};

fn python_name(severity: Severity) -> String {
    severity.python_name().map_or_else(|| format!("Level {}", severity.number()), str::to_owned)
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "root" } else { name }
}

impl Player {
    pub(crate) fn get(&self, action: &Json) -> Result<Json, Chain> {
        let loggers = self.logging.loggers();
        Ok(match text(action, "what") {
            "effective_level" => json!(loggers.effective_level(&self.logger(action)?).number()),
            "is_enabled_for" => json!(loggers.is_enabled_for(&self.logger(action)?, level(&action["level"])?)),
            "has_handlers" => json!(loggers.has_handlers(&self.logger(action)?)),
            "level_name" => match &action["level"] {
                Json::String(name) => match Severity::from_python(name) {
                    Ok(severity) => json!(severity.number()),
                    Err(_) => json!(format!("Level {name}")),
                },
                number => json!(python_name(level(number)?)),
            },
            "level_names" => Severity::python_names().into_iter().map(|(name, level)| (name, level.number())).collect(),
            "logger_info" => {
                let name = self.logger(action)?;
                let handlers = loggers.handlers(&name);
                let names: Vec<_> =
                    handlers.iter().map(|handler| Some(handler.name()).filter(|name| !name.is_empty())).collect();
                json!({
                    "name": shown(&name),
                    "level": loggers.level(&name).map_or(0, Severity::number),
                    "propagate": loggers.propagate(&name),
                    "disabled": loggers.disabled(&name),
                    "handlers": names,
                    "filters": loggers.filters(&name).len(),
                    "parent": loggers.parent(&name),
                })
            }
            "handler_info" => {
                let handler = self.handler(action)?;
                json!({"level": handler.level().number(), "filters": handler.filters().len()})
            }
            "handler_names" => json!(self.logging.handler_names()),
            "children" => json!(loggers.children(&self.logger(action)?)),
            "child" => {
                let name = self.logger(action)?;
                json!(Logger::new(name).child(text(action, "suffix")).name())
            }
            "buffered" => json!(self.handler(action)?.buffered()),
            "listener_running" => json!(self.handler(action)?.is_running()),
            other => return Err(vec![format!("unknown get '{other}'")]),
        })
    }

    pub(crate) fn format(&self, action: &Json) -> Result<Json, Chain> {
        let template = template(&action["formatter"]).map_err(|error| chain(&error))?;
        let mut out = Buffer::new();
        template.format(&record(&action["record"])?, &mut out).map_err(|error| chain(&error))?;
        Ok(json!(out.to_string()))
    }

    pub(crate) fn uses_time(&self, action: &Json) -> Result<Json, Chain> {
        template(&action["formatter"]).map(|template| json!(template.uses_time())).map_err(|error| chain(&error))
    }

    pub(crate) fn format_many(&self, action: &Json) -> Result<Json, Chain> {
        let line = match &action["formatter"] {
            Json::Null => template(&json!({})),
            spec => template(spec),
        };
        let list = BufferingFormatter::new(line.map_err(|error| chain(&error))?);
        let records = action["records"].as_array().into_iter().flatten();
        let records: Vec<Record> = records.map(record).collect::<Result<_, _>>()?;
        list.format(&records).map(|text| json!(text)).map_err(|error| chain(&error))
    }
}

pub(crate) fn template(spec: &Json) -> Result<Template, Error> {
    let mut builder = Template::builder(text(spec, "format")).as_python(true);
    if let Some(style) = spec["style"].as_str() {
        builder = builder.style(style.parse()?);
    }
    if let Some(format) = spec["datefmt"].as_str() {
        builder = builder.datefmt(format);
    }
    if let Some(validate) = spec["validate"].as_bool() {
        builder = builder.validate(validate);
    }
    if let Some(defaults) = spec["defaults"].as_object() {
        let mut fields = Fields::new();
        defaults.iter().for_each(|(name, json)| fields.set(name.clone(), value(json)));
        builder = builder.defaults(fields);
    }
    if let Some(format) = spec["default_time_format"].as_str() {
        builder = builder.default_time_format(format);
    }
    if let Some(format) = spec.get("default_msec_format") {
        builder = builder.default_msec_format(format.as_str());
    }
    if spec["utc"] == true {
        builder = builder.zone(Time::utc());
    }
    builder.build()
}

fn record(spec: &Json) -> Result<Record, Chain> {
    let name = spec["name"].as_str().unwrap_or("root");
    let severity = spec.get("level").map_or(Ok(Severity::INFO), level)?;
    let mut record = Record::new(severity, if name == "root" { "" } else { name }, text(spec, "msg"));
    let src = &spec["src"];
    let line = src["lineno"].as_u64().unwrap_or(10);
    record
        .set_source(src["pathname"].as_str().unwrap_or("/srv/app/src/app.rs"), u32::try_from(line).unwrap_or_default());
    record.set_function(src["func"].as_str().unwrap_or("run"));
    if let Some(created) = spec["created"].as_f64() {
        record.set_time(UNIX_EPOCH + Duration::from_secs_f64(created));
    }
    for (name, json) in spec["extra"].as_object().into_iter().flatten() {
        record.set(name.clone(), value(json));
    }
    let failure = match spec["exc_text"].as_str() {
        Some(text) => Some(Failure::with_text(text)),
        None => Failure::new(&spec["exc"]),
    };
    if let Some(failure) = &failure {
        record.fields_mut().set_error("error", failure);
    }
    record.set_stack(text(spec, "stack_info"));
    Ok(record)
}
