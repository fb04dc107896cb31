//! The journal as systemd-python and cysystemd write to it.

use std::{borrow::Cow, sync::Arc};

use super::{
    attributes::{created, exception, exception_info, extras, function, level_name, logger_name},
    graypy::entries,
    value::Py,
};
use crate::{
    Error, Format, Record,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        classes::net,
    },
    output::{JournalFields, Journald},
};

pub(in crate::config::classes) const HANDLERS: &[&Class] = &[&CYSYSTEMD];

const CYSYSTEMD: Class = Class {
    names: &[
        "cysystemd.journal.JournaldLogHandler",
        "logging_journald.JournaldLogHandler",
        // Of the package systemd, which became cysystemd.
        "systemd.journal.JournaldLogHandler",
    ],
    keys: &["identifier", "facility"],
    make: |context| {
        let args = context.args;
        let fields = Cysystemd {
            message: Message(context.formatting.texts()),
            identifier: args.str("identifier"),
            facility: args.integer("facility").unwrap_or(3),
        };
        net::journal(context, Journald::builder().own_fields(Arc::new(fields)))
    },
    ..DEFAULTS
};

/// The text of a formatter.
struct Message(Box<dyn Format>);

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

impl Message {
    fn of(&self, record: &Record) -> Result<String, Error> {
        super::text_of(&self.0, record)
    }
}

/// Names that the journal takes; others it throws away.
fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

fn text_of<'r>(value: impl Into<Py<'r>>) -> String {
    let mut text = String::new();
    value.into().push_str(&mut text);
    text
}

/// The fields of `systemd.journal.JournalHandler`.
pub(in crate::config::classes) fn journal_fields(context: &BuildContext<'_, '_>) -> Arc<dyn JournalFields> {
    let args = context.args;
    let own =
        args.names().filter(|name| is_name(name)).map(|name| (name.to_owned(), args.str(name).unwrap_or_default()));
    let mut own: Vec<_> = own.collect();
    if !own.iter().any(|(name, _)| name == IDENTIFIER) {
        own.push((IDENTIFIER.to_owned(), std::env::args().next().unwrap_or_default()));
    }
    Arc::new(Systemd { message: Message(context.formatting.texts()), own })
}

const IDENTIFIER: &str = "SYSLOG_IDENTIFIER";

#[derive(Debug)]
struct Systemd {
    message: Message,
    own: Vec<(String, String)>,
}

impl JournalFields for Systemd {
    fn write(&self, record: &Record, field: &mut dyn FnMut(&str, &[u8])) -> Result<(), Error> {
        let number = record.severity().number();
        let levels = [(10, "7"), (20, "6"), (30, "4"), (40, "3"), (50, "2")];
        let priority = levels.iter().find(|(level, _)| number <= *level).map_or("1", |(_, priority)| priority);
        let line = record.line().unwrap_or_default().to_string();
        let first: [(&str, Cow<'_, str>); 8] = [
            ("MESSAGE", self.message.of(record)?.into()),
            ("CODE_FILE", record.file().unwrap_or_default().into()),
            ("CODE_LINE", line.into()),
            ("CODE_FUNC", function(record).into()),
            ("PRIORITY", priority.into()),
            ("LOGGER", logger_name(record).into()),
            ("THREAD_NAME", record.thread_name().unwrap_or_default().into()),
            ("PROCESS_NAME", record.process_name().into()),
        ];
        if let Some((name, _)) = extras(record).find(|(name, _)| first.iter().any(|(known, _)| known == name)) {
            let message = format!("systemd.journal.send() got multiple values for keyword argument '{name}'");
            return Err(Error::format(message));
        }
        // An extra takes the place of a field of the same name.
        let mut rest: Vec<(Cow<'_, str>, Cow<'_, str>)> =
            self.own.iter().map(|(name, value)| (name.into(), value.into())).collect();
        if let Some(text) = exception(record) {
            rest.push(("EXCEPTION_TEXT".into(), text.into()));
        }
        if let Some(info) = exception_info(record) {
            rest.push(("EXCEPTION_INFO".into(), text_of(info).into()));
        }
        let mut id = None;
        for (name, value) in extras(record).filter(|(name, _)| is_name(name)) {
            let text = text_of(value);
            match rest.iter_mut().find(|(known, _)| known == name) {
                _ if name == "MESSAGE_ID" => id = Some(text),
                Some((_, value)) => *value = text.into(),
                None => rest.push((name.into(), text.into())),
            }
        }
        for (index, (name, value)) in first.iter().enumerate() {
            field(name, value.as_bytes());
            if index == 0 {
                if let Some(id) = &id {
                    field("MESSAGE_ID", id.as_bytes());
                }
            }
        }
        rest.iter().for_each(|(name, value)| field(name, value.as_bytes()));
        Ok(())
    }
}

/// The fields of `JournaldLogHandler`, but for those about its own source, and without the id that it makes of the message.
#[derive(Debug)]
struct Cysystemd {
    message: Message,
    identifier: Option<String>,
    facility: i64,
}

impl JournalFields for Cysystemd {
    fn write(&self, record: &Record, field: &mut dyn FnMut(&str, &[u8])) -> Result<(), Error> {
        let number = record.severity().number();
        let levels = [(10, "7"), (20, "6"), (30, "4"), (40, "3"), (50, "0")];
        let priority = levels.iter().find(|(level, _)| number == *level);
        let (_, priority) = priority.ok_or_else(|| Error::format(format_args!("KeyError: {number}")))?;
        let mut field = |name: &str, text: &str| field(name, text.as_bytes());
        let created = created(record);
        field("LEVELNAME", &level_name(record));
        field("PATHNAME", record.file().unwrap_or_default());
        if let Some(info) = exception_info(record) {
            field("EXC_INFO", &text_of(info));
        }
        if let Some(stack) = record.stack() {
            field("STACK_INFO", stack);
        }
        field("CREATED", &text_of(Py::Float(created)));
        field("MSECS", &text_of(Py::Float((created.rem_euclid(1.0) * 1e3).floor())));
        field("THREAD", &record.thread_id().to_string());
        for (name, value) in extras(record).filter(|(name, _)| !name.starts_with('_')) {
            let (name, value) = (name.to_uppercase(), Py::from(value));
            if is_name(&name) && value != Py::None {
                field(&name, &text_of(value));
            }
        }
        field("MESSAGE", &self.message.of(record)?);
        field("PRIORITY", priority);
        field("SYSLOG_FACILITY", &self.facility.to_string());
        field("CODE_FILE", record.file_name().unwrap_or_default());
        field("CODE_LINE", &record.line().unwrap_or_default().to_string());
        field("CODE_FUNC", function(record));
        field(IDENTIFIER, self.identifier.as_deref().unwrap_or_else(|| logger_name(record)));
        field("MESSAGE_RAW", record.message());
        field("CODE_MODULE", record.module().unwrap_or_default());
        field("LOGGER_NAME", logger_name(record));
        field("PID", &record.process_id().to_string());
        field("PROCCESS_NAME", record.process_name());
        field("ERRNO", if record.error().is_some() { "255" } else { "0" });
        field("RELATIVE_TS", &(record.uptime().as_nanos()).to_string());
        field("THREAD_NAME", record.thread_name().unwrap_or_default());
        if let Some(text) = exception(record) {
            field("TRACEBACK", &entries(&text));
        }
        Ok(())
    }
}
