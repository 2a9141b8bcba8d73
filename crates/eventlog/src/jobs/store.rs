//! All SQL of jobs but their table's, which `stoa.job_table` makes. The schema is a service's name, never input.

/// The columns of an operation, in the order of [`super::Operation::read`].
macro_rules! operation_columns {
    () => {
        "id, kind, status, done, total, result, problem, created_at, created_by, updated_at, finished_at"
    };
}

pub(super) fn insert(schema: &str) -> String {
    format!(
        "insert into \"{schema}\".job (tenant_id, id, kind, ready, priority, unique_key, input, total, max_attempts,
           patience_s, run_at, actor, causation, correlation, traceparent, created_at, created_by, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $16)"
    )
}

/// Operations of the tenant; conditions follow.
pub(super) fn operations(schema: &str) -> String {
    format!(
        concat!(
            "select ",
            operation_columns!(),
            " from \"{schema}\".job where true"
        ),
        schema = schema
    )
}

/// Cancels an unfinished job whose row is locked.
pub(super) fn cancel(schema: &str) -> String {
    format!(
        "update \"{schema}\".job set cancel_requested = true, ready = false, updated_at = $2,
           status = case when status = 'queued' then 'cancelled' else status end,
           finished_at = case when status = 'queued' then $2::timestamptz end
         where id = $1"
    )
}

/// The holder's writes fail as a whole when the lease is lost or the job was cancelled.
fn held(schema: &str, changes: &str) -> String {
    format!(
        "with held as (
           update \"{schema}\".job set {changes}
           where tenant_id = $1 and id = $2 and lease_token = $3 and not cancel_requested returning id)
         select stoa.require_lease(exists (select from held))"
    )
}

pub(super) fn save(schema: &str) -> String {
    held(schema, "state = $4, done = $5, total = $6, updated_at = $7")
}

pub(super) fn finish(schema: &str) -> String {
    held(
        schema,
        "status = 'succeeded', result = $4, done = coalesce(total, done), last_error = null, lease_token = null,
         lease_until = null, updated_at = $5, finished_at = $5",
    )
}

/// A plan that was made while the table was small is kept by the connection; it must not scan when it has grown.
pub(super) const BY_INDEX: &str =
    "select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)";

/// What a worker runs, as the system role, on rows of every tenant.
pub(super) struct Statements {
    pub(super) promote: String,
    pub(super) take_over: String,
    pub(super) claim: String,
    pub(super) extend: String,
    pub(super) settle: String,
    pub(super) delete_old: String,
    pub(super) waiting: String,
}

impl Statements {
    pub(super) fn of(schema: &str) -> Self {
        Self {
            promote: promote(schema),
            take_over: take_over(schema),
            claim: claim(schema),
            extend: extend(schema),
            settle: settle(schema),
            delete_old: delete_old(schema),
            waiting: waiting(schema),
        }
    }
}

/// Makes ready whose time has come, by the injected clock.
fn promote(schema: &str) -> String {
    format!(
        "update \"{schema}\".job j set ready = true
         from (select tenant_id, id from \"{schema}\".job
               where status = 'queued' and not ready and run_at <= $1
               order by run_at limit 500 for update skip locked) due
         where j.tenant_id = due.tenant_id and j.id = due.id"
    )
}

/// Takes jobs from workers that have not been heard of, by the database's clock. The attempt counts: it may be the job
/// that ends its workers.
fn take_over(schema: &str) -> String {
    format!(
        "update \"{schema}\".job j
         set status = case when cancel_requested then 'cancelled' else 'queued' end, ready = not cancel_requested,
             lease_token = null, lease_until = null, updated_at = $1, failing_since = coalesce(failing_since, $1),
             last_error = 'its worker was lost', finished_at = case when cancel_requested then $1::timestamptz end
         from (select tenant_id, id from \"{schema}\".job
               where status = 'running' and lease_until < clock_timestamp()
               order by lease_until limit 100 for update skip locked) lost
         where j.tenant_id = lost.tenant_id and j.id = lost.id
         returning j.kind"
    )
}

/// Claims a job of the next tenant after `$2` that has one ready, of the kinds `$1`: one look into the index for each
/// kind, however many jobs wait and however many of them are another tenant's.
fn claim(schema: &str) -> String {
    let first = |condition: &str| {
        format!(
            "select j.tenant_id, j.id from unnest($1::text[]) as k (kind) cross join lateral (
               select tenant_id, id, priority, run_at from \"{schema}\".job
               where kind = k.kind and ready and {condition}
               order by tenant_id, priority desc, run_at, id limit 1 for update skip locked) j
             order by j.tenant_id, j.priority desc, j.run_at, j.id limit 1"
        )
    };
    let after = first("tenant_id > $2");
    let wrapped = first("tenant_id <= $2 and not exists (select from after)");
    format!(
        "with after as materialized ({after}), wrapped as materialized ({wrapped}),
           chosen as (select tenant_id, id from after union all select tenant_id, id from wrapped)
         update \"{schema}\".job j
         set status = 'running', ready = false, attempts = attempts + 1, lease_token = $3,
             lease_until = clock_timestamp() + make_interval(secs => $4), updated_at = $5
         from chosen c where j.tenant_id = c.tenant_id and j.id = c.id
         returning j.tenant_id, j.id, j.kind, j.input, j.state, j.done, j.total, j.attempts, j.max_attempts,
           j.patience_s, j.failing_since, j.run_at, j.actor, j.causation, j.correlation, j.traceparent"
    )
}

/// Extends a lease; false when it is lost. A row that is locked belongs to the holder's own transaction, and nobody
/// takes it over meanwhile.
fn extend(schema: &str) -> String {
    format!(
        "with held as (
           select tenant_id, id from \"{schema}\".job
           where tenant_id = $1 and id = $2 and lease_token = $3 for update skip locked),
         extended as (
           update \"{schema}\".job j set lease_until = clock_timestamp() + make_interval(secs => $4)
           from held where j.tenant_id = held.tenant_id and j.id = held.id)
         select exists (select from \"{schema}\".job where tenant_id = $1 and id = $2 and lease_token = $3)"
    )
}

/// Writes down how a step ended, unless the lease is lost; the status that the job has now. `$13` says whether it is
/// cancelled instead, when that was asked for.
fn settle(schema: &str) -> String {
    format!(
        "update \"{schema}\".job
         set status = case when cancel_requested and $13 then 'cancelled' else $4::text end,
             ready = $5 and not cancel_requested, run_at = $6, attempts = $7, failing_since = $8, result = $9,
             problem = case when cancel_requested and $13 then null else $10::jsonb end, last_error = $11, lease_token = null, lease_until = null, updated_at = $12,
             done = case when $4::text = 'succeeded' then coalesce(total, done) else done end,
             finished_at = case when $4::text <> 'queued' or cancel_requested then $12::timestamptz end
         where tenant_id = $1 and id = $2 and lease_token = $3
         returning status"
    )
}

/// How many old operations are deleted in one transaction.
pub(super) const PORTION: usize = 1000;

/// Deletes operations that finished before `$1`.
fn delete_old(schema: &str) -> String {
    format!(
        "delete from \"{schema}\".job j
         using (select tenant_id, id from \"{schema}\".job where finished_at < $1
                order by finished_at limit {PORTION} for update skip locked) old
         where j.tenant_id = old.tenant_id and j.id = old.id
         returning j.id"
    )
}

/// How many jobs are ready and since when the oldest is, of the first hundred thousand.
fn waiting(schema: &str) -> String {
    format!(
        "select count(*), min(run_at) from (select run_at from \"{schema}\".job where ready limit 100000) w"
    )
}
