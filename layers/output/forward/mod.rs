//! Records to Fluentd, Fluent Bit and others by the forward protocol (feature `forward`).

mod message;
mod session;

use std::{
    fmt,
    hash::RandomState,
    mem,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use self::{
    message::{Encoder, Message, Tag},
    session::{Access, Session},
};
use super::batched::{Answer, Attempt, Batch, BatchOptions, Batched, Verdict, batch_options};
#[cfg(feature = "tls")]
use crate::sink::net::Tls;
use crate::{
    Error, Format,
    fork::ForkMutex,
    record::{OwnedRecord, host_name},
    sink::{
        Credential,
        net::{Address, Deadline, DialogPeer},
    },
};

/// Sends records to Fluentd, Fluent Bit, Vector or an OpenTelemetry Collector, by the forward protocol.
///
/// Python: `fluent.handler.FluentHandler`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::{output::{FluentForward, ForwardMode}, prelude::*, sink::{Credential, net::Address}};
/// use tracing_subscriber::prelude::*;
///
/// // Nobody listens here.
/// let fluent = FluentForward::builder(Address::tcp("127.0.0.1", 9))
///     .tag_prefix("web")
///     .mode(ForwardMode::CompressedPackedForward)
///     .shared_key(Credential::from_fn(|| Ok("a key that may be renewed".into())))
///     .flush_timeout(Duration::from_millis(50))
///     .build()?;
/// # let fluent = fluent.named("fluent");
/// # fluent.set_error_handler(tracing_strata::ledger::ErrorHandler::silent());
/// let subscriber = tracing_subscriber::registry().with(fluent.into_layer());
/// tracing::subscriber::with_default(subscriber, || tracing::info!(target: "shop::db", order = 7, "paid"));
/// // web.shop.db: {"level":"INFO","target":"shop::db","message":"paid","order":7}
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// # What is sent
///
/// Messages of the protocol, version 1, over TCP, TLS or a unix socket; one connection, which is kept. Records that follow each
/// other and have the same tag are one message, in the [mode](ForwardMode); so the order is kept.
///
/// | part | from |
/// |---|---|
/// | tag | the target, with `.` for `::` (`root` for the empty one), behind the [prefix](FluentForwardBuilder::tag_prefix); or a [constant](FluentForwardBuilder::tag) |
/// | time | [`Record::time`](crate::Record::time), in nanoseconds (`EventTime`, from 1970 to 2106), or in [seconds](FluentForwardBuilder::nanoseconds) |
/// | `level`, `target`, `message` | the record |
/// | `trace_id`, `span_id`, `trace_flags` | hexadecimal texts, in records that have [trace ids](crate::Record::trace) |
/// | all other members | the fields: the event's, the spans', the global ones |
/// | `size`, `chunk` | how many records; the id of the message, for its acknowledgement |
///
/// Names are those of [`Json::new`](crate::format::Json::new), where names clash, too; but for `timestamp`, as the time is
/// not a member; a [format](FluentForwardBuilder::format) gives others. Values are typed:
///
/// | value | MessagePack |
/// |---|---|
/// | bool, integers of 64 bits, floats (also NaN), text, bytes | bool, int, float 64, str, bin |
/// | wider integers | int if they fit into 64 bits, else a str of digits |
/// | lists and maps | array, map |
/// | errors | the message; beside it `<key>.causes`, an array of messages, and `<key>.type`, if known |
///
/// # Acknowledgements
///
/// A record is written when the receiver has answered with the `chunk` of its message, in time. Whatever else comes, or does
/// not, the messages that are not acknowledged are sent again over a new connection, with the same `chunk`: a receiver
/// that knows the last ones can drop duplicates. [Without](FluentForwardBuilder::require_ack) them, a record is written when the
/// system has accepted it; what is on its way when the receiver dies is lost. One that never acknowledges anything would get all
/// of it again and again: it needs that.
///
/// # When it blocks
///
/// Never, unless [`overflow`](FluentForwardBuilder::overflow) says so; see [`Batched`].
///
/// # Failures
///
/// Those of [`Batched`]. A record may arrive twice. The protocol has no word for a record that a receiver refuses: it closes the
/// connection, and the message is sent again until [`retry_for`](FluentForwardBuilder::retry_for) has passed.
///
/// A key or a password that the receiver does not know is told to the error handler once for each batch, which is sent again, as
/// a secret may be renewed. A receiver that does not prove that it knows the key gets no record.
///
/// # Differences from Python
///
/// - A thread sends, in batches, and asks for acknowledgements; Python's handler sends on the thread that logs, a message a
///   record, and counts as sent what the system accepted.
/// - A record is a map with its fields, and the text of a formatter a member of it. Python's is that text alone, which Fluentd
///   refuses, but with a `FluentRecordFormatter`.
///
/// Source: [Forward Protocol Specification v1](https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1).
pub struct FluentForward;

impl FluentForward {
    /// To a receiver at an address: TCP (Fluentd has port 24224), TLS or a unix socket. No I/O.
    pub fn builder(to: Address) -> FluentForwardBuilder {
        FluentForwardBuilder {
            to,
            encoder: Encoder {
                mode: ForwardMode::PackedForward,
                tag: Tag::Target { prefix: String::new() },
                format: None,
                nanoseconds: true,
                require_ack: true,
                ids: [RandomState::new(), RandomState::new()],
            },
            shared_key: None,
            login: None,
            host: None,
            #[cfg(feature = "tls")]
            tls: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            options: BatchOptions::new("fluent"),
        }
    }
}

/// How records stand in a message of [`FluentForward`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardMode {
    /// An array of records.
    Forward,
    /// Records as bytes, which a receiver need not look into (default).
    PackedForward,
    /// The same, compressed by gzip.
    CompressedPackedForward,
}

