//! What a reload changed.

use std::fmt;

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub(super) added: Vec<String>,
    pub(super) replaced: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) kept: Vec<String>,
    pub(super) disabled: Vec<String>,
    pub(super) overridden: Vec<String>,
}

impl Changes {
    /// New handlers.
    pub fn added(&self) -> &[String] {
        &self.added
    }

    /// Handlers that were replaced, because their declaration changed.
    pub fn replaced(&self) -> &[String] {
        &self.replaced
    }

    /// Handlers that were removed.
    pub fn removed(&self) -> &[String] {
        &self.removed
    }

    /// Handlers that keep their files and queues; their level, filters or format may have changed.
    pub fn kept(&self) -> &[String] {
        &self.kept
    }

    /// Loggers that were disabled, because `disable_existing_loggers` is on and the configuration does not name them.
    pub fn disabled(&self) -> &[String] {
        &self.disabled
    }

    /// Handlers and levels of loggers that were set by hand, and that the configuration replaced, such as
    /// `handler "console" of the logger "shop"` and `level DEBUG of the root logger`.
    pub fn overridden(&self) -> &[String] {
        &self.overridden
    }
}

/// `added a, b; kept c`
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("added", &self.added),
            ("replaced", &self.replaced),
            ("removed", &self.removed),
            ("kept", &self.kept),
            ("disabled loggers", &self.disabled),
            ("replaced what was set by hand:", &self.overridden),
        ];
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
        for (index, (what, names)) in parts.enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{what} {}", names.join(", "))?;
        }
        Ok(())
    }
}
