//! `GET /api/iam/endpoint-rules`

use crate::model::Rule;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Rule>>, Problem> {
    let plan = query.plan(store::endpoint::SORT)?;
    let rules = store::endpoint::page(app.context.db.app.begin(&mut allowed.scope), &plan).await?;
    Ok(Json(plan.page(rules, |rule| {
        let value = match plan.key.field {
            "createdAt" => rule.created_at.to_string(),
            _ => rule.pattern.clone(),
        };
        (value, rule.id.uuid())
    })))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.endpointRules.list")
        .tag("iam")
        .summary("List the tenant's own endpoint rules")
        .description("Sort by `pattern` (default) or `createdAt`.")
}
