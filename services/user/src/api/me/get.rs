//! `GET /api/users/me`

use crate::model::User;
use crate::{App, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::Problem;
use stoa_kernel::allowed::SignedIn;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getMyself")
        .tag(crate::api::users::TAG)
        .summary("Read one's own profile")
        .description("404 for an account that nobody made a profile for.")
}

pub(super) async fn handle(
    mut caller: SignedIn,
    State(app): State<App>,
    known: IfNoneMatch,
) -> Result<Conditional<User>, Problem> {
    let id = super::myself(&caller.scope)?;
    let mut select = Select::new(store::LIVE);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    let rows = select.read(app.db.begin(&mut caller.scope)).await?;
    let user = store::one(&rows)?.ok_or_else(|| Problem::not_found(crate::api::users::WHAT))?;
    Ok(known.answer(user.record.version, user))
}
