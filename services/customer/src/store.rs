//! The only SQL of this service. Functions that take a transaction defer their statement to its next flush.

use crate::filter::{Clause, Field, Kind, Op, Values};
use crate::model::{Activity, Customer, CustomerStats};
use jiff::Timestamp;
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::db::{Params, Row, Select};
use stoa_kernel::http::SortKey;
use stoa_kernel::text::{prefix_end, search_key};
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_types::{ActivityId, BranchId, CustomerId, UserId};
use uuid::Uuid;

macro_rules! columns {
    () => {
        "id, name, email, phone, status, sector, revenue_minor, employees, office_location, branch_id, owner_id, \
         version, created_at, created_by, updated_at, updated_by, archived_at"
    };
}

pub(crate) const LIVE: &str = concat!(
    "select ",
    columns!(),
    " from customer.customer where archived_at is null"
);

pub(crate) const ARCHIVED: &str = concat!(
    "select ",
    columns!(),
    " from customer.customer where archived_at is not null"
);

/// Rows for [`stats`]; `group by status` follows the conditions.
pub(crate) const COUNTS: &str = "select status, count(*) from customer.customer where archived_at is null";

/// Rows for [`activities`].
pub(crate) const ACTIVITIES: &str = "select id, at, kind, actor, details from customer.activity where true";

/// What customers can be sorted by; every column is not null and has its index.
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
    SortKey {
        field: "revenueMinor",
        column: "revenue_minor",
        sql_type: "bigint",
    },
    SortKey {
        field: "status",
        column: "status",
        sql_type: "text",
    },
];

/// What timelines can be sorted by.
pub(crate) const ACTIVITY_SORT: &[SortKey] = &[SortKey {
    field: "at",
    column: "at",
    sql_type: "timestamptz",
}];

/// What customers can be filtered by.
pub(crate) const FILTER_FIELDS: &[Field] = &[
    Field {
        name: "name",
        column: "name_key",
        kind: Kind::Name,
    },
    Field {
        name: "email",
        column: "email",
        kind: Kind::Email,
    },
    Field {
        name: "phone",
        column: "phone",
        kind: Kind::Text,
    },
    Field {
        name: "status",
        column: "status",
        kind: Kind::Status,
    },
    Field {
        name: "sector",
        column: "sector",
        kind: Kind::Text,
    },
    Field {
        name: "revenueMinor",
        column: "revenue_minor",
        kind: Kind::Int,
    },
    Field {
        name: "employees",
        column: "employees",
        kind: Kind::Int,
    },
    Field {
        name: "officeLocation",
        column: "office_location",
        kind: Kind::Text,
    },
    Field {
        name: "branchId",
        column: "branch_id",
        kind: Kind::Id,
    },
    Field {
        name: "ownerId",
        column: "owner_id",
        kind: Kind::Id,
    },
    Field {
        name: "createdAt",
        column: "created_at",
        kind: Kind::Time,
    },
    Field {
        name: "updatedAt",
        column: "updated_at",
        kind: Kind::Time,
    },
];

/// Keeps the customers whose name or e-mail address begins with `text`. Two ranges on columns with collation "C":
/// under row-level security `like` would read every tenant's rows.
pub(crate) fn and_search(select: &mut Select, text: &str) {
    let name = range(select, "name_key", search_key(text));
    let email = range(select, "email", text.trim().to_lowercase());
    select.and(&format!("({name} or {email})"));
}

fn range(select: &mut Select, column: &str, prefix: String) -> String {
    let end = prefix_end(&prefix);
    let start = select.param(prefix);
    match end {
        Some(end) => {
            let end = select.param(end);
            format!("{column} >= {start} and {column} < {end}")
        }
        None => format!("{column} >= {start}"),
    }
}

