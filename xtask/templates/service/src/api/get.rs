//! `GET /api/__resources__/{id}`

use crate::model::{__Resource__, SCHEMA};
use crate::{App, Read__Resources__, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::__Resource__Id;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("get__Resource__").tag(super::TAG).summary("Read __a_resource__")
}

pub(super) async fn handle(
    mut allowed: Allowed<Read__Resources__>,
    State(app): State<App>,
    Path(id): Path<__Resource__Id>,
    known: IfNoneMatch,
) -> Result<Conditional<__Resource__>, Problem> {
    let mut select = Select::new(store::LIVE);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    select.and_rows(&allowed.rows(None), &SCHEMA);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let __resource__ = store::one(&rows)?.ok_or_else(|| Problem::not_found(super::WHAT))?;
    Ok(known.answer(__resource__.record.version, __resource__))
}
