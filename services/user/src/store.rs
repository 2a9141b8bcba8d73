//! The only SQL of this service: users here, teams in [`team`]. Functions that take a transaction defer their statement
//! to its next flush.

pub(crate) mod team;

use crate::model::{Locale, User};
use std::collections::{BTreeSet, HashMap, HashSet};
use stoa_kernel::db::{Params, Row, Select};
use stoa_kernel::http::SortKey;
use stoa_kernel::text::{prefix_end, search_key};
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::{TeamId, UserId};

macro_rules! columns {
    () => {
        "id, name, email, handle, title, phone, locale, timezone, version, created_at, created_by, updated_at, \
         updated_by, archived_at"
    };
}

pub(crate) const LIVE: &str = concat!(
    "select ",
    columns!(),
    " from \"user\".person where archived_at is null"
);

pub(crate) const ARCHIVED: &str = concat!(
    "select ",
    columns!(),
    " from \"user\".person where archived_at is not null"
);

/// What users can be sorted by; every column is not null and has its index.
pub(crate) const SORT: &[SortKey] = &[
    SortKey {
        field: "name",
        column: "name_key",
        sql_type: "text",
    },
    SortKey {
        field: "createdAt",
        column: "created_at",
        sql_type: "timestamptz",
    },
    SortKey {
        field: "updatedAt",
        column: "updated_at",
        sql_type: "timestamptz",
    },
];

/// Keeps the users whose name, from any of its words on, handle or e-mail address begins with `text`.
pub(crate) fn and_search(select: &mut Select, text: &str) {
    let text = text.trim();
    let prefix = search_key(text.strip_prefix('@').unwrap_or(text));
    let end = prefix_end(&prefix);
    let start = select.param(prefix);
    let end = end.map_or_else(String::new, |end| format!(" and word < {}", select.param(end)));
    select.and(&format!(
        "id in (select person_id from \"user\".person_word where word >= {start}{end})"
    ));
}

/// Keeps the members of a team.
pub(crate) fn and_team(select: &mut Select, team: TeamId) {
    let team = select.param(team.uuid());
    select.and(&format!(
        "id in (select person_id from \"user\".team_member where team_id = {team})"
    ));
}

/// Reads a user, archived or not: one row or none.
pub(crate) fn find(tx: &mut TenantTx<'_>, id: UserId) {
    const SQL: &str = concat!("select ", columns!(), " from \"user\".person where id = $1");
    tx.defer(SQL, params![id.uuid()]);
}

/// Locks a user and reads it: one row or none.
pub(crate) fn lock(tx: &mut TenantTx<'_>, id: UserId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from \"user\".person where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

/// Keeps live users from being archived until the end of the transaction, and reads which of `ids` there are.
pub(crate) fn hold_live(tx: &mut TenantTx<'_>, ids: &BTreeSet<UserId>) {
    const SQL: &str =
        "select id from \"user\".person where id = any($1) and archived_at is null order by id for share";
    tx.defer(SQL, params![uuids(ids)]);
}

/// Reads which of these handles live users have.
pub(crate) fn taken_handles(tx: &mut TenantTx<'_>, handles: Vec<String>) {
    const SQL: &str = "select handle from \"user\".person where handle = any($1) and archived_at is null";
    tx.defer(SQL, params![handles]);
}

macro_rules! insert {
    ($tail:literal) => {
        concat!(
            "insert into \"user\".person (tenant_id, name_key, ",
            columns!(),
            ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            $tail
        )
    };
}

/// Adds a user, without [`words`].
pub(crate) fn insert(tx: &mut TenantTx<'_>, user: &User) {
    let mut values = params![tx.tenant(), search_key(&user.name)];
    bind(&mut values, user);
    tx.defer(insert!(""), values);
}

/// As [`insert`], but skips an id that exists; one row with the id if it was new.
pub(crate) fn insert_if_new(tx: &mut TenantTx<'_>, user: &User) {
    let mut values = params![tx.tenant(), search_key(&user.name)];
    bind(&mut values, user);
    tx.defer(
        insert!(" on conflict (tenant_id, id) do nothing returning id"),
        values,
    );
}

/// Writes everything that can change but [`words`]; the row is locked.
pub(crate) fn update(tx: &mut TenantTx<'_>, user: &User) {
    const SQL: &str = "update \"user\".person
        set name_key = $1, name = $3, email = $4, handle = $5, title = $6, phone = $7, locale = $8, timezone = $9,
            version = $10, created_at = $11, created_by = $12, updated_at = $13, updated_by = $14, archived_at = $15
        where id = $2";
    let mut values = params![search_key(&user.name)];
    bind(&mut values, user);
    tx.defer(SQL, values);
}

fn bind(values: &mut Params, user: &User) {
    let own = params![
        user.id.uuid(),
        user.name.clone(),
        user.email.clone(),
        user.handle.clone(),
        user.title.clone(),
        user.phone.clone(),
        user.locale.as_str(),
        user.timezone.clone(),
    ];
    values.extend(own);
    user.record.bind(values);
}

/// Writes by what a search finds the user, in place of what was there.
pub(crate) fn words(tx: &mut TenantTx<'_>, user: &User) {
    const FORGET: &str = "delete from \"user\".person_word where person_id = $1 and word <> all($2)";
    const ADD: &str = "insert into \"user\".person_word (tenant_id, person_id, word)
        select $1, $2, unnest($3::text[]) on conflict (tenant_id, person_id, word) do nothing";
    let (tenant, id, words) = (tx.tenant(), user.id.uuid(), user.words());
    tx.defer(FORGET, params![id, words.clone()]);
    tx.defer(ADD, params![tenant, id, words]);
}

/// Reads who has these ids, e-mail addresses, handles and names, in four statements; see [`Found::read`]. A name that
/// several live users have is nobody's.
pub(crate) fn find_by_keys(
    tx: &mut TenantTx<'_>,
    ids: Vec<UserId>,
    emails: Vec<String>,
    handles: Vec<String>,
    names: Vec<String>,
) {
    const IDS: &str = "select id from \"user\".person where id = any($1) and archived_at is null";
    const EMAILS: &str =
        "select email, id from \"user\".person where email = any($1) and archived_at is null";
    const HANDLES: &str =
        "select handle, id from \"user\".person where handle = any($1) and archived_at is null";
    const NAMES: &str = "select name_key, (array_agg(id))[1] from \"user\".person
        where name_key = any($1) and archived_at is null group by name_key having count(*) = 1";
    tx.defer(IDS, params![uuids(&ids)]);
    tx.defer(EMAILS, params![emails]);
    tx.defer(HANDLES, params![handles]);
    tx.defer(NAMES, params![names]);
}

/// Live users by what names them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) ids: HashSet<UserId>,
    pub(crate) emails: HashMap<String, UserId>,
    pub(crate) handles: HashMap<String, UserId>,
    pub(crate) names: HashMap<String, UserId>,
}

