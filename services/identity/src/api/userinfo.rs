//! `GET|POST /oauth2/userinfo` (OpenID Connect Core, section 5.3).

use crate::state::State;
use crate::store;
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::Json;
use http::header;
use schemars::JsonSchema;
use serde::Serialize;
use stoa_kernel::Problem;
use stoa_kernel::allowed::SignedIn;
use stoa_types::{TenantId, UserId};

type Answer = ([(header::HeaderName, &'static str); 1], Json<UserInfo>);

/// The signed-in user.
#[derive(Serialize, JsonSchema)]
struct UserInfo {
    /// The user's id.
    sub: UserId,
    /// The display name.
    name: String,
    /// The e-mail.
    email: String,
    /// The user's tenant.
    #[serde(rename = "tenantId")]
    tenant: TenantId,
}

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        "/oauth2/userinfo",
        get_with(userinfo, |op| docs(op, "getUserinfo")).post_with(userinfo, |op| docs(op, "postUserinfo")),
    )
}

fn docs<'t>(op: TransformOperation<'t>, id: &str) -> TransformOperation<'t> {
    op.id(id)
        .tag(super::TAG)
        .summary("Who the access token belongs to")
        .response_with::<200, Json<UserInfo>, _>(|res| res.description("The user"))
}

async fn userinfo(
    axum::extract::State(state): axum::extract::State<State>,
    mut caller: SignedIn,
) -> Result<Answer, Problem> {
    let gone = || Problem::unauthenticated("the account of this access token is not active any more");
    let user = caller.scope.user().ok_or_else(gone)?;
    let tenant = caller.scope.tenant();
    let profile = store::find_profile(&state.db.app, &mut caller.scope, user)
        .await?
        .ok_or_else(gone)?;
    let info = UserInfo {
        sub: user,
        name: profile.name,
        email: profile.email,
        tenant,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(info)))
}
