//! `POST /api/iam/permissions/check`

use super::ask::{Question, ask, attributes, catch_up};
use crate::{App, CheckPermissions, ExplainDecisions};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stoa_kernel::http::Json;
use stoa_kernel::{Allowed, Permission, Problem};
use stoa_policy::DataScope;
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

/// The question.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "userId": "0197a0b0-0000-7000-8000-000000000001", "tenantId": "0197a0b0-0000-7000-8000-000000000002",
    "resource": "customers", "action": "read"
}))]
pub(crate) struct CheckRequest {
    /// Who wants to.
    user_id: UserId,
    /// The user's tenant, which must be the caller's.
    tenant_id: TenantId,
    /// A resource such as `customers`, or a path such as `/api/customers`.
    resource: String,
    /// An action such as `read`; with a path, an HTTP method.
    action: String,
    /// The row in question, such as `{"ownerId": "…", "branchId": "…"}`. Without it the answer is whether the user may
    /// do this to any row at all.
    #[serde(default)]
    attributes: Option<BTreeMap<String, serde_json::Value>>,
    /// The `revision` of a write that the answer must know of; it waits up to a second for it to arrive.
    #[serde(default)]
    min_revision: Option<i64>,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckResponse {
    /// Whether it is allowed.
    allowed: bool,
    /// The policy's revision that decided.
    revision: i64,
    /// Why: `granted`, `possible` (for some rows), `public`, `authenticated`, `denied`, `deniedByUnknown`,
    /// `outOfScope`, `conditionNotMet`, `noGrant`, `noRule`.
    reason: String,
    /// The permission that was asked for; with a path, the one that its rule requires.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<String>,
    /// The widest scope in which it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    scope: Option<DataScope>,
    /// The ids of the endpoint rule and the grants that determined the answer.
    determining: Vec<Uuid>,
    /// Every grant considered and what was nearly enough, for callers with `iam:explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<serde_json::Value>,
}

pub(crate) async fn handler(
    State(app): State<App>,
    allowed: Allowed<CheckPermissions>,
    Json(body): Json<CheckRequest>,
) -> Result<Json<CheckResponse>, Problem> {
    let tenant = allowed.scope.tenant();
    if body.tenant_id != tenant {
        return Err(Problem::not_found("tenant"));
    }
    if let Some(revision) = body.min_revision {
        catch_up(&app, tenant, body.user_id, revision).await?;
    }
    let question = if body.resource.starts_with('/') {
        Question::Endpoint {
            method: body.action.to_ascii_uppercase(),
            path: &body.resource,
        }
    } else {
        Question::Action {
            permission: format!("{}:{}", body.resource, body.action),
            row: body.attributes.map(attributes),
        }
    };
    let explain = allowed.caller().decide(ExplainDecisions::NAME, None).allowed;
    let verdict = ask(&app, tenant, body.user_id, question, explain).await?;
    Ok(Json(CheckResponse {
        allowed: verdict.allowed,
        revision: verdict.revision,
        reason: verdict.reason,
        permission: verdict.permission,
        scope: verdict.scope,
        determining: verdict.determining,
        explanation: verdict.explanation,
    }))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.permissions.check")
        .tag("iam")
        .summary("Ask whether a user may do something")
        .description(
            "`resource` is a resource or, when it starts with `/`, a path; then `action` is an HTTP method. An unknown \
             user may do nothing that needs a permission.",
        )
}
