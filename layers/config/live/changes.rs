//! What a reload has changed.

use std::fmt;

/// What a reload has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub(super) added: Vec<String>,
    pub(super) replaced: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) kept: Vec<String>,
    pub(super) disabled: Vec<String>,
}

impl Changes {
    /// Handlers that were not there before.
    pub fn added(&self) -> &[String] {
        &self.added
    }

    /// Handlers whose declaration is another one.
    pub fn replaced(&self) -> &[String] {
        &self.replaced
    }

    /// Handlers that are not there any more.
    pub fn removed(&self) -> &[String] {
        &self.removed
    }

    /// Handlers that go on, with their files and queues; level, filters or format may be others.
    pub fn kept(&self) -> &[String] {
        &self.kept
    }

    /// Loggers that were switched off, because `disable_existing_loggers` is on and they were not named.
    pub fn disabled(&self) -> &[String] {
        &self.disabled
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
        ];
        let told = parts.into_iter().filter(|(_, names)| !names.is_empty());
        for (index, (what, names)) in told.enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{what} {}", names.join(", "))?;
        }
        Ok(())
    }
}
