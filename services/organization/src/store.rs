//! The only SQL of this service. Functions that take a transaction defer their statement to its next flush.

use crate::model::{Branch, Organization, OrganizationStatus};
use stoa_kernel::db::{Params, Row};
use stoa_kernel::http::SortKey;
use stoa_kernel::text::search_key;
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::{BranchId, OrganizationId};

macro_rules! organization_columns {
    () => {
        "id, name, status, version, created_at, created_by, updated_at, updated_by, archived_at"
    };
}

macro_rules! branch_columns {
    () => {
        "id, organization_id, parent_id, name, path, \
         version, created_at, created_by, updated_at, updated_by, archived_at"
    };
}

/// What organisations can be sorted by.
pub(crate) const ORGANIZATION_SORT: &[SortKey] = &[
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

/// What the branches of an organisation can be sorted by.
pub(crate) const BRANCH_SORT: &[SortKey] = &[
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
];

/// What the branches below a branch can be sorted by.
pub(crate) const CHILD_SORT: &[SortKey] = &[SortKey {
    field: "name",
    column: "name_key",
    sql_type: "text",
}];

pub(crate) const LIVE_ORGANIZATIONS: &str = concat!(
    "select ",
    organization_columns!(),
    " from organization.organization where archived_at is null"
);

pub(crate) const ARCHIVED_ORGANIZATIONS: &str = concat!(
    "select ",
    organization_columns!(),
    " from organization.organization where archived_at is not null"
);

pub(crate) const LIVE_BRANCHES: &str = concat!(
    "select ",
    branch_columns!(),
    " from organization.branch where archived_at is null"
);

pub(crate) const ARCHIVED_BRANCHES: &str = concat!(
    "select ",
    branch_columns!(),
    " from organization.branch where archived_at is not null"
);

/// Locks an organisation and reads it: one row or none.
pub(crate) fn lock_organization(tx: &mut TenantTx<'_>, id: OrganizationId) {
    const SQL: &str = concat!(
        "select ",
        organization_columns!(),
        " from organization.organization where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

/// Reads an organisation, archived or not: one row or none.
pub(crate) fn find_organization(tx: &mut TenantTx<'_>, id: OrganizationId) {
    const SQL: &str = concat!(
        "select ",
        organization_columns!(),
        " from organization.organization where id = $1"
    );
    tx.defer(SQL, params![id.uuid()]);
}

/// Locks the organisation of a branch and reads it. Always before the branch itself, so that no two changes of a tree
/// wait for each other, and as a statement of its own, so that the next one sees what the one before did.
pub(crate) fn lock_tree(tx: &mut TenantTx<'_>, branch: BranchId) {
    const SQL: &str = concat!(
        "select ",
        organization_columns!(),
        " from organization.organization
          where id = (select organization_id from organization.branch where id = $1) for update"
    );
    tx.defer(SQL, params![branch.uuid()]);
}

/// Locks a branch and reads it: one row or none.
pub(crate) fn lock_branch(tx: &mut TenantTx<'_>, id: BranchId) {
    const SQL: &str = concat!(
        "select ",
        branch_columns!(),
        " from organization.branch where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

/// Reads a branch that may not be named: one row or none.
pub(crate) fn find_branch(tx: &mut TenantTx<'_>, id: Option<BranchId>) {
    const SQL: &str = concat!(
        "select ",
        branch_columns!(),
        " from organization.branch where id = $1"
    );
    tx.defer(SQL, params![id.map(BranchId::uuid)]);
}

/// Reads live branches by id or by name as it is compared.
pub(crate) fn find_live_branches(tx: &mut TenantTx<'_>, ids: Vec<uuid::Uuid>, names: Vec<String>) {
    const SQL: &str = "select id, name_key from organization.branch
        where archived_at is null and (id = any($1) or name_key = any($2))";
    tx.defer(SQL, params![ids, names]);
}

/// The ids and compared names in the rows of [`find_live_branches`].
pub(crate) fn found_branches(rows: &[Row]) -> Result<Vec<(BranchId, String)>, DbError> {
    rows.iter()
        .map(|row| Ok((BranchId(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}

/// Reads the branch above a branch: one row or none.
pub(crate) fn find_parent(tx: &mut TenantTx<'_>, id: BranchId) {
    const SQL: &str = concat!(
        "select ",
        branch_columns!(),
        " from organization.branch where id = (select parent_id from organization.branch where id = $1)"
    );
    tx.defer(SQL, params![id.uuid()]);
}

/// Locks a branch and everything below it, archived branches too, root first.
pub(crate) fn lock_subtree(tx: &mut TenantTx<'_>, root: BranchId) {
    const SQL: &str = concat!(
        "select ",
        branch_columns!(),
        " from organization.branch
          where organization_id = (select organization_id from organization.branch where id = $1)
            and $1 = any(path)
          order by cardinality(path), id for update"
    );
    tx.defer(SQL, params![root.uuid()]);
}

/// Whether an organisation has live branches: one row with a boolean.
pub(crate) fn has_live_branches(tx: &mut TenantTx<'_>, id: OrganizationId) {
    const SQL: &str = "select exists (select from organization.branch
                       where organization_id = $1 and archived_at is null)";
    tx.defer(SQL, params![id.uuid()]);
}

/// Whether a branch has live branches directly below: one row with a boolean.
pub(crate) fn has_live_children(tx: &mut TenantTx<'_>, id: BranchId) {
    const SQL: &str = "select exists (select from organization.branch
                       where parent_id = $1 and archived_at is null)";
    tx.defer(SQL, params![id.uuid()]);
}

pub(crate) fn insert_organization(tx: &mut TenantTx<'_>, organization: &Organization) {
    const SQL: &str = concat!(
        "insert into organization.organization (tenant_id, name_key, ",
        organization_columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    );
    let mut values: Params = params![
        tx.tenant(),
        search_key(&organization.name),
        organization.id.uuid(),
        organization.name.clone(),
        organization.status.as_str(),
    ];
    organization.record.bind(&mut values);
    tx.defer(SQL, values);
}

/// Writes everything that can change; the row is locked.
pub(crate) fn update_organization(tx: &mut TenantTx<'_>, organization: &Organization) {
    const SQL: &str = "update organization.organization
        set name_key = $2, name = $3, status = $4, version = $5, updated_at = $6, updated_by = $7, archived_at = $8
        where id = $1";
    let Record {
        version,
        updated_at,
        updated_by,
        archived_at,
        ..
    } = &organization.record;
    let values = params![
        organization.id.uuid(),
        search_key(&organization.name),
        organization.name.clone(),
        organization.status.as_str(),
        *version,
        *updated_at,
        updated_by.clone(),
        *archived_at,
    ];
    tx.defer(SQL, values);
}

pub(crate) fn insert_branch(tx: &mut TenantTx<'_>, branch: &Branch) {
    const SQL: &str = concat!(
        "insert into organization.branch (tenant_id, name_key, ",
        branch_columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let mut values: Params = params![
        tx.tenant(),
        search_key(&branch.name),
        branch.id.uuid(),
        branch.organization_id.uuid(),
        branch.parent_id.map(BranchId::uuid),
        branch.name.clone(),
        uuids(&branch.path),
    ];
    branch.record.bind(&mut values);
    tx.defer(SQL, values);
}

/// Writes a branch's name and archival; the row is locked.
pub(crate) fn update_branch(tx: &mut TenantTx<'_>, branch: &Branch) {
    const SQL: &str = "update organization.branch
        set name_key = $2, name = $3, version = $4, updated_at = $5, updated_by = $6, archived_at = $7
        where id = $1";
    let Record {
        version,
        updated_at,
        updated_by,
        archived_at,
        ..
    } = &branch.record;
    let values = params![
        branch.id.uuid(),
        search_key(&branch.name),
        branch.name.clone(),
        *version,
        *updated_at,
        updated_by.clone(),
        *archived_at,
    ];
    tx.defer(SQL, values);
}

/// Moves a subtree, whose rows are locked: `from` is its root before, `to` after. What
/// [`moved_subtree`](crate::model::moved_subtree) says of each branch, in one statement.
pub(crate) fn move_subtree(tx: &mut TenantTx<'_>, from: &Branch, to: &Branch) {
    const SQL: &str = "update organization.branch
        set path = $3::uuid[] || path[$4:],
            parent_id = case when id = $1 then $5 else parent_id end,
            version = version + 1, updated_at = greatest(updated_at, $6), updated_by = $7
        where organization_id = $2 and $1 = any(path)";
    let above = to.path.split_last().map_or(&[][..], |(_, above)| above);
    let values = params![
        from.id.uuid(),
        from.organization_id.uuid(),
        uuids(above),
        i32::try_from(from.path.len()).unwrap_or(i32::MAX),
        to.parent_id.map(BranchId::uuid),
        to.record.updated_at,
        to.record.updated_by.clone(),
    ];
    tx.defer(SQL, values);
}

/// A statement of the first flush without its rows, which does not happen.
pub(crate) fn missing_result() -> DbError {
    DbError::Unexpected("a statement without result".to_owned())
}

/// What the cursor remembers of a page's last organisation.
pub(crate) fn organization_sort_value(key: SortKey, organization: &Organization) -> String {
    match key.field {
        "createdAt" => organization.record.created_at.to_string(),
        "updatedAt" => organization.record.updated_at.to_string(),
        _ => search_key(&organization.name),
    }
}

/// What the cursor remembers of a page's last branch.
pub(crate) fn branch_sort_value(key: SortKey, branch: &Branch) -> String {
    match key.field {
        "createdAt" => branch.record.created_at.to_string(),
        _ => search_key(&branch.name),
    }
}

/// The organisation in a statement's rows.
pub(crate) fn organization(rows: &[Row]) -> Result<Option<Organization>, DbError> {
    rows.first().map(read_organization).transpose()
}

/// The organisations in a statement's rows.
pub(crate) fn organizations(rows: &[Row]) -> Result<Vec<Organization>, DbError> {
    rows.iter().map(read_organization).collect()
}

/// The branch in a statement's rows.
pub(crate) fn branch(rows: &[Row]) -> Result<Option<Branch>, DbError> {
    rows.first().map(read_branch).transpose()
}

/// The branches in a statement's rows.
pub(crate) fn branches(rows: &[Row]) -> Result<Vec<Branch>, DbError> {
    rows.iter().map(read_branch).collect()
}

/// The boolean in a statement's only row.
pub(crate) fn is_true(rows: &[Row]) -> Result<bool, DbError> {
    rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
}

fn read_organization(row: &Row) -> Result<Organization, DbError> {
    let status: &str = row.try_get(2)?;
    Ok(Organization {
        id: OrganizationId(row.try_get(0)?),
        name: row.try_get(1)?,
        status: OrganizationStatus::named(status)
            .ok_or_else(|| DbError::Unexpected(format!("unknown organisation status {status}")))?,
        record: Record::read(row, 3)?,
    })
}

fn read_branch(row: &Row) -> Result<Branch, DbError> {
    let path: Vec<uuid::Uuid> = row.try_get(4)?;
    Ok(Branch {
        id: BranchId(row.try_get(0)?),
        organization_id: OrganizationId(row.try_get(1)?),
        parent_id: row.try_get::<_, Option<uuid::Uuid>>(2)?.map(BranchId),
        name: row.try_get(3)?,
        path: path.into_iter().map(BranchId).collect(),
        record: Record::read(row, 5)?,
    })
}

fn uuids(ids: &[BranchId]) -> Vec<uuid::Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}
