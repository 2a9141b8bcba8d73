//! `GET /api/organizations/{id}`

use crate::model::Organization;
use crate::{App, ReadOrganizations, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::OrganizationId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getOrganization")
        .tag(super::TAG)
        .summary("Read an organisation")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadOrganizations>,
    State(app): State<App>,
    Path(id): Path<OrganizationId>,
    known: IfNoneMatch,
) -> Result<Conditional<Organization>, Problem> {
    let mut select = Select::new(store::LIVE_ORGANIZATIONS);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    select.and_rows(&allowed.rows(None), &Organization::schema());
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let organization = store::organization(&rows)?.ok_or_else(|| Problem::not_found(super::WHAT))?;
    Ok(known.answer(organization.record.version, organization))
}
