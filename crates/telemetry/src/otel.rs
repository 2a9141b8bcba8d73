//! Traces: OTLP over HTTP, and the bridge between [`TraceContext`] and `tracing` spans.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter,
};
use tracing::Subscriber;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

use crate::encode::Value;
use crate::ids::{IdKind, Ids};
use crate::redact::{REDACTED, is_secret};
use crate::{Error, Options, TraceContext};

/// Spans that may wait for export; beyond, the SDK drops them and says so.
const QUEUE: usize = 8192;
/// Longest time one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether this process exports traces. While it does not, the functions below cost this one load.
static ENABLED: AtomicBool = AtomicBool::new(false);

pub(crate) fn set_enabled(enabled: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
}

/// Whether an OTLP endpoint is configured: what costs something and only traces show may ask first.
#[must_use]
pub fn exporting() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Whether a span made now would be part of an exported trace: an endpoint is configured, and the caller is in a span.
/// Work outside any span (pollers, probes) would otherwise export a trace of its own at every turn.
#[must_use]
pub fn in_trace() -> bool {
    exporting() && !tracing::Span::current().is_none()
}

/// A step of the current trace, as a span: `step!("db.read", db.role = role)`. While no OTLP endpoint is configured, or
/// outside any span, it is no span, its fields are not evaluated, and it costs one load.
#[macro_export]
macro_rules! step {
    ($name:literal $($fields:tt)*) => {
        if $crate::in_trace() {
            $crate::tracing::info_span!(target: "stoa::step", $name $($fields)*)
        } else {
            $crate::tracing::Span::none()
        }
    };
}

/// The `traceparent` with which the current span is continued in another process; `None` as for [`context_of`].
#[must_use]
pub fn current_traceparent() -> Option<String> {
    if !exporting() {
        return None;
    }
    context_of(&tracing::Span::current()).map(|context| context.to_string())
}

/// Makes `span` a child of the span in another process that `parent` names. Call it right after making
/// the span, before it is entered and before [`context_of`]: a span that has begun keeps its parent.
/// Does nothing while no OTLP endpoint is configured.
pub fn attach_remote_parent(span: &tracing::Span, parent: &TraceContext) {
    if !exporting() {
        return;
    }
    let flags = if parent.sampled {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::default()
    };
    let remote = SpanContext::new(
        TraceId::from_bytes(parent.trace_id),
        SpanId::from_bytes(parent.span_id),
        flags,
        true,
        TraceState::default(),
    );
    if let Err(error) = span.set_parent(Context::new().with_remote_span_context(remote)) {
        tracing::debug!(%error, "the span does not continue the caller's trace");
    }
}

/// Makes `span`, which nobody's trace leads to, and what is below it no part of any exported trace. As
/// [`attach_remote_parent`], call it right after making the span.
pub fn keep_out_of_traces(span: &tracing::Span) {
    if exporting() {
        attach_remote_parent(span, &TraceContext::new_root(rand::random(), false));
    }
}

/// The identity under which `span` is exported: what to send as `traceparent` to the next process and to
/// record as the span's `trace_id` and `span_id`. `None` while no OTLP endpoint is configured or when
/// the span is disabled.
#[must_use]
pub fn context_of(span: &tracing::Span) -> Option<TraceContext> {
    if !exporting() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let identity = span.span_context();
    identity.is_valid().then(|| TraceContext {
        trace_id: identity.trace_id().to_bytes(),
        span_id: identity.span_id().to_bytes(),
        sampled: identity.is_sampled(),
    })
}

/// Takes trace and span id from the OpenTelemetry span that is entered in this thread, if any.
pub(crate) fn fill_ids(ids: &mut Ids) {
    if !exporting() {
        return;
    }
    Context::map_current(|context| {
        let span = context.span();
        let identity = span.span_context();
        if identity.is_valid() {
            ids.set(
                IdKind::Trace,
                &Value::Debug(&format_args!("{}", identity.trace_id())),
            );
            ids.set(
                IdKind::Span,
                &Value::Debug(&format_args!("{}", identity.span_id())),
            );
        }
    });
}

/// The exporter and its queue; `None` when no endpoint is configured.
pub(crate) fn provider(options: &Options) -> Result<Option<SdkTracerProvider>, Error> {
    let Some(endpoint) = &options.otlp_endpoint else {
        return Ok(None);
    };
    let refuse = |reason: String| Error::Exporter {
        endpoint: endpoint.clone(),
        reason,
    };
    if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
        return Err(refuse("it does not begin with http:// or https://".into()));
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(traces_url(endpoint))
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| refuse(error.to_string()))?;
    let processor = BatchSpanProcessor::builder(Redacting(exporter))
        .with_batch_config(BatchConfigBuilder::default().with_max_queue_size(QUEUE).build())
        .build();
    let resource = Resource::builder()
        .with_service_name(options.service.clone())
        .with_attribute(KeyValue::new("service.instance.id", options.instance.clone()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            options.sample_ratio,
        ))))
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}

/// The layer that turns `tracing` spans into exported ones.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, SdkTracer>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("stoa"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
}

fn traces_url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with("/v1/traces") {
        base.to_owned()
    } else {
        format!("{base}/v1/traces")
    }
}

/// Keeps secrets out of exported traces, by the rule that keeps them out of the log.
#[derive(Debug)]
struct Redacting(opentelemetry_otlp::SpanExporter);

impl SpanExporter for Redacting {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        for span in &mut batch {
            redact(&mut span.attributes);
            span.events
                .events
                .iter_mut()
                .for_each(|event| redact(&mut event.attributes));
        }
        self.0.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn redact(attributes: &mut [KeyValue]) {
    for attribute in attributes
        .iter_mut()
        .filter(|attribute| is_secret(attribute.key.as_str()))
    {
        attribute.value = REDACTED.into();
    }
}
