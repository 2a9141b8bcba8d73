//! The registry of tenants.

use super::{RECORD_FIRST, Statement};
use jiff::Timestamp;
use stoa_contracts::access::ProvisionTenant;
use stoa_kernel::{DbError, SystemTx, params};
use stoa_types::TenantId;

/// Registers a tenant; one that exists stays as it is.
pub(crate) async fn register(
    mut tx: SystemTx<'_>,
    tenant: &ProvisionTenant,
    now: Timestamp,
    actor: &str,
) -> Result<(), DbError> {
    tx.defer(
        "insert into access.tenant (id, slug, name, plan, created_at, created_by, updated_at, updated_by)
         values ($1, $2, $3, $4, $5, $6, $5, $6) on conflict (id) do nothing",
        params![
            tenant.tenant.uuid(),
            tenant.slug.clone(),
            tenant.name.clone(),
            tenant.plan.clone(),
            now,
            actor.to_owned(),
        ],
    );
    tx.commit().await.map(|_| ())
}

/// The tenant's plan.
pub(crate) async fn plan(tx: SystemTx<'_>, tenant: TenantId) -> Result<Option<String>, DbError> {
    let rows = tx
        .read("select plan from access.tenant where id = $1", &[&tenant.uuid()])
        .await?;
    rows.first().map(|row| Ok(row.try_get(0)?)).transpose()
}

/// The tenant's first revision, unless it has one.
pub(crate) fn first_revision(tenant: TenantId) -> Statement {
    (RECORD_FIRST, params![tenant.uuid()])
}
