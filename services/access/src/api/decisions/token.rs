//! `POST /api/iam/auth/token/validate`

use crate::{App, CheckPermissions};
use aide::transform::TransformOperation;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_contracts::identity::ValidateToken;
use stoa_kernel::http::Json;
use stoa_kernel::{Allowed, Problem};
use stoa_types::{TenantId, UserId};

/// The token in question.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ValidateRequest {
    /// An access token (a compact JWT).
    token: String,
}

/// What became of it.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValidateResponse {
    /// Whether it is good now.
    active: bool,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    /// The user's tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// Why it is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<CheckPermissions>,
    Json(body): Json<ValidateRequest>,
) -> Result<Json<ValidateResponse>, Problem> {
    let tenant = allowed.scope.tenant();
    let call = ValidateToken { token: body.token };
    let status = app.context.mesh.call(&mut allowed.scope, call).await?;
    let expires_at = status
        .expires_at
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    Ok(Json(match (status.active, status.tenant) {
        (true, Some(of)) if of == tenant => ValidateResponse {
            active: true,
            user_id: status.subject,
            tenant_id: status.tenant,
            expires_at,
            reason: None,
        },
        (true, _) => inactive("it belongs to another tenant"),
        (false, _) => inactive(status.reason.as_deref().unwrap_or("it is not valid")),
    }))
}

fn inactive(reason: &str) -> ValidateResponse {
    ValidateResponse {
        reason: Some(reason.to_owned()),
        ..ValidateResponse::default()
    }
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.auth.validateToken")
        .tag("iam")
        .summary("Ask whether an access token is good")
        .description("Of another tenant's token it says only that it is not good here.")
}
