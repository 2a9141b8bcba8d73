//! The only SQL of this service. Here: the write path that all policy writes share, and lists.

pub(crate) mod administration;
pub(crate) mod assignment;
pub(crate) mod branch;
pub(crate) mod change;
pub(crate) mod endpoint;
pub(crate) mod grant;
pub(crate) mod reach;
pub(crate) mod replica;
pub(crate) mod role;
pub(crate) mod seed;
pub(crate) mod subject;
pub(crate) mod team;
pub(crate) mod tenant;

use crate::CHANGE_LOCK;
use crate::error::refused;
use axum::response::Response;
use http::HeaderValue;
use jiff::Timestamp;
use serde::Serialize;
use stoa_kernel::db::{Params, Row, ToSql, Tx};
use stoa_kernel::http::ListPlan;
use stoa_kernel::idempotency::{Answer, Command};
use stoa_kernel::{Actor, DbError, Problem, TenantTx, params};
use stoa_types::UserId;
use uuid::Uuid;

/// For [`CHANGE_LOCK`].
pub(crate) const LOCK_CHANGES: &str = "select pg_advisory_xact_lock($1)";
const LOCK_REVISION: &str = "select revision from access.revision where tenant_id = $1 for update";
const RAISE_REVISION: &str = "update access.revision set revision = $2 where tenant_id = $1";
const RECORD: &str = "insert into access.change
     (tenant_id, seq, id, revision, kind, entity_id, user_id, actor, correlation, before, after, at)
   values ($1, nextval('access.change_seq'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
/// A new tenant starts at 0, which its first write raises.
const RECORD_FIRST: &str = "insert into access.revision (tenant_id, revision) values ($1, 0)
                            on conflict do nothing returning tenant_id";
/// Policy writers are rare, so they may notify; it takes a global lock at commit.
pub(crate) const NOTIFY: &str = "select pg_notify('stoa_policy', '')";

/// A statement with its parameters.
pub(crate) type Statement = (&'static str, Params);

/// The rows of each statement of a flush, in order.
pub(crate) struct Results(std::vec::IntoIter<Vec<Row>>);

impl Results {
    /// The next statement's rows, as `read` makes them.
    pub(crate) fn all<T>(&mut self, read: fn(&Row) -> Result<T, DbError>) -> Result<Vec<T>, DbError> {
        self.0.next().unwrap_or_default().iter().map(read).collect()
    }

    /// The next statement's only row.
    pub(crate) fn one<T>(&mut self, read: fn(&Row) -> Result<T, DbError>) -> Result<Option<T>, DbError> {
        self.0.next().unwrap_or_default().first().map(read).transpose()
    }
}

/// A policy write that holds its locks: what it changes, its revision and its change rows commit together.
pub(crate) struct PolicyWrite<'s> {
    tx: TenantTx<'s>,
    /// The revision from which the change holds.
    pub(crate) revision: i64,
    /// The time of the change.
    pub(crate) now: Timestamp,
    /// Who does it, for `created_by` and the audit trail.
    pub(crate) actor: String,
}

/// One change, for the audit trail and for every process's replica.
pub(crate) struct Change {
    /// `entity.verb`.
    pub(crate) kind: &'static str,
    /// What changed.
    pub(crate) entity: Option<Uuid>,
    /// The only user concerned; `None` when the tenant's policy changed, or many users.
    pub(crate) user: Option<UserId>,
    /// The record before.
    pub(crate) before: Option<serde_json::Value>,
    /// The record after.
    pub(crate) after: Option<serde_json::Value>,
}

impl<'s> PolicyWrite<'s> {
    /// Takes the locks and runs `reads`, in one flush.
    pub(crate) async fn lock(
        mut tx: TenantTx<'s>,
        now: Timestamp,
        reads: impl IntoIterator<Item = Statement>,
    ) -> Result<(Self, Results), Problem> {
        tx.defer(LOCK_CHANGES, params![CHANGE_LOCK]);
        tx.defer(LOCK_REVISION, params![tx.tenant()]);
        for (sql, params) in reads {
            tx.defer(sql, params);
        }
        let mut results = Results(tx.flush().await?.into_iter());
        results.0.next();
        let Some(revision) = results.one(|row| Ok(row.try_get::<_, i64>(0)?))? else {
            tx.rollback().await;
            return Err(Problem::not_found("tenant"));
        };
        let write = Self {
            actor: actor_text(&tx.origin().actor),
            tx,
            revision: revision + 1,
            now,
        };
        Ok((write, results))
    }

    /// The tenant.
    pub(crate) fn tenant(&self) -> Uuid {
        self.tx.tenant()
    }

    /// Runs a read now, for a question that follows from the first reads.
    pub(crate) async fn ask(&mut self, (sql, params): Statement) -> Result<Results, DbError> {
        self.tx.defer(sql, params);
        Ok(Results(self.tx.flush().await?.into_iter()))
    }

    /// Adds a statement to the commit's flush.
    pub(crate) fn change(&mut self, (sql, params): Statement) {
        self.tx.defer(sql, params);
    }

    /// Adds the change row.
    pub(crate) fn record(&mut self, change: Change) {
        let params = params![
            self.tx.tenant(),
            stoa_types::new_id(),
            self.revision,
            change.kind,
            change.entity,
            change.user.map(UserId::uuid),
            self.actor.clone(),
            self.tx.origin().correlation,
            change.before,
            change.after,
            self.now,
        ];
        self.tx.defer(RECORD, params);
    }

    /// Ends the write without its changes.
    pub(crate) async fn abandon(self) {
        self.tx.rollback().await;
    }

    /// Ends the write without its changes, for an expected refusal.
    pub(crate) async fn refuse<T>(self, problem: Problem) -> Result<T, Problem> {
        self.abandon().await;
        Err(problem)
    }

    /// Commits, with the idempotency row, and answers with `x-policy-revision`.
    pub(crate) async fn answer<T: Serialize>(
        mut self,
        command: &Command<'_>,
        answer: Answer<T>,
    ) -> Result<Response, Problem> {
        let revision = self.raise();
        let mut response = command.commit(self.tx, answer).await.map_err(refused)?;
        response
            .headers_mut()
            .insert("x-policy-revision", HeaderValue::from(revision));
        Ok(response)
    }

    /// Commits a write that no client waits for.
    pub(crate) async fn commit(mut self) -> Result<(), DbError> {
        self.raise();
        self.tx.commit().await.map(|_| ())
    }

    fn raise(&mut self) -> i64 {
        self.tx
            .defer(RAISE_REVISION, params![self.tx.tenant(), self.revision]);
        self.tx.defer(NOTIFY, params![]);
        self.revision
    }
}

/// Takes the lock of policy writes, before an event's handler locks rows that a policy write or another handler locks
/// under it.
pub(crate) async fn lock_changes(tx: &mut TenantTx<'_>) -> Result<(), DbError> {
    tx.flush().await?;
    tx.query(LOCK_CHANGES, &[&CHANGE_LOCK]).await.map(|_| ())
}

/// The change rows of an event's handler, whose transaction is the event log's to commit. The order of the locks is
/// that of every policy write. Without a revision row the tenant has no policy yet, and nothing to follow.
pub(crate) async fn record_in(
    tx: &mut TenantTx<'_>,
    now: Timestamp,
    changes: impl FnOnce() -> Vec<Change>,
) -> Result<(), DbError> {
    lock_changes(tx).await?;
    let tenant = tx.tenant();
    let Some(row) = tx.query_opt(LOCK_REVISION, &[&tenant]).await? else {
        return Ok(());
    };
    let revision = row.try_get::<_, i64>(0)? + 1;
    let actor = actor_text(&tx.origin().actor);
    let correlation = tx.origin().correlation;
    for change in changes() {
        let params = params![
            tenant,
            stoa_types::new_id(),
            revision,
            change.kind,
            change.entity,
            change.user.map(UserId::uuid),
            actor.clone(),
            correlation,
            change.before,
            change.after,
            now,
        ];
        tx.defer(RECORD, params);
    }
    tx.defer(RAISE_REVISION, params![tenant, revision]);
    tx.defer(NOTIFY, params![]);
    Ok(())
}

/// A list's rows, one more than a page: `select` up to the table, conditions with their parameters, and the plan.
pub(crate) async fn list<T, Kind>(
    tx: Tx<'_, Kind>,
    plan: &ListPlan,
    select: &str,
    mut conditions: Vec<String>,
    mut params: Params,
    read: fn(&Row) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    if let Some((sql, value, id)) = plan.after_sql(params.len() + 1) {
        conditions.push(sql);
        params.push(Box::new(value));
        params.push(Box::new(id));
    }
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        format!("where {}", conditions.join(" and "))
    };
    params.push(Box::new(plan.fetch));
    let sql = format!("{select} {filter} {} limit ${}", plan.order_by(), params.len());
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| &**p as _).collect();
    tx.read(&sql, &params).await?.iter().map(read).collect()
}

/// A user's id, or the name of a system scope.
pub(crate) fn actor_text(actor: &Actor) -> String {
    match actor {
        Actor::User(user) => user.to_string(),
        Actor::System(name) => name.clone(),
    }
}

/// A record as the audit trail keeps it.
pub(crate) fn snapshot<T: Serialize>(record: &T) -> Option<serde_json::Value> {
    serde_json::to_value(record).ok()
}

/// Reads a word of the policy's vocabulary back: `allow`, `branch` and the like.
pub(crate) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, DbError> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|error| DbError::Unexpected(error.to_string()))
}

/// Reads a JSON column.
pub(crate) fn json<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, DbError> {
    serde_json::from_value(value).map_err(|error| DbError::Unexpected(error.to_string()))
}