/// The options of a [`FluentForward`].
///
/// | option | default |
/// |---|---|
/// | [`mode`](Self::mode) | [`ForwardMode::PackedForward`] |
/// | [`tag`](Self::tag), [`tag_prefix`](Self::tag_prefix) | the target |
/// | [`format`](Self::format) | the members [above](FluentForward#what-is-sent) |
/// | [`nanoseconds`](Self::nanoseconds), [`require_ack`](Self::require_ack) | yes |
/// | [`shared_key`](Self::shared_key), [`login`](Self::login) | none |
/// | [`host`](Self::host) | this machine's name |
/// | `tls` (feature `tls`) | the system's certificate authorities |
/// | [`connect_timeout`](Self::connect_timeout), [`timeout`](Self::timeout) | 5 s, 10 s |
/// | [`capacity`](Self::capacity), [`max_bytes`](Self::max_bytes) | 8,192 records, 64 MiB |
/// | [`overflow`](Self::overflow) | [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest) |
/// | [`max_batch`](Self::max_batch), [`max_batch_bytes`](Self::max_batch_bytes) | 512 records, 1 MiB |
/// | [`schedule_delay`](Self::schedule_delay), [`retry_for`](Self::retry_for) | 1 s, 60 s |
/// | [`flush_timeout`](Self::flush_timeout) | 5 s |
/// | [`name`](Self::name) | `fluent` |
#[must_use]
pub struct FluentForwardBuilder {
    to: Address,
    encoder: Encoder,
    shared_key: Option<Credential>,
    login: Option<(String, Credential)>,
    host: Option<String>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    connect_timeout: Duration,
    timeout: Duration,
    options: BatchOptions,
}

impl FluentForwardBuilder {
    /// How records stand in a message.
    pub fn mode(mut self, mode: ForwardMode) -> Self {
        self.encoder.mode = mode;
        self
    }

    /// One tag for all records.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.encoder.tag = Tag::Constant(tag.into());
        self
    }

    /// Text before the tag that the target gives, with a `.` between them.
    pub fn tag_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.encoder.tag = Tag::Target { prefix: prefix.into() };
        self
    }

    /// Members of your own, from a format of JSON objects such as [`Json::ecs`](crate::format::Json::ecs). Text that is none is the
    /// member `message`.
    pub fn format(mut self, format: impl Format) -> Self {
        self.encoder.format = Some(Box::new(format));
        self
    }

    /// Whether times have nanoseconds. Receivers older than Fluentd 0.14 take seconds only.
    pub fn nanoseconds(mut self, on: bool) -> Self {
        self.encoder.nanoseconds = on;
        self
    }

    /// Whether a record counts as written only when the receiver has acknowledged it.
    pub fn require_ack(mut self, on: bool) -> Self {
        self.encoder.require_ack = on;
        self
    }

    /// A key that the receiver knows, too: each proves it to the other when a connection begins. The key itself is not sent.
    pub fn shared_key(mut self, key: impl Into<Credential>) -> Self {
        self.shared_key = Some(key.into());
        self
    }

    /// A user and a password, for receivers that ask for them beside the shared key. The password itself is not sent.
    pub fn login(mut self, user: impl Into<String>, password: impl Into<Credential>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// Our name in the handshake. It must not be the receiver's own.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.host = Some(name.into());
        self
    }

    /// The TLS settings, for [`Address::Tls`].
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long connecting may take, with the handshakes.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a batch may take over an open connection, from its first byte to the last acknowledgement.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    batch_options!();

    /// Starts the thread. The receiver need not be there yet.
    ///
    /// # Errors
    /// An option is wrong: the message names it, without a secret. A certificate or a secret cannot be read. The thread does
    /// not start.
    pub fn build(self) -> Result<Batched, Error> {
        let batched = self.build_stopped()?;
        batched.start()?;
        Ok(batched)
    }

    /// Without its thread.
    pub(crate) fn build_stopped(self) -> Result<Batched, Error> {
        let name = self.options.config.output.clone();
        let refuse = |what: &str| Err(Error::config(format_args!("{name}: {what}")));
        if matches!(&self.encoder.tag, Tag::Constant(tag) if tag.is_empty()) {
            return refuse("tag: expected a text, got an empty one");
        }
        let access = match (self.shared_key, self.login) {
            (Some(key), login) => Some(Access { key, login, host: self.host.or_else(host_name).unwrap_or_default() }),
            (None, Some(_)) => return refuse("login: expected a shared_key, too: there is no handshake without one"),
            (None, None) => None,
        };
        if let Some(access) = &access {
            access.check()?;
        }
        let peer = DialogPeer::new(
            self.to,
            #[cfg(feature = "tls")]
            self.tls,
        )?;
        let sender = ForwardBatch {
            whom: format!("{name}: {}", peer.address()),
            peer,
            encoder: self.encoder,
            access,
            connect_timeout: self.connect_timeout,
            timeout: self.timeout,
            acknowledged: AtomicU64::new(0),
            session: ForkMutex::new(None),
        };
        self.options.build_stopped(Box::new(sender))
    }
}

