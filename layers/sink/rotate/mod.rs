//! x
mod when;
pub use self::when::{When, Weekday, TimeOfDay, Grid};
