//! Outputs that take many records at once.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

pub use crate::handler::worker::batching::{Answer, Attempt, Verdict};
use crate::{
    Delivery, Description, Error, Flush, Handler, Outcome,
    handler::{
        queue::Overflow,
        worker::batching::{BatchConfig, BatchWorker, Export},
    },
    record::OwnedRecord,
};

/// A place that takes many records at once: a service, a broker, a database.
///
/// It sends, and says what became of each record; the [`Batched`] around it does everything else: it gathers records up to
/// a number, a size and an age, sends again what was not accepted, finds the one record that is refused, and keeps the
/// account. The example `own_batch` is a whole output.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use tracing_strata::{output::{Answer, Attempt, Batch, Batched}, prelude::*, record::OwnedRecord};
/// use tracing_subscriber::prelude::*;
///
/// #[derive(Clone, Default)]
/// struct Table(Arc<Mutex<Vec<String>>>);
///
/// impl Batch for Table {
///     fn send(&self, records: &[OwnedRecord], _: &Attempt) -> Answer {
///         self.0.lock().unwrap().extend(records.iter().map(|record| record.message().to_owned()));
///         Answer::Accepted
///     }
/// }
///
/// let table = Table::default();
/// let layer = Batched::builder(table.clone()).name("table").build()?.into_layer();
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::info!("paid"));
/// assert_eq!(*table.0.lock().unwrap(), ["paid"]);
/// # Ok::<(), tracing_strata::Error>(())
/// ```
pub trait Batch: Send + Sync + 'static {
    /// Sends records, in order. Called on the thread of the [`Batched`], one call at a time; what it logs with `tracing`
    /// there is dropped. It should not take longer than [`Attempt::timeout`] says.
    ///
    /// A panic is an error: the records of the batch that have not ended failed.
    ///
    /// In the child of a fork it is called on another thread. A connection that was open is the parent's.
    fn send(&self, records: &[OwnedRecord], attempt: &Attempt) -> Answer;
}

impl<B: Batch + ?Sized> Batch for Box<B> {
    fn send(&self, records: &[OwnedRecord], attempt: &Attempt) -> Answer {
        (**self).send(records, attempt)
    }
}

impl<B: Batch + ?Sized> Batch for Arc<B> {
    fn send(&self, records: &[OwnedRecord], attempt: &Attempt) -> Answer {
        (**self).send(records, attempt)
    }
}

