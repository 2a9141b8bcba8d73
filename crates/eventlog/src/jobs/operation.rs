//! A job as its user sees it.

use super::{JobKind, store};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_kernel::db::{Row, Select};
use stoa_kernel::http::{ListQuery, SortKey};
use stoa_kernel::idempotency::Answer;
use stoa_kernel::{Clock, DbError, Problem, Scope, TenantTx};
use stoa_types::{OperationId, Page};

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OperationStatus {
    /// It waits for its turn, its time or another attempt.
    Queued,
    /// A step of it is running.
    Running,
    /// It is over; see `result`.
    Succeeded,
    /// It is over; see `problem`.
    Failed,
    /// It was cancelled; what its steps had done by then stays.
    Cancelled,
}

impl OperationStatus {
    fn named(name: &str) -> Result<Self, DbError> {
        match name {
            "queued" => Ok(Self::Queued),
            "running" => Ok(Self::Running),
            "succeeded" => Ok(Self::Succeeded),
            "failed" => Ok(Self::Failed),
            "cancelled" => Ok(Self::Cancelled),
            _ => Err(DbError::Unexpected(format!("unknown status {name} of a job"))),
        }
    }
}

/// Work that goes on after its request was answered. It can be read for seven days after its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The id.
    pub id: OperationId,
    /// `service.what`, such as `customer.import`.
    pub kind: String,
    /// Where it stands.
    pub status: OperationStatus,
    /// How much is done, in units of the kind's own.
    pub done: i64,
    /// How much there is to do; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// What came of it; the kind says what that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Who asked for it: a user's id, or the name of a system scope.
    pub created_by: String,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// When it was over; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

impl Operation {
    fn read(row: &Row) -> Result<Self, DbError> {
        let problem: Option<Value> = row.try_get(6)?;
        let problem = problem.map(serde_json::from_value).transpose();
        Ok(Self {
            id: OperationId(row.try_get(0)?),
            kind: row.try_get(1)?,
            status: OperationStatus::named(row.try_get(2)?)?,
            done: row.try_get(3)?,
            total: row.try_get(4)?,
            result: row.try_get(5)?,
            problem: problem.map_err(|e| DbError::Unexpected(format!("a job's problem: {e}")))?,
            created_at: row.try_get(7)?,
            created_by: row.try_get(8)?,
            updated_at: row.try_get(9)?,
            finished_at: row.try_get(10)?,
        })
    }
}

/// 202 with Location: the answer of a command that goes on as an operation (RFC 9110, section 15.3.3).
#[must_use]
pub fn accepted(operation: &Operation, location: impl Into<String>) -> Answer<Operation> {
    Answer::accepted(location.into(), operation.clone())
}

/// 409 when the commit was refused because of [`NewJob::unique`](super::NewJob::unique), else the error's own problem.
#[must_use]
pub fn conflict(error: DbError) -> Problem {
    if error.constraint() == Some("job_unique_key") {
        return Problem::conflict(
            "operation.running",
            "the same work is queued or running already; wait for that operation, or cancel it",
        );
    }
    error.into()
}

/// What operations can be sorted by.
const SORT: &[SortKey] = &[SortKey {
    field: "createdAt",
    column: "created_at",
    sql_type: "timestamptz",
}];

/// The operations of a service that a caller may see, in the transaction's tenant.
///
/// ```no_run
/// # use stoa_eventlog::jobs::{Operation, View};
/// # use stoa_kernel::{Database, Problem, Scope};
/// # async fn handle(db: Database, mut scope: Scope, id: stoa_types::OperationId) -> Result<Operation, Problem> {
/// let view = View::own("customer", &scope);
/// view.find(db.begin(&mut scope), id).await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct View {
    service: &'static str,
    creator: Option<String>,
    kind: Option<&'static str>,
}

impl View {
    /// Those that the scope's actor asked for.
    #[must_use]
    pub fn own(service: &'static str, scope: &Scope) -> Self {
        Self {
            service,
            creator: Some(scope.actor().to_string()),
            kind: None,
        }
    }

    /// All of the tenant. The caller decides who may.
    #[must_use]
    pub fn all(service: &'static str) -> Self {
        Self {
            service,
            creator: None,
            kind: None,
        }
    }

    /// Of these the ones of one kind.
    #[must_use]
    pub fn of<K: JobKind>(mut self) -> Self {
        self.kind = Some(K::NAME);
        self
    }

    /// Reads one.
    ///
    /// # Errors
    /// 404, or the database's.
    pub async fn find(&self, tx: TenantTx<'_>, id: OperationId) -> Result<Operation, Problem> {
        let rows = self.one(id).read(tx).await?;
        let row = rows.first().ok_or_else(not_found)?;
        Ok(Operation::read(row)?)
    }

    /// Lists them by `createdAt`.
    ///
    /// # Errors
    /// 422 when the query is not valid, or the database's.
    pub async fn list(&self, tx: TenantTx<'_>, query: &ListQuery) -> Result<Page<Operation>, Problem> {
        let plan = query.plan(SORT)?;
        let mut select = self.select();
        plan.finish(&mut select);
        let rows = select.read(tx).await?;
        let operations: Vec<_> = rows.iter().map(Operation::read).collect::<Result<_, _>>()?;
        Ok(plan.page(operations, |operation| {
            (operation.created_at.to_string(), operation.id.uuid())
        }))
    }

    /// Cancels one, when `tx` commits: at once when it is queued; a running one stops at its next save at the latest.
    /// Cancelling twice is cancelling once. Returns the operation as it is then.
    ///
    /// # Errors
    /// 404, 409 `operation.finished` when it is over otherwise, or the database's; `tx` has been rolled back.
    pub async fn cancel<'s>(
        &self,
        mut tx: TenantTx<'s>,
        clock: &Clock,
        id: OperationId,
    ) -> Result<(TenantTx<'s>, Operation), Problem> {
        let mut select = self.one(id);
        select.push("for update");
        select.defer(&mut tx);
        let rows = tx.flush().await?;
        let Some(row) = rows.last().and_then(|rows| rows.first()) else {
            return tx.refuse(not_found()).await;
        };
        let mut operation = Operation::read(row)?;
        match operation.status {
            OperationStatus::Cancelled => return Ok((tx, operation)),
            OperationStatus::Succeeded | OperationStatus::Failed => {
                let problem = Problem::conflict("operation.finished", "the operation is over already");
                return tx.refuse(problem).await;
            }
            OperationStatus::Queued => operation.status = OperationStatus::Cancelled,
            OperationStatus::Running => {}
        }
        let now = clock.now();
        operation.updated_at = now;
        operation.finished_at = (operation.status == OperationStatus::Cancelled).then_some(now);
        tx.defer(store::cancel(self.service), stoa_kernel::params![id.uuid(), now]);
        Ok((tx, operation))
    }

    fn select(&self) -> Select {
        let mut select = Select::new(&store::operations(self.service));
        if let Some(creator) = &self.creator {
            let creator = select.param(creator.clone());
            select.and(&format!("created_by = {creator}"));
        }
        if let Some(kind) = self.kind {
            let kind = select.param(kind);
            select.and(&format!("kind = {kind}"));
        }
        select
    }

    fn one(&self, id: OperationId) -> Select {
        let mut select = self.select();
        let id = select.param(id.uuid());
        select.and(&format!("id = {id}"));
        select
    }
}

fn not_found() -> Problem {
    Problem::not_found("operation")
}
