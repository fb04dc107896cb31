//! Losses by severity.

use std::fmt;

use crate::{Record, Severity};

/// The number of lost records by severity: each counts for the nearest standard severity at or below its own (below
/// TRACE: for TRACE).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct LossCounts([u64; CLASSES.len()]);

const CLASSES: [Severity; 6] =
    [Severity::TRACE, Severity::DEBUG, Severity::INFO, Severity::WARN, Severity::ERROR, Severity::CRITICAL];

impl LossCounts {
    fn class(severity: Severity) -> usize {
        CLASSES.iter().rposition(|class| *class <= severity).unwrap_or_default()
    }

    /// The number for the class of `severity`.
    pub fn at(&self, severity: Severity) -> u64 {
        self.0[Self::class(severity)]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The classes with their numbers, the lowest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Severity, u64)> {
        CLASSES.into_iter().zip(self.0)
    }

    /// Sets the fields `lost` and `lost.<severity>` of a record.
    pub(super) fn set_on(&self, record: &mut Record) {
        record.set("lost", self.total());
        for (severity, count) in self.iter().filter(|(_, count)| *count > 0) {
            record.set(format!("lost.{}", severity.to_string().to_ascii_lowercase()), count);
        }
    }

    pub(super) fn add(&mut self, severity: Severity) {
        self.0[Self::class(severity)] += 1;
    }
}

/// Without zeros: `LossCounts { info: 179772, warn: 4 }`, and `LossCounts {}`.
impl fmt::Debug for LossCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total() == 0 {
            return f.write_str("LossCounts {}");
        }
        let mut shown = f.debug_struct("LossCounts");
        for (severity, count) in self.iter().filter(|(_, count)| *count > 0) {
            shown.field(&severity.to_string().to_ascii_lowercase(), &count);
        }
        shown.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_shown_by_name() {
        let mut lost = LossCounts::default();
        assert_eq!(format!("{lost:?}"), "LossCounts {}");
        for severity in [Severity::INFO, Severity::new(-3), Severity::WARN, Severity::new(25), Severity::CRITICAL] {
            lost.add(severity);
        }
        assert_eq!(format!("{lost:?}"), "LossCounts { trace: 1, info: 2, warn: 1, critical: 1 }");
    }

    #[test]
    fn every_severity_has_a_class() {
        let mut lost = LossCounts::default();
        for number in [-3, 0, 5, 9, 10, 25, 35, 40, 45, 50, 90] {
            lost.add(Severity::new(number));
        }
        let classes: Vec<_> = lost.iter().map(|(severity, count)| (severity.number(), count)).collect();
        assert_eq!(classes, [(5, 4), (10, 1), (20, 1), (30, 1), (40, 2), (50, 2)]);
        assert_eq!(lost.total(), 11);
        assert_eq!(lost.at(Severity::new(41)), 2);
    }
}
