//! How far the scopes of two users overlap.

use super::Statement;
use crate::delegation::Reach;
use stoa_kernel::db::Row;
use stoa_kernel::{DbError, params};
use stoa_types::UserId;

/// Where `other` stands as seen from `caller`. Without a home branch, and without a team, nobody is within reach: where
/// they will be is not decided yet.
pub(crate) fn of(caller: UserId, other: UserId) -> Statement {
    (
        "with home as (
           select (select s.branch_id from access.subject s where s.user_id = $1) as callers,
                  (select s.branch_id from access.subject s where s.user_id = $2) as others
         )
         select $1 = $2, coalesce(callers = others, false),
           exists (select from access.branch_closure c where c.ancestor_id = callers and c.branch_id = others),
           exists (select from access.branch a join access.branch b on b.organization_id = a.organization_id
                   where a.id = callers and b.id = others),
           exists (select from access.team_member t where t.user_id = $2)
             and not exists (select from access.team_member t where t.user_id = $2 and not exists (
               select from access.team_member o where o.user_id = $1 and o.team_id = t.team_id))
         from home",
        params![caller.uuid(), other.uuid()],
    )
}

pub(crate) fn read(row: &Row) -> Result<Reach, DbError> {
    let same_branch: bool = row.try_get(1)?;
    let below: bool = row.try_get(2)?;
    let same_organization: bool = row.try_get(3)?;
    Ok(Reach {
        oneself: row.try_get(0)?,
        branch: same_branch,
        branch_and_below: same_branch || below,
        organization: same_branch || same_organization,
        team: row.try_get(4)?,
    })
}
