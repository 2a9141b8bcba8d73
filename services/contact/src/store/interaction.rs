//! Interactions and whom they concern.

use crate::model::{
    Direction, FoundContact, INTERACTION_SCHEMA, Interaction, MAX_CUSTOMERS, Mention, SCHEMA,
};
use serde_json::Value;
use stoa_contracts::contact::InteractionKind;
use stoa_kernel::db::{Params, Row, Select};
use stoa_kernel::http::SortKey;
use stoa_kernel::{DbError, Record, TenantTx, params};
use stoa_policy::RowFilter;
use stoa_types::{BranchId, ContactId, CustomerId, InteractionId, UserId};
use uuid::Uuid;

macro_rules! columns {
    () => {
        "id, kind, subject, body, occurred_at, duration_minutes, direction, customer_id, branch_id, owner_id, version, \
         created_at, created_by, updated_at, updated_by, archived_at"
    };
}

macro_rules! parties {
    () => {
        "(select jsonb_agg(jsonb_build_array(p.kind, p.party_id, p.handle) order by p.kind, p.handle, p.party_id)
          from contact.party p where p.interaction_id = interaction.id)"
    };
}

/// The live ones: rows for [`interaction`] and [`interactions`].
pub(crate) const INTERACTIONS: &str = concat!(
    "select ",
    columns!(),
    ", ",
    parties!(),
    " from contact.interaction where archived_at is null"
);

/// What interactions can be sorted by.
pub(crate) const INTERACTION_SORT: &[SortKey] = &[SortKey {
    field: "occurredAt",
    column: "occurred_at",
    sql_type: "timestamptz",
}];

/// In what way an interaction concerns somebody.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Party {
    Customer,
    Contact,
    Mention,
}

impl Party {
    fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Contact => "contact",
            Self::Mention => "mention",
        }
    }
}

/// Keeps the interactions that concern somebody. An array, so that these are found first, whatever the planner thinks of
/// the other conditions.
pub(crate) fn and_party(select: &mut Select, party: Party, id: Uuid) {
    let id = select.param(id);
    select.and(&format!(
        "id = any(array(select interaction_id from contact.party where party_id = {id} and kind = '{}'))",
        party.as_str()
    ));
}

/// Keeps the interactions that a caller may see by grants.
pub(crate) fn and_granted(select: &mut Select, rows: &RowFilter) {
    select.and_rows(rows, &INTERACTION_SCHEMA);
}

/// Locks an interaction and then reads it: two statements, of which the second has one row or none. A single one would
/// show the parties as they were before it waited for the lock.
pub(crate) fn lock_interaction(tx: &mut TenantTx<'_>, id: InteractionId) {
    const LOCK: &str = "select from contact.interaction where id = $1 for update";
    const READ: &str = concat!(
        "select ",
        columns!(),
        ", ",
        parties!(),
        " from contact.interaction where id = $1"
    );
    tx.defer(LOCK, params![id.uuid()]);
    tx.defer(READ, params![id.uuid()]);
}

/// Reads which of these contacts are live and visible: rows for [`found_contacts`].
pub(crate) fn find_contacts(tx: &mut TenantTx<'_>, ids: &[ContactId], visible: &RowFilter) {
    let mut select = Select::new("select id, branch_id from contact.contact where archived_at is null");
    let ids = select.param(uuids(ids, ContactId::uuid));
    select.and(&format!("id = any({ids})"));
    select.and_rows(visible, &SCHEMA);
    select.push("order by id");
    select.defer(tx);
}

/// Reads the customers to which these contacts are linked: rows for [`found_customers`].
pub(crate) fn find_customers(tx: &mut TenantTx<'_>, contacts: &[ContactId]) {
    const SQL: &str = "select distinct customer_id from contact.link where contact_id = any($1)
        order by customer_id limit $2";
    let limit = i64::try_from(MAX_CUSTOMERS + 1).unwrap_or(i64::MAX);
    tx.defer(SQL, params![uuids(contacts, ContactId::uuid), limit]);
}

pub(crate) fn insert_interaction(tx: &mut TenantTx<'_>, interaction: &Interaction) {
    const SQL: &str = concat!(
        "insert into contact.interaction (tenant_id, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
    );
    let mut values = params![tx.tenant()];
    bind(&mut values, interaction);
    tx.defer(SQL, values);
    keep_parties(tx, interaction);
}

/// Writes everything that can change; the row is locked.
pub(crate) fn update_interaction(tx: &mut TenantTx<'_>, interaction: &Interaction) {
    const SQL: &str = "update contact.interaction
        set kind = $2, subject = $3, body = $4, occurred_at = $5, duration_minutes = $6, direction = $7,
            customer_id = $8, branch_id = $9, owner_id = $10, version = $11, created_at = $12, created_by = $13,
            updated_at = $14, updated_by = $15, archived_at = $16
        where id = $1";
    let mut values = params![];
    bind(&mut values, interaction);
    tx.defer(SQL, values);
    keep_parties(tx, interaction);
}