/// Keeps what a filter's clauses let through.
pub(crate) fn and_filter(select: &mut Select, clauses: Vec<Clause>) {
    for Clause { field, op, values } in clauses {
        let (value, sql_type) = match values {
            Values::Texts(texts) => (bind(select, op, texts), "text"),
            Values::Ints(ints) => (bind(select, op, ints), "bigint"),
            Values::Ids(ids) => (bind(select, op, ids), "uuid"),
            Values::Times(times) => (bind(select, op, times), "timestamptz"),
        };
        let sign = match op {
            Op::In => {
                select.and(&format!("{} = any({value}::{sql_type}[])", field.column));
                continue;
            }
            Op::Eq => "=",
            Op::Ne => "<>",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
        };
        let collation = if field.kind == Kind::Text {
            " collate \"C\""
        } else {
            ""
        };
        select.and(&format!("{}{collation} {sign} {value}::{sql_type}", field.column));
    }
}

fn bind<T>(select: &mut Select, op: Op, values: Vec<T>) -> String
where
    T: stoa_kernel::db::ToSql + Sync + Send + 'static,
    Vec<T>: stoa_kernel::db::ToSql,
    Option<T>: stoa_kernel::db::ToSql,
{
    match op {
        Op::In => select.param(values),
        _ => select.param(values.into_iter().next()),
    }
}

/// Locks a customer and reads it: one row or none.
pub(crate) fn lock(tx: &mut TenantTx<'_>, id: CustomerId) {
    const SQL: &str = concat!(
        "select ",
        columns!(),
        " from customer.customer where id = $1 for update"
    );
    tx.defer(SQL, params![id.uuid()]);
}

pub(crate) fn insert(tx: &mut TenantTx<'_>, customer: &Customer) {
    const SQL: &str = concat!(
        "insert into customer.customer (tenant_id, name_key, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
    );
    let mut values = params![tx.tenant(), search_key(&customer.name)];
    bind_customer(&mut values, customer);
    tx.defer(SQL, values);
}

/// As [`insert`], but skips an id that exists; one row with the id if it was new.
pub(crate) fn insert_if_new(tx: &mut TenantTx<'_>, customer: &Customer) {
    const SQL: &str = concat!(
        "insert into customer.customer (tenant_id, name_key, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         on conflict (tenant_id, id) do nothing returning id"
    );
    let mut values = params![tx.tenant(), search_key(&customer.name)];
    bind_customer(&mut values, customer);
    tx.defer(SQL, values);
}

/// Writes everything that can change; the row is locked.
pub(crate) fn update(tx: &mut TenantTx<'_>, customer: &Customer) {
    const SQL: &str = "update customer.customer
        set name_key = $1, name = $3, email = $4, phone = $5, status = $6, sector = $7, revenue_minor = $8,
            employees = $9, office_location = $10, branch_id = $11, owner_id = $12, version = $13, created_at = $14,
            created_by = $15, updated_at = $16, updated_by = $17, archived_at = $18
        where id = $2";
    let mut values = params![search_key(&customer.name)];
    bind_customer(&mut values, customer);
    tx.defer(SQL, values);
}

fn bind_customer(values: &mut Params, customer: &Customer) {
    let own = params![
        customer.id.uuid(),
        customer.name.clone(),
        customer.email.clone(),
        customer.phone.clone(),
        customer.status.as_str(),
        customer.sector.clone(),
        customer.revenue_minor,
        customer.employees,
        customer.office_location.clone(),
        customer.branch_id.uuid(),
        customer.owner_id.uuid(),
    ];
    values.extend(own);
    customer.record.bind(values);
}

/// Reads whether a branch is known here: one row, whether it is archived, or none.
pub(crate) fn find_branch(tx: &mut TenantTx<'_>, id: Option<BranchId>) {
    const SQL: &str = "select archived from customer.branch where id = $1";
    tx.defer(SQL, params![id.map(BranchId::uuid)]);
}

/// Keeps a branch, unless a later version of it is known.
pub(crate) fn keep_branch(tx: &mut TenantTx<'_>, id: BranchId, archived: bool, version: i64) {
    const SQL: &str = "insert into customer.branch (tenant_id, id, archived, version) values ($1, $2, $3, $4)
        on conflict (tenant_id, id) do update set archived = excluded.archived, version = excluded.version
        where branch.version < excluded.version";
    tx.defer(SQL, params![tx.tenant(), id.uuid(), archived, version]);
}

