//! Who is measured: each installed in a process of its own, as its users do it.

use std::{
    any::Any,
    cell::Cell,
    fs::{self, File},
    io::LineWriter,
    path::Path,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use slog::{Drain, Logger, o};
use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, Outcome, Queue, format::Json, output::LogFile, testing::Capture,
};
use tracing_subscriber::{layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::{
    Failure,
    work::{Facade, Inside, Work},
};

/// A handler that waits while somebody holds the lock.
struct QueuedOutput<H> {
    handler: H,
    gate: Arc<Mutex<()>>,
}

impl<H: Handler> Handler for QueuedOutput<H> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
        self.handler.handle(record)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.handler.flush(how)
    }
}

/// What every queue holds that can be told.
const CAPACITY: usize = 8_192;

macro_rules! peers {
    ($($peer:ident $name:literal $title:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Peer { $($peer),* }

        impl Peer {
            pub(crate) const ALL: &[Self] = &[$(Self::$peer),*];
            /// Those with a queue.
            pub(crate) const QUEUES: &[Self] = Self::ALL.split_at(Self::ALL.len() - 2).0;

            /// Its name on the command line.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$peer => $name),* }
            }

            /// Its name in the table.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$peer => $title),* }
            }
        }
    };
}

peers! {
    Strata "strata" "**tracing-strata** `Queue` of `Json`",
    Appender "appender" "tracing-appender under `json()`",
    SlogAsync "slog-async" "slog-async + slog-json",
    FastLog "fast-log" "fast_log (text)",
    Spdlog "spdlog" "spdlog-rs async (text)",
    Capture "capture" "a test's `testing::Capture`, memory of an earlier one",
    CaptureAnew "capture-anew" "`testing::Capture`, new memory",
}

/// A peer at work.
pub(crate) struct Installed {
    pub(crate) speaker: Speaker,
    /// Brings everything to the file when it is dropped or called.
    end: End,
    /// Between two bursts.
    pub(crate) between: Box<dyn Fn()>,
}

/// How it is spoken to; spdlog-rs has macros of its own.
pub(crate) struct Speaker(Option<Facade>);

enum End {
    Guard(Box<dyn Any>),
    Call(Box<dyn FnOnce() -> Result<(), Failure>>),
}

/// A thread that logs.
pub(crate) struct Caller<'a>(Option<Inside<'a>>);