fn bind(values: &mut Params, interaction: &Interaction) {
    let own = params![
        interaction.id.uuid(),
        interaction.kind.as_str(),
        interaction.subject.clone(),
        interaction.body.clone(),
        interaction.occurred_at,
        interaction.duration_minutes,
        interaction.direction.map(Direction::as_str),
        interaction.customer_id.map(CustomerId::uuid),
        interaction.branch_id.uuid(),
        interaction.owner_id.uuid(),
    ];
    values.extend(own);
    interaction.record.bind(values);
}

/// Writes whom an interaction concerns. Rows of those whom it concerned before stay.
fn keep_parties(tx: &mut TenantTx<'_>, interaction: &Interaction) {
    const FORGET: &str = "delete from contact.party where interaction_id = $1
        and (kind, party_id) not in (select p.kind, p.id from unnest($2::text[], $3::uuid[]) as p(kind, id))";
    const KEEP: &str = "insert into contact.party (tenant_id, interaction_id, kind, party_id, handle)
        select $1, $2, p.kind, p.id, p.handle from unnest($3::text[], $4::uuid[], $5::text[]) as p(kind, id, handle)
        on conflict (tenant_id, interaction_id, kind, party_id) do update set handle = excluded.handle";
    let customers = interaction
        .customer_ids
        .iter()
        .map(|id| (Party::Customer, id.uuid(), None));
    let contacts = interaction
        .contact_ids
        .iter()
        .map(|id| (Party::Contact, id.uuid(), None));
    let mentions = interaction
        .mentions
        .iter()
        .map(|m| (Party::Mention, m.user_id.uuid(), Some(m.handle.clone())));
    let (mut kinds, mut ids, mut handles) = (Vec::new(), Vec::new(), Vec::new());
    for (party, id, handle) in customers.chain(contacts).chain(mentions) {
        kinds.push(party.as_str().to_owned());
        ids.push(id);
        handles.push(handle);
    }
    let id = interaction.id.uuid();
    if interaction.record.version > 1 {
        tx.defer(FORGET, params![id, kinds.clone(), ids.clone()]);
    }
    tx.defer(KEEP, params![tx.tenant(), id, kinds, ids, handles]);
}

/// The interaction in a statement's rows.
pub(crate) fn interaction(rows: &[Row]) -> Result<Option<Interaction>, DbError> {
    rows.first().map(read).transpose()
}

/// The interactions in a statement's rows.
pub(crate) fn interactions(rows: &[Row]) -> Result<Vec<Interaction>, DbError> {
    rows.iter().map(read).collect()
}

/// The contacts in a statement's rows.
pub(crate) fn found_contacts(rows: &[Row]) -> Result<Vec<FoundContact>, DbError> {
    let read = |row: &Row| {
        Ok(FoundContact {
            id: ContactId(row.try_get(0)?),
            branch: BranchId(row.try_get(1)?),
        })
    };
    rows.iter().map(read).collect()
}

/// The customers in a statement's rows.
pub(crate) fn found_customers(rows: &[Row]) -> Result<Vec<CustomerId>, DbError> {
    rows.iter().map(|row| Ok(CustomerId(row.try_get(0)?))).collect()
}

fn read(row: &Row) -> Result<Interaction, DbError> {
    let unknown = |what: &str| DbError::Unexpected(format!("unknown interaction {what}"));
    let kind: String = row.try_get(1)?;
    let direction: Option<String> = row.try_get(6)?;
    let mut interaction = Interaction {
        id: InteractionId(row.try_get(0)?),
        kind: InteractionKind::named(&kind).ok_or_else(|| unknown("kind"))?,
        subject: row.try_get(2)?,
        body: row.try_get(3)?,
        occurred_at: row.try_get(4)?,
        duration_minutes: row.try_get(5)?,
        direction: direction.as_deref().and_then(Direction::named),
        customer_id: row.try_get::<_, Option<Uuid>>(7)?.map(CustomerId),
        customer_ids: Vec::new(),
        contact_ids: Vec::new(),
        mentions: Vec::new(),
        branch_id: BranchId(row.try_get(8)?),
        owner_id: UserId(row.try_get(9)?),
        record: Record::read(row, 10)?,
    };
    let parties: Option<Value> = row.try_get(16)?;
    let parties: Vec<(String, Uuid, Option<String>)> =
        serde_json::from_value(parties.unwrap_or_else(|| Value::Array(Vec::new())))
            .map_err(|e| unknown(&format!("party: {e}")))?;
    for (kind, id, handle) in parties {
        match (kind.as_str(), handle) {
            ("customer", _) => interaction.customer_ids.push(CustomerId(id)),
            ("contact", _) => interaction.contact_ids.push(ContactId(id)),
            (_, handle) => interaction.mentions.push(Mention {
                user_id: UserId(id),
                handle: handle.unwrap_or_default(),
            }),
        }
    }
    Ok(interaction)
}

fn uuids<T: Copy>(ids: &[T], uuid: fn(T) -> Uuid) -> Vec<Uuid> {
    ids.iter().map(|id| uuid(*id)).collect()
}
