//! The four ids every log line carries, and how spans hand them to the events inside them.

use std::fmt;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::encode::{Escape, Value};

/// One of the ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    Trace,
    Span,
    User,
    Tenant,
}

impl IdKind {
    /// In the order in which a log line shows them.
    pub(crate) const ALL: [Self; 4] = [Self::Trace, Self::Span, Self::User, Self::Tenant];

    pub(crate) fn of_field(name: &str) -> Option<Self> {
        match name {
            "trace_id" | "traceId" => Some(Self::Trace),
            "span_id" | "spanId" => Some(Self::Span),
            "user_id" | "userId" => Some(Self::User),
            "tenant_id" | "tenantId" => Some(Self::Tenant),
            _ => None,
        }
    }

    /// The key in a log line.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Trace => "traceId",
            Self::Span => "spanId",
            Self::User => "userId",
            Self::Tenant => "tenantId",
        }
    }
}

/// Values of the ids, escaped so that they are safe in either style of line; empty means absent.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    trace: Vec<u8>,
    span: Vec<u8>,
    user: Vec<u8>,
    tenant: Vec<u8>,
}

impl Ids {
    /// The id; empty when absent.
    pub(crate) fn get(&self, kind: IdKind) -> &[u8] {
        match kind {
            IdKind::Trace => &self.trace,
            IdKind::Span => &self.span,
            IdKind::User => &self.user,
            IdKind::Tenant => &self.tenant,
        }
    }

    fn slot(&mut self, kind: IdKind) -> &mut Vec<u8> {
        match kind {
            IdKind::Trace => &mut self.trace,
            IdKind::Span => &mut self.span,
            IdKind::User => &mut self.user,
            IdKind::Tenant => &mut self.tenant,
        }
    }

    pub(crate) fn clear(&mut self) {
        IdKind::ALL.into_iter().for_each(|kind| self.slot(kind).clear());
    }

    /// Replaces an id.
    pub(crate) fn set(&mut self, kind: IdKind, value: &Value<'_>) {
        let slot = self.slot(kind);
        slot.clear();
        value.write_unquoted(slot, Escape::Json);
    }

    /// Takes over what is absent here.
    pub(crate) fn fill_from(&mut self, outer: &Self) {
        for kind in IdKind::ALL {
            let slot = self.slot(kind);
            if slot.is_empty() {
                slot.extend_from_slice(outer.get(kind));
            }
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        IdKind::ALL.into_iter().all(|kind| !self.get(kind).is_empty())
    }
}

impl Visit for Ids {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(kind) = IdKind::of_field(field.name()) {
            self.set(kind, &Value::Text(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(kind) = IdKind::of_field(field.name()) {
            self.set(kind, &Value::Debug(value));
        }
    }
}

/// Keeps a new span's ids with the span.
pub(crate) fn remember<S>(attributes: &Attributes<'_>, id: &Id, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if !attributes
        .fields()
        .iter()
        .any(|field| IdKind::of_field(field.name()).is_some())
    {
        return;
    }
    let mut ids = Ids::default();
    attributes.record(&mut ids);
    if let Some(span) = context.span(id) {
        span.extensions_mut().replace(ids);
    }
}

/// Keeps ids that are recorded later, such as the user's after authentication.
pub(crate) fn update<S>(values: &Record<'_>, id: &Id, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(span) = context.span(id) else { return };
    if span.extensions().get::<Ids>().is_none() {
        return;
    }
    // Read first, then lock: a value's `Debug` may itself log.
    let mut ids = Ids::default();
    values.record(&mut ids);
    if let Some(stored) = span.extensions_mut().get_mut::<Ids>() {
        ids.fill_from(stored);
        *stored = ids;
    }
}
