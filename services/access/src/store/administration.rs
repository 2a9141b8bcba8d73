//! Who is left to administer the tenant.

use super::Statement;
use crate::administration::Administration;
use jiff::Timestamp;
use std::collections::BTreeSet;
use stoa_kernel::db::Row;
use stoa_kernel::{DbError, params};
use stoa_types::{AssignmentId, RoleId, UserId};
use uuid::Uuid;

/// What a write is about to take away.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Loss {
    /// An assignment that ends.
    pub(crate) assignment: Option<AssignmentId>,
    /// A user who is about to get a denial, or to be archived.
    pub(crate) user: Option<UserId>,
}

/// Whether somebody holds `iam:write` without end when `roles` hold and `loss` has happened.
pub(crate) fn remains(roles: &Administration, loss: Loss, now: Timestamp) -> Statement {
    (
        "select exists (
           select from access.assignment a
           where a.role_id = any($1) and a.valid_until is null and (a.valid_from is null or a.valid_from <= $3)
             and a.id is distinct from $4 and a.user_id is distinct from $5
             and not exists (select from access.subject s
                             where s.tenant_id = a.tenant_id and s.user_id = a.user_id
                               and (s.archived_at is not null or s.leaving_until > $3))
             and not exists (select from access.assignment d
                             where d.tenant_id = a.tenant_id and d.user_id = a.user_id and d.role_id = any($2)
                               and d.id is distinct from $4))",
        params![
            uuids(&roles.allowing),
            uuids(&roles.denying),
            now,
            loss.assignment.map(AssignmentId::uuid),
            loss.user.map(UserId::uuid),
        ],
    )
}

pub(crate) fn read(row: &Row) -> Result<bool, DbError> {
    Ok(row.try_get(0)?)
}

fn uuids(roles: &BTreeSet<RoleId>) -> Vec<Uuid> {
    roles.iter().map(|role| role.uuid()).collect()
}
