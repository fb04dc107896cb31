//! A formatter of a configuration.

use std::sync::Arc;

use crate::{
    Error, Format, Record,
    format::{Template, Text},
    sink::net::Framing,
};

/// A formatter of a configuration, which several handlers can share.
#[derive(Clone)]
pub(super) enum Formatter {
    Template(Template),
    Text(Text),
    Other(Arc<dyn Format>),
}

impl Formatter {
    /// The format for an output that is a terminal, or not.
    pub(super) fn format(&self, terminal: bool) -> Arc<dyn Format> {
        match self {
            Self::Template(template) => Arc::new(template.clone()),
            Self::Text(text) => {
                let mut text = text.clone();
                text.adapt(terminal);
                Arc::new(text)
            }
            Self::Other(format) => Arc::clone(format),
        }
    }

    pub(super) fn boxed(&self) -> Box<dyn Format> {
        struct Shared(Arc<dyn Format>);

        impl Format for Shared {
            fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
                self.0.format(record, out)
            }

            fn framing(&self) -> Option<Framing> {
                self.0.framing()
            }
        }

        Box::new(Shared(self.format(false)))
    }

    /// The format of a handler without formatter: the message alone.
    pub(super) fn bare(as_python: bool) -> Self {
        let bare = Template::builder("").as_python(as_python).build();
        Self::Template(bare.unwrap_or_default())
    }
}
