//! What this service builds from events: the known branches, and what merged customers bring with them.

use crate::store;
use stoa_contracts::customer::{CustomerMerged, CustomerUnmerged};
use stoa_contracts::organization::{
    Branch, BranchArchived, BranchCreated, BranchMoved, BranchRenamed, BranchRestored,
};
use stoa_eventlog::{Consumer, Delivered, HandlerError};
use stoa_kernel::service::Task;
use stoa_kernel::{ServiceContext, TenantTx};

/// Keeps `contact.branch`.
pub(crate) fn branches(context: &ServiceContext) -> Task {
    Consumer::new(context, "contact.branches")
        .replayable()
        .on(|tx, event: &Delivered<BranchCreated>| keep(tx, (&event.data).into()))
        .on(|tx, event: &Delivered<BranchMoved>| keep(tx, (&event.data).into()))
        .on(|tx, event: &Delivered<BranchRenamed>| keep(tx, (&event.data).into()))
        .on(|tx, event: &Delivered<BranchArchived>| keep(tx, (&event.data).into()))
        .on(|tx, event: &Delivered<BranchRestored>| keep(tx, (&event.data).into()))
        .task()
}

/// Gives a customer the contacts and interactions of one that was merged into it, until that is undone.
pub(crate) fn merges(context: &ServiceContext) -> Task {
    Consumer::new(context, "contact.merges")
        .replayable()
        .on(|tx, event: &Delivered<CustomerMerged>| {
            let CustomerMerged {
                customer_id: into,
                from,
                merge_id,
                ..
            } = event.data;
            store::merge(tx, from, into, merge_id);
            done()
        })
        .on(|tx, event: &Delivered<CustomerUnmerged>| {
            store::unmerge(tx, event.data.customer_id, event.data.merge_id);
            done()
        })
        .task()
}

type Handled<'a> = futures::future::BoxFuture<'a, Result<(), HandlerError>>;

fn done<'a>() -> Handled<'a> {
    Box::pin(async { Ok(()) })
}

fn keep<'a>(tx: &mut TenantTx<'_>, branch: Branch) -> Handled<'a> {
    store::keep_branch(tx, branch.id, branch.archived, branch.version);
    done()
}