impl Found {
    /// What the statements of [`find_by_keys`] found.
    pub(crate) fn read(rows: &[Vec<Row>]) -> Result<Self, DbError> {
        let [by_id, by_email, by_handle, by_name, ..] = rows else {
            return Err(missing_result());
        };
        Ok(Self {
            ids: ids(by_id)?,
            emails: named(by_email)?,
            handles: named(by_handle)?,
            names: named(by_name)?,
        })
    }
}

fn named(rows: &[Row]) -> Result<HashMap<String, UserId>, DbError> {
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, UserId(row.try_get(1)?))))
        .collect()
}

/// The user in a statement's rows.
pub(crate) fn one(rows: &[Row]) -> Result<Option<User>, DbError> {
    rows.first().map(read).transpose()
}

/// The user in the rows of the first of several statements.
pub(crate) fn first(rows: &[Vec<Row>]) -> Result<Option<User>, DbError> {
    one(rows.first().map_or(&[], |rows| rows))
}

/// The users in a statement's rows.
pub(crate) fn all(rows: &[Row]) -> Result<Vec<User>, DbError> {
    rows.iter().map(read).collect()
}

/// The ids in a statement's rows.
pub(crate) fn ids<C: FromIterator<UserId>>(rows: &[Row]) -> Result<C, DbError> {
    rows.iter().map(|row| Ok(UserId(row.try_get(0)?))).collect()
}

/// The texts in the rows of the first of several statements.
pub(crate) fn texts<C: FromIterator<String>>(rows: &[Vec<Row>]) -> Result<C, DbError> {
    let rows = rows.first().map_or(&[][..], |rows| rows);
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A statement of the first flush without its rows, which does not happen.
pub(crate) fn missing_result() -> DbError {
    DbError::Unexpected("a statement without result".to_owned())
}

/// What the cursor remembers of a page's last user.
pub(crate) fn sort_value(key: SortKey, user: &User) -> String {
    match key.field {
        "createdAt" => user.record.created_at.to_string(),
        "updatedAt" => user.record.updated_at.to_string(),
        _ => search_key(&user.name),
    }
}

fn uuids<'a>(ids: impl IntoIterator<Item = &'a UserId>) -> Vec<uuid::Uuid> {
    ids.into_iter().map(|id| id.uuid()).collect()
}

fn read(row: &Row) -> Result<User, DbError> {
    let locale: &str = row.try_get(6)?;
    Ok(User {
        id: UserId(row.try_get(0)?),
        name: row.try_get(1)?,
        email: row.try_get(2)?,
        handle: row.try_get(3)?,
        title: row.try_get(4)?,
        phone: row.try_get(5)?,
        locale: Locale::named(locale)
            .ok_or_else(|| DbError::Unexpected(format!("unknown locale {locale}")))?,
        timezone: row.try_get(7)?,
        record: Record::read(row, 8)?,
    })
}
