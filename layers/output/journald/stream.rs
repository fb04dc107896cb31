//! Writes to the journal instead of a standard stream that is connected to it.

use std::{env, io, os::fd::AsFd};

use super::{Journald, JournaldBuilder};
use crate::{
    Delivery, Description, Error, Format, Handler, Outcome, handler::Flush, output::Formatted, sink::StdStream,
};

/// The journal if standard output or error is connected to it, else the stream.
///
/// systemd connects the standard streams of a service to the journal and says so in `JOURNAL_STREAM`. Lines written there
/// lose their severity and fields; records sent to the journal itself keep them. Started from a terminal, or with the stream
/// redirected, the same program writes to the stream. Made by [`Formatted::or_journal`].
///
/// ```
/// use tracing_strata::{prelude::*, format::Text, output::{Journald, Stream}};
///
/// let console = Stream::stderr().format(Text::colored()).or_journal(Journald::builder());
/// assert!(!console.is_journal());                       // a terminal, a pipe, a file
/// let layer = console.into_layer();
/// # drop(layer);
/// ```
pub struct StreamOrJournald<F>(Target<F>);

enum Target<F> {
    Stream(Formatted<F, StdStream>),
    Journal(Box<dyn Handler>),
}

impl<F: Format> Formatted<F, StdStream> {
    /// Uses the journal if this stream is connected to it ([`Journald::is_stderr`], [`Journald::is_stdout`]). Stays with the
    /// stream if it is not, or if the journal's socket is not reachable (a container that only inherited the stream). Has no
    /// queue, whatever the builder says; its [fallback](JournaldBuilder::fallback) applies.
    pub fn or_journal(self, journal: JournaldBuilder) -> StreamOrJournald<F> {
        let is_journal = match self.as_sink().name() {
            "stdout" => Journald::is_stdout(),
            _ => Journald::is_stderr(),
        };
        let journal = is_journal.then(|| journal.build_handler().ok()).flatten();
        StreamOrJournald(match journal {
            Some(journal) => Target::Journal(journal),
            None => Target::Stream(self),
        })
    }
}

impl<F> StreamOrJournald<F> {
    /// Whether records go to the journal.
    pub fn is_journal(&self) -> bool {
        matches!(self.0, Target::Journal(_))
    }
}

impl<F> std::fmt::Debug for StreamOrJournald<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamOrJournald").field("is_journal", &self.is_journal()).finish_non_exhaustive()
    }
}

impl<F: Format> StreamOrJournald<F> {
    fn handler(&self) -> &dyn Handler {
        match &self.0 {
            Target::Stream(stream) => stream,
            Target::Journal(journal) => &**journal,
        }
    }
}

impl<F: Format> Handler for StreamOrJournald<F> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        match &self.0 {
            Target::Stream(stream) => stream.handle(delivery),
            Target::Journal(journal) => journal.handle(delivery),
        }
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.handler().flush(how)
    }

    fn describe(&self) -> Description {
        self.handler().describe()
    }
}

/// Whether a stream is the one that `JOURNAL_STREAM` names.
pub(super) fn is_journal(stream: impl AsFd) -> bool {
    let Some(named) = env::var_os("JOURNAL_STREAM") else { return false };
    let Some((device, inode)) = named.to_str().and_then(parse) else { return false };
    let Ok(stat) = rustix::fs::fstat(stream) else { return false };
    // The widths of both differ between architectures.
    #[allow(clippy::unnecessary_cast)]
    let is_same = stat.st_dev as u64 == device && stat.st_ino as u64 == inode;
    is_same
}

/// `device:inode`, both decimal.
fn parse(named: &str) -> Option<(u64, u64)> {
    let (device, inode) = named.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

impl Journald {
    /// Whether standard error is connected to the journal: `JOURNAL_STREAM` names its device and inode. A redirected stream
    /// is not.
    ///
    /// Source: [systemd.exec(5)](https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24JOURNAL_STREAM).
    pub fn is_stderr() -> bool {
        is_journal(io::stderr())
    }

    /// The same for standard output.
    pub fn is_stdout() -> bool {
        is_journal(io::stdout())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_and_inode() {
        assert_eq!(parse("9:12345"), Some((9, 12_345)));
        for bad in ["", "9", "9:", ":1", "9:1:2", "a:b", "-1:2"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