/// A handler that hands records to a thread, which sends them in batches.
///
/// Python: a `QueueHandler` before a handler that buffers, as those of log services are.
///
/// # When it blocks
///
/// Never, unless [`overflow`](BatchedBuilder::overflow) says so: a record that finds no room is dropped, those below ERROR
/// first. A flush and the drop wait for [`flush_timeout`](BatchedBuilder::flush_timeout) at most; what is not sent when it is
/// dropped by then counts as dropped.
///
/// # Failures
///
/// The [`Answer`] says what becomes of the records. Each retry waits for a back-off with jitter, or for what the receiver
/// asks; after [`retry_for`](BatchedBuilder::retry_for) the batch counts as failed. A
/// [`fallback`](crate::HandlerExt::fallback) gets the records that fail or are dropped, each once and in order. A record
/// that says how many were lost is sent with the next batch: at WARN, with the field `lost`.
///
/// A record may arrive twice where the receiver accepted it but its answer was lost.
///
/// # A spool
///
/// With a [`spool`](BatchedBuilder::spool), records wait in files while the receiver is away, also for the next process:
///
/// ```
/// use tracing_strata::{Error, Record, Severity, output::{Answer, Attempt, Batch, Batched}, prelude::*, record::OwnedRecord};
///
/// struct Away;
///
/// impl Batch for Away {
///     fn send(&self, _: &[OwnedRecord], _: &Attempt) -> Answer {
///         Answer::retry(Error::new("away"))
///     }
/// }
///
/// # let dir = std::env::temp_dir().join(format!("strata-spool-{}", std::process::id()));
/// let batched = Batched::builder(Away).spool(&dir, 1 << 30).build()?.named("store");
/// # batched.set_error_handler(tracing_strata::ledger::ErrorHandler::silent());
/// batched.emit(&Record::new(Severity::INFO, "shop", "paid"));
/// // It cannot be sent, and is safe.
/// batched.flush()?;
/// assert_eq!(batched.stats().written, 1);
/// # drop(batched);
/// # std::fs::remove_dir_all(dir).unwrap();
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// While all is well nothing is written to disk. A batch that is not accepted goes there, as does one that waits for more than a
/// second or while the queue fills up; then all later ones, until those are sent: in order, the oldest first, at
/// once at the next start. What is there waits for as long as it takes: [`retry_for`](BatchedBuilder::retry_for) does not
/// count.
///
/// | what happens | what is lost |
/// |---|---|
/// | the receiver is away, or hangs | nothing; a flush returns when all is sent or on disk |
/// | a shutdown meanwhile | nothing: what is left goes to disk before the deadline |
/// | SIGKILL, a crash of the process | what was not written yet: in the queue, or on its way for the first time |
/// | a crash of the machine | that, and what the system had not written: what came since the last flush, shutdown or end of a segment (1/16 of the limit, 16 MiB at most); nothing of it with [`spool_sync`](BatchedBuilder::spool_sync) |
/// | the spool or the disk is full | nothing by that: records stay in memory, and then [`overflow`](BatchedBuilder::overflow) decides; the error handler gets it once |
/// | an entry is damaged, or was written in part | that entry: it counts as failed. Its file is renamed to `*.corrupt`, is yours to look at and to delete, and does not count for the limit |
///
/// **The account.** A record counts as written once it is accepted, or on disk. Should the receiver refuse it later, it
/// counts as failed instead (one of an earlier process: as accepted and failed), and the error handler gets the error; a
/// [`fallback`](crate::HandlerExt::fallback) does not get it any more.
///
/// **At least once.** A record is sent again after a restart where its answer had not come: the batch that was on its way, no
/// more. Each has an [id](crate::Record::id) that stays the same: [`Elasticsearch`](crate::output::Elasticsearch) gets it as
/// `_id`; other receivers over HTTP get the header `Idempotency-Key`, the same for the same batch.
///
/// **One handler.** A directory is for one handler of one process: a lock on the file `lock` in it sees to that, and `build` fails
/// where another one has it. The child of a fork has no spool: it sends, or loses, as without one. Its memory of the
/// parent's lock ends with its first record, or with the child.
///
/// **Differences.** A record comes back as it was, but without [`metadata`](crate::Record::metadata); its
/// [`process_name`](crate::Record::process_name) and [`uptime`](crate::Record::uptime) are those of the process that sends it. Call
/// sites of spans live as long as the process: of those in a spool, 4,096; spans from beyond are named `(other)`.
pub struct Batched {
    worker: BatchWorker<Box<dyn Batch>>,
    name: Cow<'static, str>,
}

impl Batched {
    /// Sends to `batch`.
    pub fn builder(batch: impl Batch) -> BatchedBuilder {
        BatchedBuilder { batch: Box::new(batch), options: BatchOptions::new("batched") }
    }

    /// Starts the thread that sends.
    pub(crate) fn start(&self) -> Result<(), Error> {
        self.worker.start()
    }
}

impl Handler for Batched {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        Ok(self.worker.queue(delivery))
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_barrier() { Ok(()) } else { self.worker.flush() }
    }

    fn describe(&self) -> Description {
        Description::new(self.name.clone())
    }
}

/// Sends what is left.
impl Drop for Batched {
    fn drop(&mut self) {
        self.worker.end();
    }
}

impl fmt::Debug for Batched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batched").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The setters of a builder that has a field `options`.
macro_rules! batch_options {
    () => {
        /// The most records that are queued or being sent.
        pub fn capacity(mut self, records: usize) -> Self {
            self.options.config.capacity = records;
            self
        }

        /// The most bytes that are queued or being sent. Each record counts with all its spans, although several records
        /// share them: the memory in use is less.
        pub fn max_bytes(mut self, bytes: usize) -> Self {
            self.options.config.max_bytes = bytes;
            self
        }

        /// What happens to a record that finds no room.
        pub fn overflow(mut self, overflow: $crate::handler::queue::Overflow) -> Self {
            self.options.config.overflow = overflow;
            self
        }

        /// The most records in one batch.
        pub fn max_batch(mut self, records: usize) -> Self {
            self.options.config.max_batch = records;
            self
        }

        /// The most bytes in one batch: as they are in memory, which is about what they are as text. A single larger record
        /// is a batch of its own.
        pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
            self.options.config.batch_bytes = bytes;
            self
        }

        /// How long a record waits for its batch to be full.
        pub fn schedule_delay(mut self, delay: std::time::Duration) -> Self {
            self.options.config.delay = delay;
            self
        }

        /// How long a batch is sent again before it counts as failed.
        pub fn retry_for(mut self, time: std::time::Duration) -> Self {
            self.options.config.retry_for = time;
            self
        }

        /// Keeps records on disk, in a directory of this handler alone, while they cannot be sent: at most so many bytes. See
        /// [`Batched`](crate::output::Batched#a-spool).
        pub fn spool(mut self, directory: impl Into<std::path::PathBuf>, max_bytes: u64) -> Self {
            let spool = self.options.config.spool.get_or_insert_default();
            (spool.directory, spool.max_bytes) = (directory.into(), max_bytes);
            self
        }

        /// Whether each batch in the spool is synced to the disk itself before its records count as written (default: no).
        pub fn spool_sync(mut self, on: bool) -> Self {
            self.options.config.spool.get_or_insert_default().syncs = on;
            self
        }

        // Not every output in batches has a class.
        #[cfg(feature = "config")]
        #[allow(dead_code)]
        pub(crate) fn configured_spool(mut self, spool: $crate::handler::worker::batching::SpoolOptions) -> Self {
            self.options.config.spool = Some(spool);
            self
        }

        /// How long a flush and the drop wait at most.
        pub fn flush_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.flush_timeout = timeout;
            self
        }

        /// Its name in errors, notices and the name of the thread.
        pub fn name(mut self, name: impl Into<std::borrow::Cow<'static, str>>) -> Self {
            self.options.config.output = name.into();
            self
        }
    };
}

