//! `GET /api/iam/assignments`

use crate::model::Assignment;
use crate::store::assignment::{self, Filter};
use crate::{App, ReadPolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{Page, RoleId, UserId};

/// The list's parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Only this user's.
    user: Option<UserId>,
    /// Only of this role.
    role: Option<RoleId>,
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `createdAt` or `-createdAt`.
    sort: Option<String>,
}

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Query(query): Query<Parameters>,
) -> Result<Json<Page<Assignment>>, Problem> {
    let filter = Filter {
        user: query.user,
        role: query.role,
    };
    let list = ListQuery {
        limit: query.limit,
        cursor: query.cursor,
        sort: query.sort,
    };
    let plan = list.plan(assignment::SORT)?;
    let found = assignment::page(app.context.db.app.begin(&mut allowed.scope), &plan, &filter).await?;
    Ok(Json(plan.page(found, |assignment| {
        (assignment.created_at.to_string(), assignment.id.uuid())
    })))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.assignments.list")
        .tag("iam")
        .summary("List who holds which role")
}
