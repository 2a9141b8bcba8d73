//! What this service builds from events: the known branches, and the timelines.

use crate::model::Activity;
use crate::store;
use serde_json::{Value, json};
use stoa_contracts::customer::{
    CustomerArchived, CustomerCreated, CustomerRestored, CustomerStatusChanged, CustomerUpdated,
};
use stoa_contracts::organization::{
    Branch, BranchArchived, BranchCreated, BranchMoved, BranchRenamed, BranchRestored,
};
use stoa_eventlog::{Consumer, Delivered, HandlerError};
use stoa_kernel::service::Task;
use stoa_kernel::{Event, ServiceContext, TenantTx};
use stoa_types::ActivityId;

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
    Consumer::new(context, "customer.activities")
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
        .task()
}

type Handled<'a> = futures::future::BoxFuture<'a, Result<(), HandlerError>>;

fn keep<'a>(tx: &'a mut TenantTx<'_>, branch: Branch) -> Handled<'a> {
    store::keep_branch(tx, branch.id, branch.archived, branch.version);
    Box::pin(async { Ok(()) })
}

fn add<'a, E: Event>(
    tx: &'a mut TenantTx<'_>,
    event: &'a Delivered<E>,
    kind: &str,
    details: Value,
) -> Handled<'a> {
    let activity = Activity {
        id: ActivityId(event.id.uuid()),
        at: event.time,
        kind: kind.to_owned(),
        actor: event.actor.to_string(),
        details,
    };
    store::add_activity(tx, event.aggregate_id, &activity);
    Box::pin(async { Ok(()) })
}
