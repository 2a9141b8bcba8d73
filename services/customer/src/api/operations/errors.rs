//! `GET /api/customers/operations/{id}/errors`

use super::view;
use crate::import::OperationError;
use crate::store::operation;
use crate::{App, ReadCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListPlan, ListQuery, Path, Query};
use stoa_kernel::{Allowed, DbError, Problem, Scope};
use stoa_types::{OperationId, Page};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomerOperationErrors")
        .tag(super::TAG)
        .summary("List what an import or a bulk update could not do")
        .description(
            "Sorted by `row` or `-row`. At most 100,000 are kept of an operation, or 64 MiB, for seven days.",
        )
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<OperationId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<OperationError>>, Problem> {
    let errors = Errors {
        operation: id,
        plan: query.plan(operation::ERROR_SORT)?,
        whole: false,
    };
    let view = view(&allowed);
    view.find(app.db.begin(&mut allowed.scope), id).await?;
    Ok(Json(errors.page(&app, &mut allowed.scope).await?))
}

/// A page of an operation's errors. Who may see the operation may see them.
pub(crate) struct Errors {
    pub(crate) operation: OperationId,
    pub(crate) plan: ListPlan,
    /// Whether cells come uncut.
    pub(crate) whole: bool,
}

impl Errors {
    pub(crate) async fn page(&self, app: &App, scope: &mut Scope) -> Result<Page<OperationError>, DbError> {
        let mut select = Select::new(if self.whole {
            operation::WHOLE_ERRORS
        } else {
            operation::ERRORS
        });
        let id = select.param(self.operation.uuid());
        select.and(&format!("operation = {id}"));
        self.plan.finish(&mut select);
        let rows = select.read(app.db.begin(scope)).await?;
        let errors = operation::errors(&rows)?;
        Ok(self
            .plan
            .page(errors, |error| (error.row.to_string(), self.operation.uuid())))
    }
}
