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
