//! The entries that events make on timelines.

use crate::consumers::Handled;
use crate::model::Activity;
use crate::store;
use serde_json::Value;
use stoa_eventlog::Delivered;
use stoa_kernel::{Event, TenantTx};
use stoa_types::{ActivityId, CustomerId};
use uuid::Uuid;

/// Adds an entry about the event's aggregate: a customer, or a branch.
pub(crate) fn add<'a, E: Event>(
    tx: &'a mut TenantTx<'_>,
    event: &'a Delivered<E>,
    kind: &str,
    details: Value,
) -> Handled<'a> {
    let activity = entry(event, event.id.uuid(), kind, details);
    store::add_activity(tx, event.aggregate_id, &activity);
    Box::pin(async { Ok(()) })
}

/// Adds an entry to the timeline of each of these customers.
pub(crate) fn add_to_each<'a, E: Event>(
    tx: &'a mut TenantTx<'_>,
    event: &'a Delivered<E>,
    customers: &[CustomerId],
    kind: &str,
    details: &Value,
) -> Handled<'a> {
    for customer in customers {
        let id = entry_id(event.id.uuid(), customer.uuid());
        store::add_activity(tx, customer.uuid(), &entry(event, id, kind, details.clone()));
    }
    Box::pin(async { Ok(()) })
}

fn entry<E: Event>(event: &Delivered<E>, id: Uuid, kind: &str, details: Value) -> Activity {
    Activity {
        id: ActivityId(id),
        at: event.time,
        kind: kind.to_owned(),
        actor: event.actor.to_string(),
        details,
    }
}

/// An id for each of an event's entries, the same at every delivery. The event's id is random in 74 bits, so that no two
/// pairs meet.
fn entry_id(event: Uuid, customer: Uuid) -> Uuid {
    Uuid::from_u128(event.as_u128() ^ customer.as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: EV-04
    #[test]
    fn each_of_an_events_entries_has_an_id_of_its_own() {
        let (event, first, second) = (stoa_types::new_id(), stoa_types::new_id(), stoa_types::new_id());
        assert_eq!(entry_id(event, first), entry_id(event, first));
        let ids = [event, entry_id(event, first), entry_id(event, second)];
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_ne!(entry_id(stoa_types::new_id(), first), ids[1]);
    }
}
