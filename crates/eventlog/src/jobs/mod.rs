//! Jobs: work that outlives its request, in steps that each commit on their own.
//!
//! [`enqueue`] writes a job in the caller's transaction. A [`Worker`] claims one, runs one step of it and gives it
//! back, so that no transaction spans a job and a tenant with many jobs delays nobody else by more than a step. What
//! a job shows to its user is an [`Operation`]; [`View`] reads, lists and cancels them.
//!
//! The service's migration makes the table: `call stoa.job_table('customer')`.
//!
//! # Once
//! A step that is killed runs again. What it does to the database happens once nevertheless, if it commits together
//! with [`Ticket::save`] or [`Ticket::finish`]: both refuse the commit when the job is no longer this worker's, or was
//! cancelled. What it does elsewhere needs a key of its own that the other side knows again.
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use stoa_eventlog::jobs::{self, JobKind, Next, Step, StepError, Worker};
//!
//! #[derive(Serialize, Deserialize)]
//! struct File {
//!     rows: i64,
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct At {
//!     row: i64,
//! }
//!
//! struct Import;
//!
//! impl JobKind for Import {
//!     const NAME: &'static str = "customer.import";
//!     type Input = File;
//!     type State = At;
//! }
//!
//! async fn run(db: stoa_kernel::Database, mut step: Step<Import>) -> Result<Next, StepError> {
//!     step.state.row += 100;
//!     let mut tx = db.begin(&mut step.scope);
//!     // … the work on these rows …
//!     let last = step.state.row >= step.input.rows;
//!     if last {
//!         step.ticket.finish(&mut tx, &serde_json::json!({ "rows": step.input.rows }))?;
//!     } else {
//!         step.ticket.save(&mut tx, &step.state, step.state.row, Some(step.input.rows))?;
//!     }
//!     tx.commit().await?;
//!     Ok(if last { Next::Finished } else { Next::Again })
//! }
//!
//! fn task(context: &stoa_kernel::ServiceContext) -> stoa_kernel::service::Task {
//!     let db = context.db.app.clone();
//!     Worker::new(context, "customer.jobs")
//!         .on::<Import, _, _>(move |step| run(db.clone(), step))
//!         .task()
//! }
//! ```

mod attempt;
mod claim;
mod enqueue;
mod operation;
mod run;
mod step;
mod store;
mod worker;

pub use enqueue::{NewJob, enqueue};
pub use operation::{Operation, OperationStatus, View, accepted, conflict};
pub use step::{Next, Step, StepError, Ticket};
pub use worker::Worker;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stoa_kernel::DbError;

/// The largest input, state or result, in bytes of JSON: jobs carry references, not files.
const MAX_BYTES: usize = 256 << 10;

/// A kind of job.
pub trait JobKind: Send + Sync + 'static {
    /// `service.what`, such as `customer.import`. The part before the dot is the service whose table holds the jobs.
    const NAME: &'static str;
    /// What to do; fixed when queued. Changes are additive, since jobs outlive releases.
    type Input: Serialize + DeserializeOwned + Send + Sync;
    /// Where the work stands, saved by its steps; the first one gets the default.
    type State: Serialize + DeserializeOwned + Default + Send + Sync;
}

/// The service that a kind's name begins with.
fn service_of(kind: &'static str) -> &'static str {
    kind.split('.').next().unwrap_or_default()
}

/// A part of a job as JSON; `what` names it in the error.
fn json_of<T: Serialize>(what: &str, part: &T) -> Result<Value, DbError> {
    let refused = |why: String| DbError::Unexpected(format!("the {what} of a job cannot be stored: {why}"));
    let value = serde_json::to_value(part).map_err(|e| refused(e.to_string()))?;
    let bytes = value.to_string().len();
    if bytes > MAX_BYTES {
        return Err(refused(format!(
            "it has {bytes} bytes, more than {MAX_BYTES}; keep it in a table and refer to it"
        )));
    }
    Ok(value)
}
