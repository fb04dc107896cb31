//! The options of the export.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use opentelemetry_proto::tonic::{common::v1::any_value::Value as Any, resource::v1::Resource};

use super::{
    ContextFields, OtlpCompression, OtlpGuard, OtlpLayer, OtlpLogs, Protocol, Sampler,
    env::{self, Vars},
    export::{LogsExport, SpansExport},
    layer::SpanExport,
    settings::{Chosen, Settings, Signal, SpanLimits},
    values::{self, AttributeLimits, Attributes},
};
use crate::{
    Error, Fields, HandlerExt as _, Record, Severity, SpanContextLayer, Value, handler::worker::batching::BatchWorker,
    ledger::Ledger,
};

/// Exports logs and spans to an OpenTelemetry collector. Options that are not set come from the `OTEL_*` variables with
/// [`from_env`](Self::from_env), else from the specification's defaults.
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::otlp::Otlp;
/// use tracing_subscriber::prelude::*;
///
/// // Without an endpoint: http://localhost:4318, unless a variable says otherwise. Here nobody listens.
/// let otlp = Otlp::from_env().service("shop").endpoint("http://127.0.0.1:9").flush_timeout(Duration::from_millis(50));
/// let (otlp, guard) = otlp.build_with_guard()?;
/// let subscriber = tracing_subscriber::registry().with(otlp);
/// tracing::subscriber::with_default(subscriber, || {
///     let _order = tracing::info_span!("order", id = 7).entered();
///     tracing::info!(total = 12.5, "paid");
/// });
/// // At the end of main: send what is queued within a timeout, or say what could not be sent.
/// assert!(guard.shutdown(Duration::from_millis(100)).is_err());
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Otlp {
    vars: Vars,
    chosen: Chosen,
    service: Option<String>,
    attributes: Fields,
    logs: Option<bool>,
    spans: Option<bool>,
    min_level: Option<Severity>,
    context: ContextFields,
    sampler: Option<Sampler>,
    span_events: Option<bool>,
    flush_timeout: Option<Duration>,
}

/// How long a dropped guard and `flush_all` wait.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

impl Otlp {
    /// The options that are set here; ignores variables. No I/O.
    pub fn builder() -> Self {
        Self::default()
    }

    /// Reads the variables of this process; options that are set here win.
    /// [`build_with_guard`](Self::build_with_guard) fails if one is wrong.
    pub fn from_env() -> Self {
        Self { vars: Vars::of_process(), ..Self::default() }
    }

