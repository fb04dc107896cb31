//! How a handler's records look, replaceable at run time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;

use super::{encoding::Encoding, formatter::Formatter};
use crate::{Error, Format, Record};

/// Format, terminator and encoding of a handler's records, replaceable at run time.
pub(super) struct Formatting {
    settings: ArcSwap<FormatSettings>,
    terminal: AtomicBool,
}

#[derive(Clone)]
pub(super) struct FormatSettings {
    format: Arc<dyn Format>,
    formatter: Formatter,
    terminator: Arc<str>,
    encoding: Encoding,
}

impl Formatting {
    pub(super) fn new(formatter: Formatter, terminator: &str, encoding: Encoding) -> Arc<Self> {
        let format = formatter.format(false);
        let settings = FormatSettings { format, formatter, terminator: terminator.into(), encoding };
        Arc::new(Self { settings: ArcSwap::from_pointee(settings), terminal: AtomicBool::new(false) })
    }

    pub(super) fn set_formatter(&self, formatter: &Formatter) -> Arc<FormatSettings> {
        let format = formatter.format(self.terminal.load(Ordering::Relaxed));
        self.change(|settings| (settings.format, settings.formatter) = (Arc::clone(&format), formatter.clone()))
    }

    pub(super) fn set_terminator(&self, terminator: &str) {
        drop(self.change(|settings| settings.terminator = terminator.into()));
    }

    pub(super) fn set_encoding(&self, encoding: Encoding) {
        drop(self.change(|settings| settings.encoding = encoding));
    }

    fn change(&self, change: impl Fn(&mut FormatSettings)) -> Arc<FormatSettings> {
        self.settings.rcu(|settings| {
            let mut settings = FormatSettings::clone(settings);
            change(&mut settings);
            settings
        })
    }

    /// The format with terminator and encoding, for outputs of bytes.
    pub(super) fn lines(self: &Arc<Self>) -> Box<dyn Format> {
        Box::new(Lines(Arc::clone(self)))
    }

    /// The format alone.
    pub(super) fn texts(self: &Arc<Self>) -> Box<dyn Format> {
        Box::new(Texts(Arc::clone(self)))
    }

    fn adapt(&self, terminal: bool) {
        self.terminal.store(terminal, Ordering::Relaxed);
        let formatter = self.settings.load().formatter.clone();
        drop(self.set_formatter(&formatter));
    }
}

struct Lines(Arc<Formatting>);

impl Format for Lines {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        let settings = self.0.settings.load();
        settings.format.format(record, out)?;
        out.push_str(&settings.terminator);
        Ok(())
    }

    fn format_bytes(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), Error> {
        let settings = self.0.settings.load();
        let start = out.len();
        settings.format.format_bytes(record, out)?;
        match settings.terminator.as_bytes() {
            [byte] => out.push(*byte),
            bytes => out.extend_from_slice(bytes),
        }
        settings.encoding.encode(out, start)
    }

    fn adapt(&mut self, terminal: bool) {
        self.0.adapt(terminal);
    }
}

struct Texts(Arc<Formatting>);

impl Format for Texts {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        self.0.settings.load().format.format(record, out)
    }

    fn format_bytes(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.settings.load().format.format_bytes(record, out)
    }

    fn adapt(&mut self, terminal: bool) {
        self.0.adapt(terminal);
    }
}
