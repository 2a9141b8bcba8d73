//! `GET /oauth2/jwks`: the public keys (RFC 7517, section 5).

use crate::state::State;
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::Json;
use http::header;
use serde_json::Value;
use stoa_kernel::Problem;
use stoa_kernel::allowed::Public;

type Answer = ([(header::HeaderName, &'static str); 1], Json<Value>);

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        "/oauth2/jwks",
        get_with(jwks, |op| {
            op.id("getJwks")
                .tag(super::TAG)
                .summary("The public keys that verify tokens, as a JWK Set")
                .response_with::<200, Json<Value>, _>(|res| res.description("A JWK Set"))
        }),
    )
}

async fn jwks(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
) -> Result<Answer, Problem> {
    let keys = state.keys.current().await?;
    // New keys are published two hours before they sign, so five minutes of caching harm nobody.
    Ok((
        [(header::CACHE_CONTROL, "public, max-age=300")],
        Json(keys.jwks.clone()),
    ))
}
