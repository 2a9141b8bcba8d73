//! The conditions of lists, as SQL.

use crate::filter::{Clause, Column, Kind, Op, Target, Tree, Values};
use stoa_kernel::db::{Select, ToSql};
use stoa_kernel::text::{prefix_end, search_key};

/// What customers can be filtered by.
pub(crate) const FILTER_FIELDS: &[Column] = &[
    Column {
        name: "name",
        column: "name_key",
        kind: Kind::Name,
    },
    Column {
        name: "email",
        column: "email",
        kind: Kind::Email,
    },
    Column {
        name: "phone",
        column: "phone",
        kind: Kind::Text,
    },
    Column {
        name: "status",
        column: "status",
        kind: Kind::Status,
    },
    Column {
        name: "sector",
        column: "sector",
        kind: Kind::Text,
    },
    Column {
        name: "revenueMinor",
        column: "revenue_minor",
        kind: Kind::Int,
    },
    Column {
        name: "employees",
        column: "employees",
        kind: Kind::Int,
    },
    Column {
        name: "officeLocation",
        column: "office_location",
        kind: Kind::Text,
    },
    Column {
        name: "branchId",
        column: "branch_id",
        kind: Kind::Id,
    },
    Column {
        name: "ownerId",
        column: "owner_id",
        kind: Kind::Id,
    },
    Column {
        name: "externalKey",
        column: "external_key",
        kind: Kind::Text,
    },
    Column {
        name: "createdAt",
        column: "created_at",
        kind: Kind::Time,
    },
    Column {
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

pub(super) fn range(select: &mut Select, column: &str, prefix: String) -> String {
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

/// Keeps what a filter or a condition lets through. Users compose it, so the statement is not kept prepared.
pub(crate) fn and_filter(select: &mut Select, tree: &Tree) {
    let condition = condition(select, tree);
    select.and(&condition);
    select.ad_hoc();
}

fn condition(select: &mut Select, tree: &Tree) -> String {
    let (parts, joint) = match tree {
        Tree::Clause(one) => return clause(select, one),
        Tree::All(parts) => (parts, " and "),
        Tree::Any(parts) => (parts, " or "),
    };
    let parts: Vec<String> = parts.iter().map(|part| condition(select, part)).collect();
    format!("({})", parts.join(joint))
}

/// Tags and custom values stand in tables of their own, whose indexes begin with the tenant: operators on arrays and
/// documents are not leakproof, so under row-level security they could use none.
fn clause(select: &mut Select, clause: &Clause) -> String {
    let Clause { target, op, values } = clause;
    let holders = match target {
        Target::Column(column) => {
            let collation = if column.kind == Kind::Text {
                " collate \"C\""
            } else {
                ""
            };
            return comparison(select, &format!("{}{collation}", column.column), *op, values);
        }
        Target::Tag => {
            let comparison = comparison(select, "tag", *op, values);
            format!("(select customer_id from customer.tag where {comparison})")
        }
        Target::Custom(field) => {
            let column = match values {
                Values::Ints(_) => "int_value",
                _ => "text_value",
            };
            let field = select.param(field.uuid());
            let comparison = comparison(select, column, *op, values);
            format!(
                "(select customer_id from customer.custom_value where field_id = {field} and {comparison})"
            )
        }
    };
    let sign = if *op == Op::Lacks { "not in" } else { "in" };
    format!("id {sign} {holders}")
}

fn comparison(select: &mut Select, column: &str, op: Op, values: &Values) -> String {
    let (value, sql_type) = match values {
        Values::Texts(texts) => (bind(select, op, texts), "text"),
        Values::Ints(ints) => (bind(select, op, ints), "bigint"),
        Values::Ids(ids) => (bind(select, op, ids), "uuid"),
        Values::Times(times) => (bind(select, op, times), "timestamptz"),
    };
    let sign = match op {
        Op::In => return format!("{column} = any({value}::{sql_type}[])"),
        Op::Eq | Op::Has | Op::Lacks => "=",
        Op::Ne => "<>",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    };
    format!("{column} {sign} {value}::{sql_type}")
}

fn bind<T>(select: &mut Select, op: Op, values: &[T]) -> String
where
    T: ToSql + Sync + Send + Clone + 'static,
    Vec<T>: ToSql,
    Option<T>: ToSql,
{
    match op {
        Op::In => select.param(values.to_vec()),
        _ => select.param(values.first().cloned()),
    }
}
