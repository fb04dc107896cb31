//! The builder of templates.

use std::sync::Arc;

use super::{
    Style, Template,
    attribute::Attribute,
    brace,
    compiled::{Asctime, Body, Compiled, Field, Segment, Spec},
    dollar,
    own_names::OwnNames,
    percent::{self, MsecFormat},
};
use crate::{
    Error, Fields,
    format::{Time, strftime::Strftime},
};

const DEFAULT_TIME: &str = "%Y-%m-%d %H:%M:%S";
const DEFAULT_MSEC: &str = "%s,%03d";

/// Options of a template. Made by [`Template::builder`].
#[derive(Debug)]
#[must_use]
pub struct TemplateBuilder {
    format: String,
    style: Style,
    datefmt: Option<String>,
    time_format: String,
    msec_format: Option<String>,
    zone: Option<Time>,
    defaults: Fields,
    validate: bool,
    as_python: bool,
    exceptions: bool,
    own_names: Option<Arc<dyn OwnNames>>,
    fraction_in_millis: bool,
}

impl TemplateBuilder {
    pub(super) fn new(format: String) -> Self {
        Self {
            format,
            style: Style::Percent,
            datefmt: None,
            time_format: DEFAULT_TIME.into(),
            msec_format: Some(DEFAULT_MSEC.into()),
            zone: None,
            defaults: Fields::new(),
            validate: true,
            as_python: false,
            exceptions: true,
            own_names: None,
            fraction_in_millis: false,
        }
    }

    /// The style of the format.
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// How `asctime` is written: conversions of `strftime` in the C locale, without milliseconds. An empty text means none.
    pub fn datefmt(mut self, format: impl Into<String>) -> Self {
        self.datefmt = Some(format.into()).filter(|format| !format.is_empty());
        self
    }

    /// How `asctime` is written without a `datefmt`.
    pub fn default_time_format(mut self, format: impl Into<String>) -> Self {
        self.time_format = format.into();
        self
    }

    /// How the milliseconds are appended to that: a `%` format of the time's text and the milliseconds. `None`: not at all.
    pub fn default_msec_format(mut self, format: Option<&str>) -> Self {
        self.msec_format = format.map(str::to_owned);
        self
    }

    /// The time zone of `asctime`; only the zone of the [`Time`] counts. `Time::utc()` is Python's
    /// `converter = time.gmtime`.
    pub fn zone(mut self, zone: Time) -> Self {
        self.zone = Some(zone);
        self
    }

    /// Values of names that a record lacks.
    pub fn defaults(mut self, defaults: Fields) -> Self {
        self.defaults = defaults;
        self
    }

    /// Whether `build` checks the format. Otherwise an invalid format fails every record.
    pub fn validate(mut self, validate: bool) -> Self {
        self.validate = validate;
        self
    }

    /// Whether to do exactly as CPython: nothing is escaped, and severity 5 is `Level 5`. A message with a line break is
    /// then two lines, the second of which can be a forged record.
    pub fn as_python(mut self, as_python: bool) -> Self {
        self.as_python = as_python;
        self
    }

    /// Whether exception text and stack follow the line.
    pub fn exceptions(mut self, exceptions: bool) -> Self {
        self.exceptions = exceptions;
        self
    }

    /// Names that no record has.
    #[cfg(feature = "config")]
    pub(crate) fn own_names(mut self, own: Arc<dyn OwnNames>) -> Self {
        self.own_names = Some(own);
        self
    }

    /// Writes `%f` in `datefmt` as three digits.
    #[cfg(feature = "config")]
    pub(crate) fn fraction_in_millis(mut self) -> Self {
        self.fraction_in_millis = true;
        self
    }

    /// Compiles the template.
    ///
    /// # Errors
    /// The format is invalid, in Python's words: `Invalid format '…' for '%' style`, `invalid format: …`. Without
    /// [`validate`](Self::validate) there is only the check of `default_msec_format`.
    pub fn build(self) -> Result<Template, Error> {
        let format = if self.format.is_empty() { self.style.default_format() } else { &self.format };
        if self.validate {
            match self.style {
                Style::Percent => percent::validate(format),
                Style::Brace => brace::validate(format),
                Style::Dollar => dollar::validate(format),
            }
            .map_err(Error::config)?;
        }
        let mut body = Body::compile(|segments| match self.style {
            Style::Percent => percent::compile(format, segments),
            Style::Brace => brace::compile(format, segments),
            Style::Dollar => dollar::compile(format, segments),
        });
        if let Some(own) = &self.own_names {
            body.claim(&**own);
        }
        if self.validate && !self.as_python {
            if let Some(error) = &body.error {
                return Err(Error::config(format_args!("invalid format {format:?}: {error}")));
            }
        }
        let msec_format = self.msec_format.as_deref().filter(|_| self.datefmt.is_none());
        let milliseconds = msec_format
            .map(|format| {
                MsecFormat::new(format)
                    .map_err(|error| Error::config(format_args!("default_msec_format {format:?}: {error}")))
            })
            .transpose()?;
        Ok(self.assemble(body, milliseconds))
    }

    /// The template of the message alone.
    pub(super) fn build_default(self) -> Template {
        let message = Segment::Field(Field { attribute: Attribute::Message, spec: Spec::Plain });
        let body = Body { segments: vec![message], error: None };
        self.assemble(body, MsecFormat::new(DEFAULT_MSEC).ok())
    }

    fn assemble(self, body: Body, milliseconds: Option<MsecFormat>) -> Template {
        let time = Strftime::new(self.datefmt.as_deref().unwrap_or(&self.time_format));
        let asctime = Asctime {
            zone: self.zone.unwrap_or_else(Time::local),
            time: if self.fraction_in_millis { time.fraction_in_millis() } else { time },
            milliseconds,
        };
        let format = if self.format.is_empty() { self.style.default_format().into() } else { self.format.into() };
        Template(Arc::new(Compiled {
            format,
            style: self.style,
            body,
            asctime,
            defaults: self.defaults,
            as_python: self.as_python,
            exceptions: self.exceptions,
            own_names: self.own_names,
        }))
    }
}
