//! What was lost, by severity.

use crate::Severity;

/// How many records were lost, by severity: each in the class of the nearest standard severity at or below its own
/// (what is below TRACE is with TRACE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost([u64; CLASSES.len()]);

const CLASSES: [Severity; 6] =
    [Severity::TRACE, Severity::DEBUG, Severity::INFO, Severity::WARN, Severity::ERROR, Severity::CRITICAL];

impl Lost {
    fn class(severity: Severity) -> usize {
        CLASSES.iter().rposition(|class| *class <= severity).unwrap_or_default()
    }

    /// How many of the class that `severity` belongs to.
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

    pub(super) fn add(&mut self, severity: Severity) {
        self.0[Self::class(severity)] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_severity_has_a_class() {
        let mut lost = Lost::default();
        for number in [-3, 0, 5, 9, 10, 25, 35, 40, 45, 50, 90] {
            lost.add(Severity::new(number));
        }
        let classes: Vec<_> = lost.iter().map(|(severity, count)| (severity.number(), count)).collect();
        assert_eq!(classes, [(5, 4), (10, 1), (20, 1), (30, 1), (40, 2), (50, 2)]);
        assert_eq!(lost.total(), 11);
        assert_eq!(lost.at(Severity::new(41)), 2);
    }
}
