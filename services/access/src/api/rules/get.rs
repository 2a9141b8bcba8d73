//! `GET /api/iam/endpoint-rules/{id}`

use crate::api::RulePath;
use crate::model::Rule;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Path(path): Path<RulePath>,
) -> Result<Versioned<Rule>, Problem> {
    let rule = store::endpoint::get(app.context.db.app.begin(&mut allowed.scope), path.id)
        .await?
        .ok_or_else(|| Problem::not_found("endpoint rule"))?;
    Ok(Versioned {
        version: rule.version,
        body: rule,
    })
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.endpointRules.get")
        .tag("iam")
        .summary("Get an endpoint rule of the tenant")
}