    /// The same with other variables.
    pub fn from_vars<N: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (N, V)>) -> Self {
        Self { vars: vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect(), ..Self::default() }
    }

    /// The service's name (`OTEL_SERVICE_NAME`, or `service.name` in `OTEL_RESOURCE_ATTRIBUTES`; default:
    /// `unknown_service:` and the name of the executable).
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// An attribute of the resource: `service.version`, `deployment.environment.name` …
    pub fn attribute<'v>(
        mut self,
        key: impl Into<std::borrow::Cow<'static, str>>,
        value: impl Into<Value<'v>>,
    ) -> Self {
        self.attributes.set(key, value);
        self
    }

    /// The collector's address: for HTTP without the signal's path (`OTEL_EXPORTER_OTLP_ENDPOINT`,
    /// `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; default: `http://localhost:4318`, gRPC
    /// `http://localhost:4317`). `https:` for TLS; for gRPC `host:port` is enough, and encrypted unless
    /// `OTEL_EXPORTER_OTLP_INSECURE` is `true`.
    ///
    /// For HTTP the signal's path follows the path of the URL, before its query: `http://host:4318/x?y=1` is asked for
    /// `/x/v1/logs?y=1`. gRPC has neither. Credentials (`https://user:password@host`) become the header `authorization`, unless
    /// there is one.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.chosen.endpoint = Some(url.into());
        self
    }

    /// Another collector, with the same options, where a batch goes at once when the one before does not answer, or asks to send
    /// it again without saying when. What comes later goes to the one that answered last.
    pub fn failover(mut self, url: impl Into<String>) -> Self {
        self.chosen.failover.push(url.into());
        self
    }

    /// `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.chosen.protocol = Some(protocol);
        self
    }

    /// Adds a header to each request, beside those of `OTEL_EXPORTER_OTLP_HEADERS`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.chosen.headers.push((name.into(), value.into()));
        self
    }

    /// How long one attempt may take (`OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds; default: 10 s).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.chosen.timeout = Some(timeout);
        self
    }

    /// `OTEL_EXPORTER_OTLP_COMPRESSION`.
    pub fn compression(mut self, compression: OtlpCompression) -> Self {
        self.chosen.compression = Some(compression);
        self
    }

    /// The certificate authorities of the collector, a PEM file (`OTEL_EXPORTER_OTLP_CERTIFICATE`; default: the system's).
    pub fn ca_certificate(mut self, path: impl AsRef<Path>) -> Self {
        self.chosen.ca = Some(path.as_ref().into());
        self
    }

    /// This client's certificate and key, PEM files, for mutual TLS (`OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`,
    /// `OTEL_EXPORTER_OTLP_CLIENT_KEY`).
    pub fn client_certificate(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.chosen.client = Some((certificate.as_ref().into(), key.as_ref().into()));
        self
    }

    /// Whether logs are exported (`OTEL_LOGS_EXPORTER`: `otlp` or `none`; default: yes).
    pub fn logs(mut self, on: bool) -> Self {
        self.logs = Some(on);
        self
    }

    /// Whether spans are exported (`OTEL_TRACES_EXPORTER`: `otlp` or `none`; default: yes).
    pub fn spans(mut self, on: bool) -> Self {
        self.spans = Some(on);
        self
    }

    /// The lowest severity of log records (default: all).
    pub fn min_level(mut self, min_level: impl Into<Severity>) -> Self {
        self.min_level = Some(min_level.into());
        self
    }

    /// Which fields of spans log records have, too (default: all).
    pub fn context(mut self, fields: ContextFields) -> Self {
        self.context = fields;
        self
    }

    /// Which spans are exported.
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = Some(sampler);
        self
    }

    /// Attaches events to their spans, at most `OTEL_SPAN_EVENT_COUNT_LIMIT` to each, else 128 (links:
    /// `OTEL_SPAN_LINK_COUNT_LIMIT`). Default: only if logs are not exported, as log records have the ids of their span.
    pub fn span_events(mut self, on: bool) -> Self {
        self.span_events = Some(on);
        self
    }

    /// The most attributes on a log record, a span, and an event of a span (`OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT`,
    /// `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`, or `OTEL_ATTRIBUTE_COUNT_LIMIT` for records and
    /// spans; default: 128). The request says how many were left out.
    pub fn max_attributes(mut self, count: usize) -> Self {
        self.chosen.max_attributes = Some(count);
        self
    }

    /// The most characters in an attribute's text, or bytes in its bytes; the rest is cut off
    /// (`OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, or
    /// `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`; default: what the layers captured, see
    /// [`HandlerLayer::value_limit`](crate::HandlerLayer::value_limit)).
    pub fn max_value_length(mut self, characters: usize) -> Self {
        self.chosen.max_value_length = Some(characters);
        self
    }

    /// The most log records, and the most spans, that are queued or being sent (`OTEL_BLRP_MAX_QUEUE_SIZE`,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`; default: 2,048). More are dropped.
    pub fn capacity(mut self, items: usize) -> Self {
        self.chosen.capacity = Some(items);
        self
    }

    /// The most bytes that are queued or being sent, for logs and for spans (default: 64 MiB). Each item counts with all its
    /// parent spans, although several items share them: the memory in use is less.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.chosen.max_bytes = Some(bytes);
        self
    }

    /// The most items in one request (`OTEL_BLRP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`; default: 512).
    pub fn max_batch(mut self, items: usize) -> Self {
        self.chosen.max_batch = Some(items);
        self
    }

    /// How long a batch waits until it is full (`OTEL_BLRP_SCHEDULE_DELAY`, `OTEL_BSP_SCHEDULE_DELAY`, in milliseconds;
    /// default: 1 s for logs, 5 s for spans).
    pub fn schedule_delay(mut self, delay: Duration) -> Self {
        self.chosen.delay = Some(delay);
        self
    }

    /// How long a batch is retried before it fails (`OTEL_BLRP_EXPORT_TIMEOUT`, `OTEL_BSP_EXPORT_TIMEOUT`, in
    /// milliseconds; default: 60 s).
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.chosen.retry_for = Some(time);
        self
    }

    /// Keeps log records in `logs`, and spans in `spans`, of a directory while they cannot be sent: at most so many bytes of each,
    /// 6 MiB at least. See [`Batched`](crate::output::Batched#a-spool). A span comes back without the spans around it, which have
    /// been sent by themselves, or will be. Default: none; then [`retry_for`](Self::retry_for) counts.
    pub fn spool(mut self, directory: impl Into<PathBuf>, max_bytes: u64) -> Self {
        let spool = self.chosen.spool.get_or_insert_default();
        (spool.directory, spool.max_bytes) = (directory.into(), max_bytes);
        self
    }

    #[cfg(feature = "config")]
    pub(crate) fn configured_spool(mut self, spool: crate::handler::worker::batching::SpoolOptions) -> Self {
        self.chosen.spool = Some(spool);
        self
    }

    /// Whether each batch in the spool is synced to the disk itself before its items count as written (default: no).
    pub fn spool_sync(mut self, on: bool) -> Self {
        self.chosen.spool.get_or_insert_default().syncs = on;
        self
    }

    /// How long a dropped guard, a dropped subscriber and [`flush_all`](crate::flush_all) wait at most (default: 5 s).
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.flush_timeout = Some(timeout);
        self
    }

    /// Starts a thread for logs and one for spans. The collector need not be there yet.
    ///
    /// With `OTEL_SDK_DISABLED=true` nothing is started, and the layer does nothing.
    ///
    /// # Errors
    /// A variable or an option is wrong: the message names it. A certificate cannot be read. The spool cannot be used. A
    /// thread cannot be started.
    pub fn build_with_guard(self) -> Result<(OtlpLayer, OtlpGuard), Error> {
        let is_disabled = self.vars.get("OTEL_SDK_DISABLED", env::boolean)?.unwrap_or(false);
        let exports = |name: &str| self.vars.get(name, exporter);
        let logs = self.logs.or(exports("OTEL_LOGS_EXPORTER")?).unwrap_or(true) && !is_disabled;
        let spans = self.spans.or(exports("OTEL_TRACES_EXPORTER")?).unwrap_or(true) && !is_disabled;
        let sampler = self.sampler.or(Sampler::from_vars(&self.vars)?).unwrap_or_default();
        let resource = Arc::new(self.resource()?);
        let limits = SpanLimits::new(&self.chosen, &self.vars)?;
        let flush_timeout = self.flush_timeout.unwrap_or(FLUSH_TIMEOUT);

        // All is checked before a thread is started.
        let logs_settings = logs.then(|| Settings::new(Signal::Logs, &self.chosen, &self.vars)).transpose()?;
        let spans_settings = spans.then(|| Settings::new(Signal::Spans, &self.chosen, &self.vars)).transpose()?;
        let logs_worker = logs_settings.map(|settings| self.logs_worker(settings, &resource)).transpose()?;
        let spans_worker = spans_settings.map(|settings| self.spans_worker(settings, &resource, limits));
        let started = logs_worker.iter().try_for_each(BatchWorker::start);
        if let Err(error) = started.and_then(|()| spans_worker.iter().try_for_each(BatchWorker::start)) {
            logs_worker.iter().for_each(BatchWorker::end);
            spans_worker.iter().for_each(BatchWorker::end);
            return Err(error);
        }

        let mut layer = OtlpLayer { logs: None, context: SpanContextLayer::new(), spans: None };
        let mut guard = OtlpGuard { logs: None, spans: None, flush_timeout, is_shut_down: AtomicBool::new(false) };
        if let Some(worker) = logs_worker {
            let handler = OtlpLogs::new(worker.clone());
            let mut logs = handler.min_level(self.min_level.unwrap_or(Severity::ALL)).into_layer();
            if spans {
                logs.spans.trace_and_time_spans(Box::new(move |id, parent| sampler.decides(id, parent)));
            }
            guard.logs = Some((worker, logs.ledger()));
            layer.logs = Some(logs);
        }
        if let Some(worker) = spans_worker {
            layer.context.spans.trace_and_time_spans(Box::new(move |id, parent| sampler.decides(id, parent)));
            let ledger = Ledger::registered("otlp spans");
            worker.learn_ledger(|| Some(Arc::clone(&ledger)));
            guard.spans = Some((worker.clone(), Arc::clone(&ledger)));
            let with_events = self.span_events.unwrap_or(!logs);
            let (max_events, max_links) = (limits.events, limits.links);
            layer.spans = Some(SpanExport {
                worker,
                ledger,
                with_events,
                max_events,
                max_links,
                #[cfg(feature = "redact")]
                redact: None,
            });
        }
        Ok((layer, guard))
    }

    /// Logs only, as a handler without a guard: dropping it sends what is queued, within
    /// [`flush_timeout`](Self::flush_timeout). `None` if a variable switches logs off. [`OtlpLogs::start`] starts its thread.
    #[cfg(feature = "config")]
    pub(crate) fn own_logs(self) -> Result<Option<OtlpLogs>, Error> {
        let is_disabled = self.vars.get("OTEL_SDK_DISABLED", env::boolean)?.unwrap_or(false);
        let logs = self.logs.or(self.vars.get("OTEL_LOGS_EXPORTER", exporter)?).unwrap_or(true);
        if !logs || is_disabled {
            return Ok(None);
        }
        let resource = Arc::new(self.resource()?);
        let settings = Settings::new(Signal::Logs, &self.chosen, &self.vars)?;
        super::wire::Client::check(&settings)?;
        Ok(Some(OtlpLogs::new(self.logs_worker(settings, &resource)?).owning()))
    }

    fn logs_worker(&self, settings: Settings, resource: &Arc<Resource>) -> Result<BatchWorker<LogsExport>, Error> {
        let limits = AttributeLimits::new("LOGRECORD_", &self.chosen, &self.vars)?;
        let (resource, context) = (Arc::clone(resource), self.context.clone());
        let plan = settings.batch_config("log records");
        let export = LogsExport { settings, resource, context, limits };
        Ok(BatchWorker::new(export, plan, self.flush_timeout.unwrap_or(FLUSH_TIMEOUT)))
    }

    fn spans_worker(
        &self,
        settings: Settings,
        resource: &Arc<Resource>,
        limits: SpanLimits,
    ) -> BatchWorker<SpansExport> {
        let plan = settings.batch_config("spans");
        let resource = Arc::clone(resource);
        let export = SpansExport { settings, resource, limits };
        BatchWorker::new(export, plan, self.flush_timeout.unwrap_or(FLUSH_TIMEOUT))
    }

    /// The attributes of the code, then of the variables, then the defaults; the first of a key wins.
    fn resource(&self) -> Result<Resource, Error> {
        let mut attributes = Attributes::new(AttributeLimits::NONE, 8);
        let text = |text: &str| Any::StringValue(text.to_owned());
        if let Some(service) = &self.service {
            attributes.add("service.name", text(service));
        }
        for (name, value) in self.attributes.iter() {
            attributes.add(name, values::any(value));
        }
        if let Some(service) = self.vars.get("OTEL_SERVICE_NAME", |name| Ok(name.to_owned()))? {
            attributes.add("service.name", text(&service));
        }
        for (key, value) in self.vars.get("OTEL_RESOURCE_ATTRIBUTES", env::pairs)?.unwrap_or_default() {
            attributes.add(&key, text(&value));
        }
        let process = Record::new(Severity::INFO, "", "").process_name();
        attributes.add("service.name", text(&format!("unknown_service:{process}")));
        attributes.add("telemetry.sdk.name", text("tracing-strata"));
        attributes.add("telemetry.sdk.language", text("rust"));
        attributes.add("telemetry.sdk.version", text(env!("CARGO_PKG_VERSION")));
        Ok(Resource { attributes: attributes.into_vec(), ..Resource::default() })
    }
}

fn exporter(text: &str) -> Result<bool, &'static str> {
    match text {
        "otlp" => Ok(true),
        "none" => Ok(false),
        _ => Err("\"otlp\" or \"none\""),
    }
}
