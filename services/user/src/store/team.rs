//! The SQL of teams.

use super::{ids, missing_result, uuids};
use crate::model::team::Team;
use std::collections::{BTreeMap, BTreeSet};
use stoa_kernel::db::{Params, Row, Select};
use stoa_kernel::http::SortKey;
use stoa_kernel::text::{prefix_end, search_key};
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::{TeamId, UserId};

macro_rules! columns {
    () => {
        "id, name, description, (select count(*) from \"user\".team_member m where m.team_id = team.id), version, \
         created_at, created_by, updated_at, updated_by, archived_at"
    };
}

pub(crate) const LIVE: &str = concat!(
    "select ",
    columns!(),
    " from \"user\".team where archived_at is null"
);

pub(crate) const ARCHIVED: &str = concat!(
    "select ",
    columns!(),
    " from \"user\".team where archived_at is not null"
);

/// What teams can be sorted by; every column is not null and has its index.
pub(crate) const SORT: &[SortKey] = super::SORT;

/// Keeps the teams whose name begins with `text`.
pub(crate) fn and_search(select: &mut Select, text: &str) {
    let prefix = search_key(text);
    let end = prefix_end(&prefix);
    let start = select.param(prefix);
    select.and(&format!("name_key >= {start}"));
    if let Some(end) = end {
        let end = select.param(end);
        select.and(&format!("name_key < {end}"));
    }
}

/// Keeps the teams of a user.
pub(crate) fn and_user(select: &mut Select, user: UserId) {
    let user = select.param(user.uuid());
    select.and(&format!(
        "id in (select team_id from \"user\".team_member where person_id = {user})"
    ));
}

/// Locks a team and reads it: one row or none.
pub(crate) fn lock(tx: &mut TenantTx<'_>, id: TeamId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from \"user\".team where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

/// Reads the members of a team.
pub(crate) fn members(tx: &mut TenantTx<'_>, id: TeamId) {
    const SQL: &str = "select person_id from \"user\".team_member where team_id = $1";
    tx.defer(SQL, params![id.uuid()]);
}

/// Locks the teams of a locked user, archived ones too, and reads them with their members, in two statements; see [`of_user`].
pub(crate) fn lock_of_user(tx: &mut TenantTx<'_>, user: UserId) {
    const TEAMS: &str = concat!(
        "select ",
        columns!(),
        " from \"user\".team
          where id in (select team_id from \"user\".team_member where person_id = $1) order by id for update"
    );
    const MEMBERS: &str = "select team_id, person_id from \"user\".team_member
        where team_id in (select team_id from \"user\".team_member where person_id = $1)";
    tx.defer(TEAMS, params![user.uuid()]);
    tx.defer(MEMBERS, params![user.uuid()]);
}

/// The teams that [`lock_of_user`] found, with their members.
pub(crate) fn of_user(
    teams: &[Row],
    members: &[Row],
    user: UserId,
) -> Result<Vec<(Team, BTreeSet<UserId>)>, DbError> {
    let mut by_team: BTreeMap<TeamId, BTreeSet<UserId>> = BTreeMap::new();
    for row in members {
        let (team, member) = (TeamId(row.try_get(0)?), UserId(row.try_get(1)?));
        by_team.entry(team).or_default().insert(member);
    }
    let mut found = Vec::new();
    for team in all(teams)? {
        // The user left a team while its lock was waited for.
        let members = by_team.remove(&team.id).filter(|m| m.contains(&user));
        found.extend(members.map(|members| (team, members)));
    }
    Ok(found)
}

pub(crate) fn insert(tx: &mut TenantTx<'_>, team: &Team) {
    const SQL: &str =
        "insert into \"user\".team (tenant_id, name_key, id, name, description, version, created_at,
          created_by, updated_at, updated_by, archived_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let mut values = params![tx.tenant(), search_key(&team.name)];
    bind(&mut values, team);
    tx.defer(SQL, values);
}

/// Writes everything of a locked team that can change, but its members.
pub(crate) fn update(tx: &mut TenantTx<'_>, team: &Team) {
    const SQL: &str = "update \"user\".team
        set name_key = $1, name = $3, description = $4, version = $5, created_at = $6, created_by = $7,
            updated_at = $8, updated_by = $9, archived_at = $10
        where id = $2";
    let mut values = params![search_key(&team.name)];
    bind(&mut values, team);
    tx.defer(SQL, values);
}

fn bind(values: &mut Params, team: &Team) {
    let own = params![team.id.uuid(), team.name.clone(), team.description.clone()];
    values.extend(own);
    team.record.bind(values);
}

/// Makes `members` the members of a locked team.
pub(crate) fn set_members(tx: &mut TenantTx<'_>, id: TeamId, members: &BTreeSet<UserId>) {
    const FORGET: &str = "delete from \"user\".team_member where team_id = $1 and person_id <> all($2)";
    const ADD: &str = "insert into \"user\".team_member (tenant_id, team_id, person_id)
        select $1, $2, unnest($3::uuid[]) on conflict (tenant_id, team_id, person_id) do nothing";
    let (tenant, members) = (tx.tenant(), uuids(members));
    tx.defer(FORGET, params![id.uuid(), members.clone()]);
    tx.defer(ADD, params![tenant, id.uuid(), members]);
}

/// Takes a user out of every team, archived ones too.
pub(crate) fn forget_user(tx: &mut TenantTx<'_>, user: UserId) {
    const SQL: &str = "delete from \"user\".team_member where person_id = $1";
    tx.defer(SQL, params![user.uuid()]);
}

/// The team in a statement's rows.
pub(crate) fn one(rows: &[Row]) -> Result<Option<Team>, DbError> {
    rows.first().map(read).transpose()
}

/// The teams in a statement's rows.
pub(crate) fn all(rows: &[Row]) -> Result<Vec<Team>, DbError> {
    rows.iter().map(read).collect()
}

/// The team and its members in the rows of the first two statements.
pub(crate) fn with_members(rows: &[Vec<Row>]) -> Result<Option<(Team, BTreeSet<UserId>)>, DbError> {
    let [team, members, ..] = rows else {
        return Err(missing_result());
    };
    let members = ids(members)?;
    Ok(one(team)?.map(|team| (team, members)))
}

/// What the cursor remembers of a page's last team.
pub(crate) fn sort_value(key: SortKey, team: &Team) -> String {
    match key.field {
        "createdAt" => team.record.created_at.to_string(),
        "updatedAt" => team.record.updated_at.to_string(),
        _ => search_key(&team.name),
    }
}

fn read(row: &Row) -> Result<Team, DbError> {
    Ok(Team {
        id: TeamId(row.try_get(0)?),
        name: row.try_get(1)?,
        description: row.try_get(2)?,
        member_count: row.try_get(3)?,
        record: Record::read(row, 4)?,
    })
}
