//! Under row-level security every list and look-up uses an index that begins with the tenant.

use crate::support::house;
use stoa_testkit::service::House;
use stoa_types::new_id;
use uuid::Uuid;

/// Rows of ten tenants, so that a scan of all of them is worth avoiding.
const FILL: &str = "
    insert into contact.contact (tenant_id, id, name, name_key, email, branch_id, owner_id, version, created_at,
        created_by, updated_at, updated_by, archived_at)
      select md5('t' || n % 10)::uuid, md5('c' || n)::uuid, 'Contact ' || n, 'contact ' || n, n || '@x.example',
        md5('b' || n % 50)::uuid, md5('o' || n % 200)::uuid, 1, now() - n * interval '1 s', 'x', now(), 'x',
        case when n % 15 = 0 then now() end
      from generate_series(1, 20000) n;
    insert into contact.link (tenant_id, contact_id, customer_id, linked_at, linked_by)
      select tenant_id, id, md5('k' || n)::uuid, now(), 'x' from contact.contact, generate_series(1, 3) n;
    insert into contact.primary_contact (tenant_id, customer_id, contact_id)
      select md5('t' || n % 10)::uuid, md5('p' || n)::uuid, md5('c' || n)::uuid from generate_series(1, 5000) n;
    insert into contact.interaction (tenant_id, id, kind, subject, body, occurred_at, branch_id, owner_id, version,
        created_at, created_by, updated_at, updated_by)
      select md5('t' || n % 10)::uuid, md5('i' || n)::uuid, (array['call', 'meeting', 'email', 'note'])[1 + n % 4],
        'Subject', '', now() - n * interval '1 s', md5('b' || n % 50)::uuid, md5('o' || n % 200)::uuid, 1, now(), 'x',
        now(), 'x'
      from generate_series(1, 20000) n;
    insert into contact.party (tenant_id, interaction_id, kind, party_id)
      select tenant_id, id, 'customer', md5('k' || row_number() over () % 500)::uuid from contact.interaction;
    insert into contact.party (tenant_id, interaction_id, kind, party_id, handle)
      select tenant_id, id, 'mention', md5('o' || row_number() over () % 200)::uuid, 'ann' from contact.interaction;
    analyze contact.contact; analyze contact.link; analyze contact.primary_contact; analyze contact.interaction;
    analyze contact.party;";

/// The house as the service's role sees it, and a tenant with two thousand of everything.
async fn filled() -> House {
    let (house, _) = house().await;
    house.admin.batch_execute(FILL).await.unwrap();
    let tenant: Uuid = house
        .admin
        .query_one("select md5('t1')::uuid", &[])
        .await
        .unwrap()
        .get(0);
    let enter = format!("set role stoa_contact_app; select set_config('stoa.tenant', '{tenant}', false)");
    house.admin.batch_execute(&enter).await.unwrap();
    house
}

// covers: DB-08
#[tokio::test]
async fn no_list_or_look_up_scans_a_table() {
    let house = filled().await;
    let id = format!("'{}'", new_id());
    let contact = |rest: &str| format!("select id from contact.contact where archived_at is null and {rest}");
    let linked = |rest: &str| {
        format!(
            "select id, exists (select from contact.primary_contact p
               where p.customer_id = l.customer_id and p.contact_id = l.contact_id)
             from contact.contact join contact.link l on l.contact_id = contact.id
             where archived_at is null and l.customer_id = {id} and {rest}"
        )
    };
    let interaction = |rest: &str| {
        format!(
            "select id, (select jsonb_agg(jsonb_build_array(p.kind, p.party_id, p.handle)) from contact.party p
               where p.interaction_id = interaction.id)
             from contact.interaction where archived_at is null and {rest}"
        )
    };
    let by_name = "order by name_key, id limit 51";
    let newest = "order by occurred_at desc, id desc limit 51";
    let party = |kind: &str| {
        format!(
            "id = any(array(select interaction_id from contact.party where party_id = {id} and kind = '{kind}'))"
        )
    };
    for sql in [
        contact(&format!("id = {id}")),
        contact(&format!("true {by_name}")),
        contact("true order by name_key desc, id desc limit 51"),
        contact("true order by created_at desc, id desc limit 51"),
        contact("true order by updated_at, id limit 51"),
        contact(&format!("(name_key, id) > ('contact 12', {id}) {by_name}")),
        contact(&format!("owner_id = {id} {by_name}")),
        contact(&format!("branch_id = any(array[{id}::uuid]) {by_name}")),
        contact(&format!(
            "(name_key >= 'contact 12' and name_key < 'contact 13' or email >= '12' and email < '13') {by_name}"
        )),
        contact(&format!("id = any(array[{id}::uuid]) order by id")),
        format!("select id from contact.contact where archived_at is not null {by_name}"),
        linked(&format!("true {by_name}")),
        linked(&format!(
            "owner_id = {id} order by updated_at desc, id desc limit 51"
        )),
        format!("select customer_id from contact.link l where l.contact_id = {id} order by l.linked_at"),
        format!("select distinct customer_id from contact.link where contact_id = any(array[{id}::uuid])"),
        format!("delete from contact.primary_contact where customer_id = {id} and contact_id = {id}"),
        interaction(&format!("id = {id}")),
        interaction(&format!("true {newest}")),
        interaction("true order by occurred_at, id limit 51"),
        interaction(&format!("(occurred_at, id) < (now(), {id}) {newest}")),
        interaction(&format!(
            "occurred_at >= now() - interval '1 hour' and occurred_at < now() {newest}"
        )),
        interaction(&format!("kind = 'call' {newest}")),
        interaction(&format!("owner_id = {id} {newest}")),
        interaction(&format!("branch_id = any(array[{id}::uuid]) {newest}")),
        interaction(&format!("{} {newest}", party("customer"))),
        interaction(&format!(
            "{} and {} {newest}",
            party("customer"),
            party("mention")
        )),
        interaction(&format!("{} and owner_id = {id} {newest}", party("contact"))),
        format!("delete from contact.party where interaction_id = {id}"),
        format!("select from contact.interaction where {} order by id for update", party("customer")),
        format!(
            "delete from contact.party where party_id = {id} and kind = 'customer' and merge_ids = array[{id}::uuid]
               and not exists (select from contact.interaction i
                               where i.id = party.interaction_id and i.customer_id = {id})"
        ),
        format!("update contact.link set role = null where customer_id = {id} and merge_ids @> array[{id}::uuid]"),
    ] {
        let rows = house.admin.query(&format!("explain {sql}"), &[]).await.unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = lines.join("\n");
        assert!(!plan.contains("Seq Scan"), "{sql}\n{plan}");
        for condition in plan.lines().filter(|line| line.contains("Index Cond:")) {
            assert!(condition.contains("tenant_id = "), "{sql}\n{plan}");
        }
    }
}
