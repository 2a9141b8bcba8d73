//! What works beside the requests: imports and bulk updates in steps, and the sweep of what is old.

use crate::App;
use crate::bulk::step::{self as bulk, Bulk};
use crate::import::step::{self as import, Import};
use crate::store;
use crate::store::import::{Old, SWEEPS, Sweep};
use jiff::SignedDuration;
use std::time::Duration;
use stoa_eventlog::jobs::Worker;
use stoa_kernel::service::Task;
use stoa_kernel::{DbError, ServiceContext, SystemScope};
use tokio_util::sync::CancellationToken;

/// Old files belong to tenants that nobody is signed in to at the moment.
const SWEEP: SystemScope = SystemScope::named("customer.sweep");
/// The names under which this service acts by itself.
pub(crate) const SCOPES: &[&str] = &[SWEEP.name()];

const EVERY: Duration = Duration::from_secs(600);
const BUDGET: Duration = Duration::from_secs(60);
/// A file that does not arrive whole is kept for a day, in case that it is still on its way.
const BROKEN_OFF: SignedDuration = SignedDuration::from_hours(24);
/// Files and errors are kept as long as the operations that they belong to.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Runs imports and bulk updates.
pub(crate) fn worker(context: &ServiceContext, app: &App) -> Task {
    let (imports, bulks) = (app.clone(), app.clone());
    Worker::new(context, "customer.jobs")
        .on::<Import, _, _>(move |step| import::run(imports.clone(), step))
        .on::<Bulk, _, _>(move |step| bulk::run(bulks.clone(), step))
        .task()
}

/// Forgets old files and errors. Several processes may run it at once.
pub(crate) fn sweeper(app: &App) -> Task {
    let app = app.clone();
    Task::new("customer.sweep", move |stop| sweep(app.clone(), stop))
}

async fn sweep(app: App, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        while !stop.is_cancelled() && sweep_all(&app).await {
            tokio::task::yield_now().await;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

/// Forgets some of each kind; whether there may be more. What fails does not keep the other kinds.
async fn sweep_all(app: &App) -> bool {
    let mut more = false;
    for (what, sweep) in SWEEPS {
        match sweep_some(app, sweep).await {
            Ok(gone) => more |= gone > 0,
            Err(error) => tracing::warn!(what, %error, "cannot forget what is old; trying again soon"),
        }
    }
    more
}

/// How many went, in a transaction of their own.
async fn sweep_some(app: &App, sweep: Sweep) -> Result<i64, DbError> {
    let now = app.clock.now();
    let before = |age: SignedDuration| now.saturating_sub(age).unwrap_or(now);
    let old = Old {
        broken_off: before(BROKEN_OFF),
        expired: before(KEPT),
    };
    let mut scope = SWEEP.global(BUDGET);
    let mut tx = app.system.begin_system(&mut scope);
    sweep(&mut tx, old);
    let rows = tx.commit().await?;
    store::import::swept(&rows)
}