/// Adds an entry to the timeline of a customer or of a branch's customers.
pub(crate) fn add_activity(tx: &mut TenantTx<'_>, about: Uuid, activity: &Activity) {
    const SQL: &str = "insert into customer.activity (tenant_id, id, about, at, kind, actor, details)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant_id, id) do nothing";
    let values = params![
        tx.tenant(),
        activity.id.uuid(),
        about,
        activity.at,
        activity.kind.clone(),
        activity.actor.clone(),
        activity.details.clone(),
    ];
    tx.defer(SQL, values);
}

/// Keeps the entries about a customer and about its branch since the customer is there.
pub(crate) fn and_timeline(select: &mut Select, id: CustomerId) {
    let id = select.param(id.uuid());
    select.and(&format!(
        "about = any(array[{id}::uuid, (select branch_id from customer.customer where id = {id}::uuid)])
         and at >= (select created_at from customer.customer where id = {id}::uuid)"
    ));
}

/// The customer in a statement's rows.
pub(crate) fn customer(rows: &[Row]) -> Result<Option<Customer>, DbError> {
    rows.first().map(read_customer).transpose()
}

/// The customers in a statement's rows.
pub(crate) fn customers(rows: &[Row]) -> Result<Vec<Customer>, DbError> {
    rows.iter().map(read_customer).collect()
}

/// The counts in a statement's rows.
pub(crate) fn stats(rows: &[Row]) -> Result<CustomerStats, DbError> {
    let mut stats = CustomerStats::default();
    for row in rows {
        stats.count(status(row.try_get(0)?)?, row.try_get(1)?);
    }
    Ok(stats)
}

/// The timeline in a statement's rows.
pub(crate) fn activities(rows: &[Row]) -> Result<Vec<Activity>, DbError> {
    rows.iter().map(read_activity).collect()
}

/// Whether the branch in a statement's rows is archived; `None` when it is not known.
pub(crate) fn branch_archived(rows: &[Row]) -> Result<Option<bool>, DbError> {
    rows.first().map(|row| Ok(row.try_get(0)?)).transpose()
}

/// A statement of the first flush without its rows, which does not happen.
pub(crate) fn missing_result() -> DbError {
    DbError::Unexpected("a statement without result".to_owned())
}

/// What the cursor remembers of a page's last customer.
pub(crate) fn sort_value(key: SortKey, customer: &Customer) -> String {
    match key.field {
        "createdAt" => customer.record.created_at.to_string(),
        "updatedAt" => customer.record.updated_at.to_string(),
        "revenueMinor" => customer.revenue_minor.to_string(),
        "status" => customer.status.as_str().to_owned(),
        _ => search_key(&customer.name),
    }
}

fn read_customer(row: &Row) -> Result<Customer, DbError> {
    Ok(Customer {
        id: CustomerId(row.try_get(0)?),
        name: row.try_get(1)?,
        email: row.try_get(2)?,
        phone: row.try_get(3)?,
        status: status(row.try_get(4)?)?,
        sector: row.try_get(5)?,
        revenue_minor: row.try_get(6)?,
        employees: row.try_get(7)?,
        office_location: row.try_get(8)?,
        branch_id: BranchId(row.try_get(9)?),
        owner_id: UserId(row.try_get(10)?),
        record: Record::read(row, 11)?,
    })
}

fn read_activity(row: &Row) -> Result<Activity, DbError> {
    Ok(Activity {
        id: ActivityId(row.try_get(0)?),
        at: row.try_get::<_, Timestamp>(1)?,
        kind: row.try_get(2)?,
        actor: row.try_get(3)?,
        details: row.try_get(4)?,
    })
}

fn status(name: &str) -> Result<CustomerStatus, DbError> {
    CustomerStatus::named(name).ok_or_else(|| DbError::Unexpected(format!("unknown customer status {name}")))
}
