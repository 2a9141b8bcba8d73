//! `GET /api/iam/changes`

use crate::model::ChangeEntry;
use crate::store::change::{self, Filter};
use crate::{App, ReadPolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{Page, UserId};

/// The list's parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Only changes of what this user holds.
    user: Option<UserId>,
    /// Only this kind, such as `role.created`.
    kind: Option<String>,
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `-seq` (newest first, default) or `seq`.
    sort: Option<String>,
}

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Query(query): Query<Parameters>,
) -> Result<Json<Page<ChangeEntry>>, Problem> {
    let list = ListQuery {
        limit: query.limit,
        cursor: query.cursor,
        sort: query.sort.or_else(|| Some("-seq".to_owned())),
    };
    let plan = list.plan(change::SORT)?;
    let filter = Filter {
        user: query.user,
        kind: query.kind,
    };
    let found = change::page(app.context.db.app.begin(&mut allowed.scope), &plan, filter).await?;
    Ok(Json(
        plan.page(found, |change| (change.seq.to_string(), change.id)),
    ))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.changes.list")
        .tag("iam")
        .summary("List what was changed in the policy, by whom, with before and after")
        .description("In the order in which changes took effect, newest first. Entries are never altered.")
}
