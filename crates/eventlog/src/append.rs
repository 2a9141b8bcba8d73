//! Appending: one deferred insert, which commits with the change that it tells of.

use crate::{store, stored, wake};
use stoa_kernel::{Clock, DbError, Event, TenantTx};
use stoa_types::EventId;

/// The largest event, in bytes of JSON: events carry references, not documents.
const MAX_BYTES: usize = 256 << 10;

/// Appends `event` to the log in `tx`: written when `tx` commits, lost when it does not.
///
/// Call it after the statement that locks the aggregate's row: the insert is deferred, so its sequence number is drawn
/// after that lock, and the numbers of one aggregate's events have the order of their commits.
///
/// # Errors
/// [`DbError::Unexpected`] when the event cannot be serialised or is larger than 256 KiB.
pub fn append<E: Event>(tx: &mut TenantTx<'_>, clock: &Clock, event: &E) -> Result<EventId, DbError> {
    let refused = |why: String| DbError::Unexpected(format!("event {} cannot be appended: {why}", E::TYPE));
    let data = serde_json::to_value(event).map_err(|e| refused(e.to_string()))?;
    let bytes = data.to_string().len();
    if bytes > MAX_BYTES {
        return Err(refused(format!(
            "it has {bytes} bytes, more than {MAX_BYTES}; put a reference into it instead"
        )));
    }
    let id = EventId::new();
    let span = stoa_telemetry::step!("event.append", event.kind = E::TYPE, event.id = %id);
    let origin = tx.origin().clone();
    // The consumers continue the trace where the event was made.
    let traceparent = stoa_telemetry::context_of(&span).map(|context| context.to_string());
    let params = stoa_kernel::params![
        id.uuid(),
        clock.now(),
        tx.tenant(),
        E::TOPIC,
        stored::source(E::TYPE),
        E::TYPE,
        format!("{}/{}", E::AGGREGATE, event.aggregate_id()),
        E::AGGREGATE,
        event.aggregate_id(),
        event.aggregate_version(),
        origin.causation,
        origin.correlation,
        stored::actor_text(&origin.actor),
        traceparent.or_else(|| origin.traceparent.as_deref().map(str::to_owned)),
        data,
    ];
    tx.defer_with_token(store::APPEND, params);
    tx.after_commit(wake::written);
    metrics::counter!("stoa_events_appended_total", "topic" => E::TOPIC, "type" => E::TYPE).increment(1);
    Ok(id)
}
