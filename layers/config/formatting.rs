//! How a handler's records look, replaceable at run time.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{
    Error, Format, Record,
    format::{Buffer, Template},
};

/// A formatter of a configuration, which several handlers can share.
pub(super) type Formatter = Arc<dyn Format>;

/// The format of a handler without a formatter: the message alone.
pub(super) fn bare(as_python: bool) -> Formatter {
    // The default format is right in every style.
    Arc::new(Template::builder("").as_python(as_python).build().unwrap_or_default())
}

/// Format and terminator of a handler's records, replaceable at run time.
pub(super) struct Formatting(ArcSwap<FormatSettings>);

#[derive(Clone)]
pub(super) struct FormatSettings {
    format: Formatter,
    terminator: Arc<str>,
    datefmt: Option<Arc<str>>,
}

impl Formatting {
    pub(super) fn new(formatter: Formatter, terminator: &str) -> Arc<Self> {
        let settings = FormatSettings { format: formatter, terminator: terminator.into(), datefmt: None };
        Arc::new(Self(ArcSwap::from_pointee(settings)))
    }

    pub(super) fn set_formatter(&self, formatter: &Formatter) -> Arc<FormatSettings> {
        self.change(|settings| settings.format = Arc::clone(formatter))
    }

    pub(super) fn set_terminator(&self, terminator: &str) {
        drop(self.change(|settings| settings.terminator = terminator.into()));
    }

    pub(super) fn set_datefmt(&self, datefmt: &str) {
        drop(self.change(|settings| settings.datefmt = Some(datefmt.into())));
    }

    fn change(&self, change: impl Fn(&mut FormatSettings)) -> Arc<FormatSettings> {
        self.0.rcu(|settings| {
            let mut settings = FormatSettings::clone(settings);
            change(&mut settings);
            settings
        })
    }

    /// The format with the terminator, for outputs of bytes.
    pub(super) fn lines(self: &Arc<Self>) -> Box<dyn Format> {
        Box::new(Lines(Arc::clone(self)))
    }

    /// The date format that the formatter's declaration gives.
    pub(super) fn datefmt(&self) -> Option<String> {
        self.0.load().datefmt.as_deref().map(str::to_owned)
    }

    /// The format alone.
    pub(super) fn texts(self: &Arc<Self>) -> Box<dyn Format> {
        Box::new(Texts(Arc::clone(self)))
    }
}

struct Lines(Arc<Formatting>);

impl Format for Lines {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let settings = self.0.0.load();
        settings.format.format(record, out)?;
        let out = out.bytes_mut();
        match settings.terminator.as_bytes() {
            [byte] => out.push(*byte),
            bytes => out.extend_from_slice(bytes),
        }
        Ok(())
    }
}

struct Texts(Arc<Formatting>);

impl Format for Texts {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        self.0.0.load().format.format(record, out)
    }
}