#[cfg(any(feature = "forward", feature = "http"))]
pub(super) use batch_options;

/// The options of a [`Batched`].
///
/// | option | default |
/// |---|---|
/// | [`capacity`](Self::capacity), [`max_bytes`](Self::max_bytes) | 8,192 records, 64 MiB |
/// | [`overflow`](Self::overflow) | [`Overflow::DropNewest`] |
/// | [`max_batch`](Self::max_batch), [`max_batch_bytes`](Self::max_batch_bytes) | 512 records, 1 MiB |
/// | [`schedule_delay`](Self::schedule_delay) | 1 s |
/// | [`retry_for`](Self::retry_for) | 60 s |
/// | [`spool`](Self::spool) | none |
/// | [`flush_timeout`](Self::flush_timeout) | 5 s |
/// | [`name`](Self::name) | `batched` |
#[must_use]
pub struct BatchedBuilder {
    batch: Box<dyn Batch>,
    options: BatchOptions,
}

impl BatchedBuilder {
    batch_options!();

    /// Starts the thread.
    ///
    /// # Errors
    /// A limit is zero, or the thread does not start.
    pub fn build(self) -> Result<Batched, Error> {
        self.options.build(self.batch)
    }
}

impl fmt::Debug for BatchedBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchedBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What all builders of outputs in batches can be told, by [`batch_options`].
#[derive(Clone, Debug)]
pub(super) struct BatchOptions {
    pub(super) config: BatchConfig,
    pub(super) flush_timeout: Duration,
}

impl BatchOptions {
    pub(super) fn new(name: &'static str) -> Self {
        let config = BatchConfig {
            output: name.into(),
            what: "records",
            thread: "".into(),
            capacity: 8_192,
            max_bytes: 64 << 20,
            overflow: Overflow::DropNewest,
            max_batch: 512,
            batch_bytes: 1 << 20,
            delay: Duration::from_secs(1),
            retry_for: Duration::from_secs(60),
            spool: None,
        };
        Self { config, flush_timeout: Duration::from_secs(5) }
    }

    pub(super) fn build(self, batch: Box<dyn Batch>) -> Result<Batched, Error> {
        let batched = self.build_stopped(batch)?;
        batched.start()?;
        Ok(batched)
    }

    /// Without its thread.
    pub(super) fn build_stopped(self, batch: Box<dyn Batch>) -> Result<Batched, Error> {
        let Self { mut config, flush_timeout } = self;
        let name = config.output.clone();
        for (option, limit) in [("capacity", config.capacity), ("max_batch", config.max_batch)] {
            if limit == 0 {
                return Err(Error::config(format_args!("{name}: {option}: expected at least 1, got 0")));
            }
        }
        config.max_batch = config.max_batch.min(config.capacity);
        config.check_spool()?;
        config.thread = format!("strata-{name}").into();
        Ok(Batched { worker: BatchWorker::new(batch, config, flush_timeout), name })
    }
}

impl Export for Box<dyn Batch> {
    type Item = OwnedRecord;
    type Client = ();

    fn connect(&self) -> Result<(), Error> {
        Ok(())
    }

    fn send(&self, (): &mut (), batch: &[OwnedRecord], attempt: &Attempt) -> Answer {
        (**self).send(batch, attempt)
    }
}