impl Peer {
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|peer| peer.name() == name)
    }

    /// Whether it has spans, or something like them.
    pub(crate) fn has_spans(self) -> bool {
        matches!(self, Self::Strata | Self::Appender | Self::SlogAsync | Self::Capture | Self::CaptureAnew)
    }

    /// Ours, with a listener that can be held up. It holds two bursts, and none of it is waited for.
    pub(crate) fn install_behind(path: &Path, gate: &Arc<Mutex<()>>) -> Result<Installed, Failure> {
        let handler = LogFile::builder(path).format(Json::new()).build()?;
        let (queue, guard) = Queue::builder()
            .capacity(4 * CAPACITY)
            .build_with_guard(QueuedOutput { handler, gate: Arc::clone(gate) })?;
        registry().with(queue.into_layer()).try_init()?;
        let end = move || guard.shutdown(Duration::from_secs(60)).map_err(Failure::from);
        Ok(Installed {
            speaker: Speaker(Some(Facade::Tracing)),
            end: End::Call(Box::new(end)),
            between: Box::new(|| ()),
        })
    }

    pub(crate) fn install(self, path: &Path) -> Result<Installed, Failure> {
        let (facade, end) = match self {
            Self::Strata => {
                let file = LogFile::builder(path).format(Json::new()).build()?;
                let (queue, guard) = Queue::builder().capacity(CAPACITY).build_with_guard(file)?;
                registry().with(queue.into_layer()).try_init()?;
                let end = move || guard.shutdown(Duration::from_secs(60)).map_err(Failure::from);
                (Some(Facade::Tracing), End::Call(Box::new(end)))
            }
            Self::Appender => {
                let file = File::create(path)?;
                let (writer, guard) =
                    tracing_appender::non_blocking::NonBlockingBuilder::default().lossy(false).finish(file);
                registry().with(tracing_subscriber::fmt::layer().json().with_writer(writer)).try_init()?;
                (Some(Facade::Tracing), End::Guard(Box::new(guard)))
            }
            Self::SlogAsync => {
                let json = slog_json::Json::default(LineWriter::with_capacity(64 << 10, File::create(path)?));
                let (queue, guard) = slog_async::Async::new(json.fuse())
                    .chan_size(CAPACITY)
                    .overflow_strategy(slog_async::OverflowStrategy::Block)
                    .build_with_guard();
                (Some(Facade::Slog(Logger::root(queue.fuse(), o!()))), End::Guard(Box::new(guard)))
            }
            Self::FastLog => {
                let path = path.to_str().ok_or("the path is no text")?;
                fast_log::init(fast_log::Config::new().file(path).chan_len(Some(CAPACITY)))?;
                let end = || {
                    log::logger().flush();
                    Ok(())
                };
                (Some(Facade::Log), End::Call(Box::new(end)))
            }
            Self::Spdlog => {
                let file = spdlog::sink::FileSink::builder().path(path).truncate(true).build_arc()?;
                let pool = spdlog::ThreadPool::builder().capacity(CAPACITY.try_into()?).build_arc()?;
                let queue = spdlog::sink::AsyncPoolSink::builder().sink(file).thread_pool(pool).build_arc()?;
                spdlog::set_default_logger(Arc::new(spdlog::Logger::builder().sink(queue).build()?));
                // Dropping the logger drops the pool, which does all that is asked of it before it ends.
                let end = || {
                    spdlog::default_logger().flush();
                    drop(spdlog::swap_default_logger(Arc::new(spdlog::Logger::builder().build()?)));
                    Ok(())
                };
                (None, End::Call(Box::new(end)))
            }
            Self::Capture | Self::CaptureAnew => {
                let captured = Rc::new((Capture::start(), Cell::new(0)));
                let clears = self == Self::Capture;
                let (there, path) = (Rc::clone(&captured), path.to_owned());
                // A line for each record: they are counted, as those of the others.
                let end = move || Ok(fs::write(path, "\n".repeat(there.1.get() + there.0.records().len()))?);
                let between = move || {
                    if clears {
                        captured.1.set(captured.1.get() + captured.0.records().len());
                        captured.0.clear();
                    }
                };
                return Ok(Installed {
                    speaker: Speaker(Some(Facade::Tracing)),
                    end: End::Call(Box::new(end)),
                    between: Box::new(between),
                });
            }
        };
        Ok(Installed { speaker: Speaker(facade), end, between: Box::new(|| ()) })
    }
}

impl Speaker {
    /// Enters what the work happens in.
    pub(crate) fn caller(&self, work: Work) -> Caller<'_> {
        Caller(self.0.as_ref().map(|facade| facade.enter(work)))
    }
}

impl Installed {
    /// Everything is in the file after this.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        // slog's worker ends when the last logger is gone.
        drop((self.speaker, self.between));
        match self.end {
            End::Guard(guard) => {
                drop(guard);
                Ok(())
            }
            End::Call(end) => end(),
        }
    }
}

impl Caller<'_> {
    #[inline]
    pub(crate) fn log(&self, work: Work, events: u64) {
        match &self.0 {
            Some(inside) => inside.run(work, events),
            None => spdlog_events(events),
        }
    }
}

#[inline(never)]
fn spdlog_events(events: u64) {
    for index in 0..events {
        let crate::work::Values { user, route, ms, cached, client } = crate::work::values(index);
        spdlog::info!("request served user={user} route={route} ms={ms} cached={cached} client={client}");
    }
}
