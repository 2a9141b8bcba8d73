//! Under row-level security every list and look-up uses an index that begins with the tenant.

use crate::support::house;
use stoa_kernel::db::ToSql;
use stoa_types::new_id;
use uuid::Uuid;

/// Rows of ten tenants, so that a scan of all of them is worth avoiding.
const FILL: &str = "insert into customer.customer (tenant_id, id, name, name_key, email, status, revenue_minor,
      branch_id, owner_id, version, created_at, created_by, updated_at, updated_by)
    select md5('t' || n % 10)::uuid, gen_random_uuid(), 'Customer ' || n, 'customer ' || n, n || '@x.example', 'lead', n,
      md5('b' || n % 50)::uuid, md5('o' || n % 200)::uuid, 1, now() - n * interval '1 s', 'x', now(), 'x'
    from generate_series(1, 20000) n";

// covers: DB-08
#[tokio::test]
async fn no_list_or_look_up_scans_the_table() {
    let house = house().await;
    house.admin.batch_execute(FILL).await.unwrap();
    house
        .admin
        .batch_execute("analyze customer.customer")
        .await
        .unwrap();
    let tenant: Uuid = house
        .admin
        .query_one("select md5('t1')::uuid", &[])
        .await
        .unwrap()
        .get(0);
    house
        .admin
        .batch_execute("set role stoa_customer_app")
        .await
        .unwrap();
    house
        .admin
        .batch_execute(&format!("select set_config('stoa.tenant', '{tenant}', false)"))
        .await
        .unwrap();

    let (id, none): (Uuid, [&(dyn ToSql + Sync); 0]) = (new_id(), []);
    let prefix = ("customer 12".to_owned(), "customer 13".to_owned());
    for (query, params) in [
        ("id = $1", &[&id as &(dyn ToSql + Sync)][..]),
        ("true order by name_key, id limit 51", &none[..]),
        (
            "(name_key, id) > ($1::text, $2) order by name_key, id limit 51",
            &[&prefix.0, &id],
        ),
        ("true order by name_key desc, id desc limit 51", &none),
        ("true order by created_at desc, id desc limit 51", &none),
        ("true order by updated_at, id limit 51", &none),
        ("true order by revenue_minor, id limit 51", &none),
        ("true order by status, id limit 51", &none),
        ("owner_id = $1 order by name_key, id limit 51", &[&id]),
        ("branch_id = any($1) order by name_key, id limit 51", &[&vec![id]]),
        (
            "(name_key >= $1 and name_key < $2 or email >= $1 and email < $2) order by name_key, id limit 51",
            &[&prefix.0, &prefix.1],
        ),
    ] {
        let sql = format!("explain select id from customer.customer where archived_at is null and {query}");
        let rows = house.admin.query(&sql, params).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan"), "{query}\n{plan}");
        assert!(
            plan.contains("Index Cond: ((tenant_id = ") || plan.contains("Index Cond: (tenant_id = "),
            "{query}\n{plan}"
        );
    }
    let keyset = "explain select id from customer.customer where archived_at is null and (name_key, id) > ($1::text, $2)
                  order by name_key, id limit 51";
    let rows = house.admin.query(keyset, &[&prefix.0, &id]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(
        plan.join("\n").contains("ROW(name_key, id) >"),
        "the cursor is an index condition: {plan:?}"
    );
    assert!(!plan.join("\n").contains("Sort"), "{plan:?}");
}

/// What customers are found by besides their columns, for the customers of [`FILL`].
const FILL_BESIDES: &str = "
    insert into customer.tag (tenant_id, customer_id, tag)
      select tenant_id, id, 'tag ' || revenue_minor % 40 from customer.customer;
    insert into customer.custom_value (tenant_id, customer_id, field_id, item, text_value, int_value)
      select tenant_id, id, md5('f' || revenue_minor % 4)::uuid, 0,
        case when revenue_minor % 2 = 0 then 'text ' || revenue_minor % 300 end,
        case when revenue_minor % 2 = 1 then revenue_minor end
      from customer.customer;
    insert into customer.merge (tenant_id, id, into_id, from_id, taken, tags_added, merged_at, merged_by)
      select tenant_id, gen_random_uuid(), id, gen_random_uuid(), '{}', '{}', created_at, 'x' from customer.customer;
    insert into customer.segment (tenant_id, id, name, name_key, condition, version, created_at, created_by, updated_at,
        updated_by)
      select tenant_id, gen_random_uuid(), name, name_key, '{}', 1, created_at, 'x', created_at, 'x'
      from customer.customer;
    insert into customer.activity (tenant_id, id, about, at, kind, actor, details)
      select tenant_id, gen_random_uuid(), id, created_at, 'created', 'x', '{}' from customer.customer;
    update customer.customer
      set phone = '4930' || revenue_minor, email = revenue_minor || '@x' || revenue_minor % 500 || '.example';
    analyze customer.customer, customer.tag, customer.custom_value, customer.merge, customer.segment, customer.activity";

// covers: DB-08, CRM-04, CRM-08, CRM-10
#[tokio::test]
async fn tags_custom_fields_duplicates_and_merges_are_looked_up_by_tenant() {
    let house = house().await;
    house.admin.batch_execute(FILL).await.unwrap();
    house.admin.batch_execute(FILL_BESIDES).await.unwrap();
    house
        .admin
        .batch_execute(
            "set role stoa_customer_app; select set_config('stoa.tenant', md5('t1')::uuid::text, false)",
        )
        .await
        .unwrap();
    let live = "select id from customer.customer where archived_at is null and";
    let field = "field_id = md5('f1')::uuid";
    for query in [
        format!(
            "{live} id in (select customer_id from customer.tag where tag = 'tag 11'::text)
             order by name_key, id limit 51"
        ),
        format!(
            "{live} (id in (select customer_id from customer.tag where tag = 'tag 11'::text)
               or owner_id = md5('o1')::uuid) order by name_key, id limit 51"
        ),
        format!(
            "{live} id in (select customer_id from customer.custom_value
               where {field} and int_value >= 19000::bigint) order by name_key, id limit 51"
        ),
        format!(
            "{live} id in (select customer_id from customer.custom_value
               where field_id = md5('f0')::uuid and text_value = 'text 20'::text) order by name_key, id limit 51"
        ),
        format!(
            "{live} id = any(
               array(select id from customer.customer where archived_at is null and name_key = 'customer 11' limit 100)
               || array(select id from customer.customer where archived_at is null and phone_key = '493011' limit 100)
               || array(select id from customer.customer where archived_at is null and email = '11@x.example' limit 100)
               || array(select id from customer.customer where archived_at is null and email_domain = 'x11.example'
                          and name_key >= 'customer' and name_key < 'customes' limit 100)) limit 20"
        ),
        "select tag, count(*) from customer.tag join customer.customer on id = customer_id
           where archived_at is null and tag >= 'tag 1' and tag < 'tag 2' and owner_id = md5('o1')::uuid
           group by tag order by tag limit 1000"
            .to_owned(),
        "select id from customer.merge where into_id = md5('x')::uuid order by merged_at desc, id desc limit 51"
            .to_owned(),
        "select id from customer.segment where archived_at is null order by name_key, id limit 51".to_owned(),
        "select id from customer.activity where about = any(array(
             with recursive merged(id) as (
               select md5('x')::uuid
               union select c.id from customer.customer c join merged m on c.merged_into = m.id)
             select id from merged) || md5('y')::uuid) order by at desc, id desc limit 51"
            .to_owned(),
    ] {
        let rows = house.admin.query(&format!("explain {query}"), &[]).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan"), "{query}\n{plan}");
        let conditions: Vec<_> = plan.lines().filter(|line| line.contains("Index Cond:")).collect();
        assert!(!conditions.is_empty(), "{query}\n{plan}");
        for condition in conditions {
            assert!(condition.contains("tenant_id = "), "{condition}\n{query}\n{plan}");
        }
    }
}
