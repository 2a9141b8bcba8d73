//! Logs, metrics and traces of one Stoa process.
//!
//! [`Telemetry::start`] installs three things for the whole process: a log writer (JSON lines or short
//! text on standard output), a Prometheus recorder behind the `metrics` macros, and, when an endpoint is
//! configured, an OTLP trace exporter. Code elsewhere uses only the `tracing` and `metrics` macros, and [`step!`] for
//! spans that only traces need.
//!
//! A log line takes `traceId`, `spanId`, `userId` and `tenantId` from the event's own fields
//! (`trace_id` or `traceId`, and so on), else from the nearest enclosing span that has them, else (trace
//! and span only) from the active OpenTelemetry span. Fields whose name suggests a secret are written as
//! `[redacted]`, in logs and in exported traces alike.

mod encode;
mod error;
mod event;
mod ids;
mod level;
mod line_queue;
mod log_layer;
mod otel;
mod process;
mod prometheus;
mod redact;
mod trace_context;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

pub use error::Error;
pub use otel::{
    attach_remote_parent, context_of, current_traceparent, exporting, in_trace, keep_out_of_traces,
};
pub use trace_context::TraceContext;
/// For [`step!`].
#[doc(hidden)]
pub use tracing;

use event::Style;
use level::LevelGate;
use line_queue::LineQueue;
use log_layer::LogLayer;
use prometheus::Prometheus;

/// Longest wait for the last spans to reach the collector at shutdown.
const TRACE_FLUSH: Duration = Duration::from_secs(5);
/// Longest wait for the last log lines to be written at shutdown.
const LOG_FLUSH: Duration = Duration::from_secs(2);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text when standard output is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// Short lines for people; coloured only on a terminal.
    Text,
}

/// What [`Telemetry::start`] needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the service, written to every log line and trace.
    pub service: String,
    /// Name of this process among those of the service, for example the pod's name.
    pub instance: String,
    /// How log lines look.
    pub format: Format,
    /// Which events are logged: a default level and overrides by target, such as
    /// `info,stoa_kernel=debug`. Stoa's own spans of level INFO and above are kept whatever it says,
    /// because log lines and traces take their context from them; no others are.
    pub filter: String,
    /// Base URL of an OTLP/HTTP collector such as `http://collector:4318`; `/v1/traces` is appended if
    /// missing. `None` turns tracing off, at no cost.
    pub otlp_endpoint: Option<String>,
    /// Share of new traces that are recorded, 0.0 to 1.0. A trace begun elsewhere keeps its own decision.
    pub sample_ratio: f64,
}

/// The running telemetry of this process. Keep it until the end and call [`Telemetry::shutdown`].
#[derive(Debug)]
pub struct Telemetry {
    gate: LevelGate,
    lines: Arc<LineQueue>,
    prometheus: Prometheus,
    traces: Mutex<Option<opentelemetry_sdk::trace::SdkTracerProvider>>,
}

impl Telemetry {
    /// Installs logs, metrics and traces for the whole process.
    ///
    /// # Errors
    /// When the filter, the sample ratio or the endpoint is not valid, when a thread cannot be started,
    /// or when this process already has a log subscriber or a metrics recorder.
    pub fn start(options: Options) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&options.sample_ratio) {
            return Err(Error::SampleRatio(options.sample_ratio));
        }
        let gate = LevelGate::new(&options.filter)?;
        let traces = otel::provider(&options)?;
        let lines = Arc::new(LineQueue::start(Box::new(std::io::stdout()))?);
        let prometheus = Prometheus::install(&options.service, Arc::clone(&lines))?;

        let log = LogLayer::new(
            style(options.format),
            &options.service,
            &options.instance,
            Arc::clone(&lines),
        );
        let subscriber = tracing_subscriber::registry()
            .with(gate.clone())
            .with(log)
            .with(traces.as_ref().map(otel::layer));
        tracing::subscriber::set_global_default(subscriber)
            .map_err(|_| Error::AlreadyStarted("log subscriber"))?;
        tracing_log::LogTracer::init().map_err(|_| Error::AlreadyStarted("log bridge"))?;
        gate.sync_log_crate();
        otel::set_enabled(traces.is_some());

        Ok(Self {
            gate,
            lines,
            prometheus,
            traces: Mutex::new(traces),
        })
    }

    /// Replaces the log filter; takes effect at once in every thread. Syntax as [`Options::filter`].
    ///
    /// # Errors
    /// When the filter cannot be read; the old one then stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), Error> {
        self.gate.set(filter)
    }

    /// All metrics in the Prometheus text format, process metrics read afresh.
    #[must_use]
    pub fn render_metrics(&self) -> String {
        self.prometheus.render()
    }

    /// Sends the last spans (waits 5 s at most) and writes the last log lines (2 s at most).
    ///
    /// Blocks the calling thread: from async code call it in `spawn_blocking`, or after the runtime has
    /// ended. Later calls only flush log lines.
    pub fn shutdown(&self) {
        let traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(provider) = traces {
            otel::set_enabled(false);
            if let Err(error) = provider.shutdown_with_timeout(TRACE_FLUSH) {
                tracing::warn!(%error, "the last spans did not reach the OTLP collector; check that it is reachable");
            }
        }
        self.lines.flush(LOG_FLUSH);
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn style(format: Format) -> Style {
    let terminal = std::io::stdout().is_terminal();
    match format {
        Format::Json => Style::Json,
        Format::Auto if !terminal => Style::Json,
        Format::Auto | Format::Text => Style::Text { colour: terminal },
    }
}
