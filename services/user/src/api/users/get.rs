//! `GET /api/users/{id}`

use crate::model::{SCHEMA, User};
use crate::{App, ReadUsers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::UserId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getUser").tag(super::TAG).summary("Read a user")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadUsers>,
    State(app): State<App>,
    Path(id): Path<UserId>,
    known: IfNoneMatch,
) -> Result<Conditional<User>, Problem> {
    let mut select = Select::new(store::LIVE);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    select.and_rows(&allowed.rows(None), &SCHEMA);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let user = store::one(&rows)?.ok_or_else(|| Problem::not_found(super::WHAT))?;
    Ok(known.answer(user.record.version, user))
}