/// Without secrets.
impl fmt::Debug for FluentForwardBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FluentForwardBuilder")
            .field("to", &self.to)
            .field("mode", &self.encoder.mode)
            .field("tag", &self.encoder.tag)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

struct ForwardBatch {
    /// In front of errors.
    whom: String,
    peer: DialogPeer,
    encoder: Encoder,
    access: Option<Access>,
    connect_timeout: Duration,
    timeout: Duration,
    /// How many messages were.
    acknowledged: AtomicU64,
    /// Taken out while in use: an error or a panic closes it.
    session: ForkMutex<Option<Session>>,
}

/// How many messages are on their way at once. More of them, and their acknowledgements could fill the connection in both
/// directions, so that neither side reads.
const WINDOW: usize = 64;

impl Batch for ForwardBatch {
    fn send(&self, records: &[OwnedRecord], attempt: &Attempt) -> Answer {
        let messages = match self.encoder.messages(records, self.acknowledged.load(Ordering::Relaxed)) {
            Ok(messages) => messages,
            Err(error) => return Answer::Split(error),
        };
        let mut done = 0;
        let result = self.exchange(&messages, attempt, &mut done);
        self.acknowledged.fetch_add(done as u64, Ordering::Relaxed);
        match result {
            Ok(()) => Answer::Accepted,
            Err(error) => {
                let error = Error::with_source(&self.whom, error);
                let accepted = messages[..done].iter().map(|message| message.records).sum();
                if accepted == 0 {
                    return Answer::retry(error);
                }
                let mut verdicts: Vec<_> = (0..accepted).map(|_| Verdict::Accepted).collect();
                verdicts.push(Verdict::Retry(error));
                Answer::Each(verdicts)
            }
        }
    }
}

impl ForwardBatch {
    /// Sends messages; `done` counts those that are at their place.
    fn exchange(&self, messages: &[Message], attempt: &Attempt, done: &mut usize) -> Result<(), Error> {
        let open = mem::take(&mut *self.session.get());
        let mut session = match open.and_then(Session::still_open) {
            Some(session) => session,
            None => {
                let deadline = Deadline::after(attempt.timeout(self.connect_timeout));
                Session::open(&self.peer, self.access.as_ref(), deadline)?
            }
        };
        let deadline = Deadline::after(attempt.timeout(self.timeout));
        for window in messages.chunks(WINDOW) {
            let bytes = window.iter().map(|message| &*message.bytes).collect::<Vec<_>>().concat();
            session.write(&bytes, deadline)?;
            let mut waiting: Vec<_> = window.iter().filter_map(|message| message.chunk.as_deref()).map(Some).collect();
            let result = (0..waiting.len()).try_for_each(|_| session.await_ack(&mut waiting, deadline));
            // Those behind one that waits are sent again with it, with the same chunks.
            *done += waiting.iter().take_while(|chunk| chunk.is_none()).count();
            result?;
        }
        if session.keeps_alive() {
            *self.session.get() = Some(session);
        } else {
            session.close();
        }
        Ok(())
    }
}

/// Takes leave.
impl Drop for ForwardBatch {
    fn drop(&mut self) {
        if let Some(session) = self.session.get().take() {
            session.close();
        }
    }
}
