//! The span in which a peer's request is served: a part of the peer's trace.

use crate::request::Identity;
use std::sync::Arc;
use stoa_telemetry::TraceContext;
use tracing::Span;

/// A span and what is handed on below it.
pub(super) struct Served {
    pub(super) span: Span,
    /// The span's own context while traces are exported, else what the peer sent.
    pub(super) traceparent: Option<Arc<str>>,
}

impl Served {
    /// Continues the peer's trace. `name` is the call, or the service of an edge request.
    pub(super) fn begin(name: &str, sent: Option<&str>, trace_id: &str, caller: Option<Identity>) -> Self {
        let span = tracing::info_span!(
            target: "stoa::mesh", "mesh.serve",
            otel.kind = "server",
            name,
            trace_id,
            user_id = caller.map(|caller| tracing::field::display(caller.user)),
            tenant_id = caller.map(|caller| tracing::field::display(caller.tenant)),
        );
        match sent.and_then(TraceContext::parse) {
            Some(parent) => stoa_telemetry::attach_remote_parent(&span, &parent),
            // A poller's call.
            None => stoa_telemetry::keep_out_of_traces(&span),
        }
        let own = stoa_telemetry::context_of(&span).map(|context| context.to_string());
        Self {
            span,
            traceparent: own.as_deref().or(sent).map(Arc::from),
        }
    }
}
