//! What this service builds from events: the known branches, and the timelines.

use crate::store;
use crate::timeline::{add, add_to_each};
use serde_json::json;
use stoa_contracts::contact::{
    ContactLinked, ContactUnlinked, InteractionDeleted, InteractionLogged, InteractionUpdated,
};
use stoa_contracts::customer::{
    CustomerArchived, CustomerCreated, CustomerMerged, CustomerRestored, CustomerStatusChanged,
    CustomerUnmerged, CustomerUpdated,
};
use stoa_contracts::organization::{
    Branch, BranchArchived, BranchCreated, BranchMoved, BranchRenamed, BranchRestored,
};
use stoa_eventlog::{Consumer, Delivered, HandlerError};
use stoa_kernel::service::Task;
use stoa_kernel::{ServiceContext, TenantTx};

/// The consumer that builds the timelines; a reader may wait for it.
pub(crate) const ACTIVITIES: &str = "customer.activities";

/// Keeps `customer.branch`.
pub(crate) fn branches(context: &ServiceContext) -> Task {
    Consumer::new(context, "customer.branches")
        .replayable()
        .on(|tx, event: &Delivered<BranchCreated>| keep(tx, (&event.data).into()))
        .on(|tx, event: &Delivered<BranchMoved>| keep(tx, (&event.data).into()))
        .on(|tx, event: &Delivered<BranchRenamed>| keep(tx, (&event.data).into()))
        .on(|tx, event: &Delivered<BranchArchived>| keep(tx, (&event.data).into()))
        .on(|tx, event: &Delivered<BranchRestored>| keep(tx, (&event.data).into()))
        .task()
}

/// Keeps `customer.activity`. The branch's creation is on no timeline: no customer was there.
pub(crate) fn activities(context: &ServiceContext) -> Task {
    Consumer::new(context, ACTIVITIES)
        .replayable()
        .on(|tx, event: &Delivered<CustomerCreated>| {
            add(tx, event, "created", json!({ "status": event.data.status }))
        })
        .on(|tx, event: &Delivered<CustomerUpdated>| {
            add(tx, event, "updated", json!({ "changed": event.data.changed }))
        })
        .on(|tx, event: &Delivered<CustomerStatusChanged>| {
            add(
                tx,
                event,
                "statusChanged",
                json!({ "from": event.data.from, "to": event.data.to }),
            )
        })
        .on(|tx, event: &Delivered<CustomerArchived>| add(tx, event, "archived", json!({})))
        .on(|tx, event: &Delivered<CustomerRestored>| add(tx, event, "restored", json!({})))
        .on(|tx, event: &Delivered<CustomerMerged>| {
            let CustomerMerged { from, changed, .. } = &event.data;
            add(tx, event, "merged", json!({ "from": from, "changed": changed }))
        })
        .on(|tx, event: &Delivered<CustomerUnmerged>| {
            add(tx, event, "unmerged", json!({ "from": event.data.from }))
        })
        .on(|tx, event: &Delivered<BranchMoved>| {
            add(
                tx,
                event,
                "branchMoved",
                json!({ "name": event.data.name, "path": event.data.path }),
            )
        })
        .on(|tx, event: &Delivered<BranchRenamed>| {
            add(tx, event, "branchRenamed", json!({ "name": event.data.name }))
        })
        .on(|tx, event: &Delivered<BranchArchived>| {
            add(tx, event, "branchArchived", json!({ "name": event.data.name }))
        })
        .on(|tx, event: &Delivered<BranchRestored>| {
            add(tx, event, "branchRestored", json!({ "name": event.data.name }))
        })
        .on(|tx, event: &Delivered<ContactLinked>| {
            let (customers, contact) = ([event.data.customer_id], event.data.contact_id);
            add_to_each(
                tx,
                event,
                &customers,
                "contactLinked",
                &json!({ "contactId": contact }),
            )
        })
        .on(|tx, event: &Delivered<ContactUnlinked>| {
            let (customers, contact) = ([event.data.customer_id], event.data.contact_id);
            add_to_each(
                tx,
                event,
                &customers,
                "contactUnlinked",
                &json!({ "contactId": contact }),
            )
        })
        .on(|tx, event: &Delivered<InteractionLogged>| {
            let InteractionLogged {
                interaction_id: id,
                kind,
                customers,
                ..
            } = &event.data;
            let details = json!({ "interactionId": id, "kind": kind });
            add_to_each(tx, event, customers, "interactionLogged", &details)
        })
        .on(|tx, event: &Delivered<InteractionUpdated>| {
            let InteractionUpdated {
                interaction_id: id,
                kind,
                changed,
                customers,
                ..
            } = &event.data;
            let details = json!({ "interactionId": id, "kind": kind, "changed": changed });
            add_to_each(tx, event, customers, "interactionUpdated", &details)
        })
        .on(|tx, event: &Delivered<InteractionDeleted>| {
            let InteractionDeleted {
                interaction_id: id,
                kind,
                customers,
                ..
            } = &event.data;
            let details = json!({ "interactionId": id, "kind": kind });
            add_to_each(tx, event, customers, "interactionDeleted", &details)
        })
        .task()
}

pub(crate) type Handled<'a> = futures::future::BoxFuture<'a, Result<(), HandlerError>>;

fn keep<'a>(tx: &'a mut TenantTx<'_>, branch: Branch) -> Handled<'a> {
    store::keep_branch(tx, branch.id, branch.archived, branch.version);
    Box::pin(async { Ok(()) })
}
