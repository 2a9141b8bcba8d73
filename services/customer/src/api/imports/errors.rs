//! `GET /api/customers/imports/{id}/errors`

use super::super::operations::Errors;
use crate::import::OperationError;
use crate::store::operation;
use crate::{App, ImportCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::http::{Json, ListQuery, Path, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{OperationId, Page, UploadId};

/// What to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `row` (default) or `-row`.
    sort: Option<String>,
    /// One of the operations that were started with the file; the last one unless given.
    operation: Option<OperationId>,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomerImportErrors")
        .tag(super::TAG)
        .summary("List the rows of a file that could not be imported")
        .description(
            "Empty before the import was started. Cells are cut to 200 characters; `errors.csv` has them whole. At most \
             100,000 rows are kept, or 64 MiB, for seven days.",
        )
}

pub(super) async fn handle(
    mut allowed: Allowed<ImportCustomers>,
    State(app): State<App>,
    Path(id): Path<UploadId>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Page<OperationError>>, Problem> {
    let Parameters {
        limit,
        cursor,
        sort,
        operation,
    } = parameters;
    let plan = ListQuery { limit, cursor, sort }.plan(operation::ERROR_SORT)?;
    let (_, operation) = super::with_operation(&mut allowed, &app, id, operation).await?;
    let Some(operation) = operation else {
        return Ok(Json(Page {
            items: Vec::new(),
            next_cursor: None,
        }));
    };
    let errors = Errors {
        operation,
        plan,
        whole: false,
    };
    Ok(Json(errors.page(&app, &mut allowed.scope).await?))
}
