//! Sends records to a file that is exchanged for a new one every hour, day or week.
//!
//! Python: `logging.handlers.TimedRotatingFileHandler`.

use std::path::PathBuf;

use super::rotating::RotatingFileBuilder;
use crate::sink::When;

/// Makes handlers that write to a file and begin a new one in time.
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::{clock::ManualClock, output::{TimedFile, When}, prelude::*};
/// use tracing_subscriber::prelude::*;
///
/// # let logs = std::env::temp_dir().join(format!("strata-timed-file-{}", std::process::id()));
/// let clock = ManualClock::at(1_709_640_000);                    // 5 March 2024, noon
/// let file = TimedFile::builder(logs.join("shop.log"))
///     .when(When::Midnight)
///     .zone("Europe/Berlin")
///     .backups(7)
///     .create_dirs(true)
///     .clock(clock.clone())
///     .build()?;
/// let subscriber = tracing_subscriber::registry().with(file.into_layer());
/// tracing::subscriber::with_default(subscriber, || {
///     tracing::info!("on Tuesday");
///     clock.advance(Duration::from_secs(86_400));
///     tracing::info!("on Wednesday");
/// });
/// assert!(std::fs::read_to_string(logs.join("shop.log.2024-03-05"))?.contains("on Tuesday"));
/// assert!(std::fs::read_to_string(logs.join("shop.log"))?.contains("on Wednesday"));
/// # std::fs::remove_dir_all(logs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is written
/// The file in use always has the path that was given. It is renamed to the time at which it began, in the zone of the
/// schedule (see [`When`]), when the first record of a later period comes: no timer runs, and nothing happens without
/// records. A long silence is one rollover. A record belongs to the period of its own time, also where it comes late, behind a queue;
/// with [`clock`](RotatingFileBuilder::clock), the clock decides.
///
/// Where a name is there already, because an hour comes twice in autumn, the clock went back, or there is a size limit as well, the
/// next file gets a number behind it: `shop.log.2024-10-27_02`, then `shop.log.2024-10-27_02.1`. Nothing is ever overwritten.
///
/// A period in which the file was open and got no record ends all the same, as in Python: where the first record comes in a later period
/// than the handler (behind a queue with a clock that was set ahead, say), there is an empty file for the time before.
/// [`delay`](RotatingFileBuilder::open_lazily) opens the file with the first record only, and makes none.
///
/// # A restart, the clock and the seasons
/// The periods are those of the wall clock in the zone ([`Alignment::Clock`](crate::output::Alignment::Clock)). The file that is found at the start belongs to the period
/// in which it was last written; it is rotated by the first record if that is over. Ten restarts a day make daily files all the same. Days begin
/// at the true local midnight, or after the gap where that is skipped. A clock that goes back by up to two hours (or a period) changes nothing, one
/// that goes back farther begins a new count without a rotation; one that goes forward is one rotation.
///
/// # When it blocks, failures, durability
/// As for [`RotatingFile`](super::RotatingFile).
///
/// # Differences from Python
/// - Periods of `S`, `M`, `H` and `D` are those of the clock; with [`Alignment::Rollover`](crate::output::Alignment::Rollover) they are
///   counted from the last rollover as in Python.
/// - A name that exists gets a number, where Python up to 3.12 deletes the file, and later stops rotating.
/// - `interval` is honoured for `midnight` and `W0`–`W6`, as since Python 3.13.
/// - A `when` that is wrong is an error before any file is touched.
#[derive(Debug)]
pub enum TimedFile {}

impl TimedFile {
    /// A file that ends with the hour, until [`when`](RotatingFileBuilder::when) says otherwise.
    ///
    /// The options are those of [`RotatingFile::builder`](super::RotatingFile::builder). Without
    /// [`backups`](RotatingFileBuilder::backups) and [`retention`](RotatingFileBuilder::retention) nothing is deleted.
    pub fn builder(path: impl Into<PathBuf>) -> RotatingFileBuilder {
        RotatingFileBuilder::new(path.into()).when(When::Hour)
    }
}
