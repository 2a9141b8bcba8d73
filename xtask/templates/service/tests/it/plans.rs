//! Under row-level security every list and look-up uses an index that begins with the tenant.

use stoa_kernel::mesh::Calls;
use stoa_testkit::service::House;

/// Rows of ten tenants, so that a scan of all of them is worth avoiding; then the service's role and one of the tenants.
const FILL: &str = "
    insert into __service__.__resource__ (tenant_id, id, name, name_key, version, created_at, created_by, updated_at,
        updated_by, archived_at)
      select md5('t' || n % 10)::uuid, md5('i' || n)::uuid, 'Name ' || n, 'name ' || n, 1,
        now() - n * interval '1 s', 'x', now() - n * interval '1 s', 'x', case when n % 15 = 0 then now() end
      from generate_series(1, 20000) n;
    analyze __service__.__resource__;
    set role stoa___service___app;
    select set_config('stoa.tenant', md5('t1')::uuid::text, false);";

#[tokio::test]
async fn no_list_or_look_up_scans_a_table() {
    let house = House::start(stoa___service__::service, Calls::new()).await;
    house.admin.batch_execute(FILL).await.unwrap();
    for rest in [
        "archived_at is null and id = '00000000-0000-0000-0000-000000000000'",
        "archived_at is null order by name_key, id limit 51",
        "archived_at is null order by name_key desc, id desc limit 51",
        "archived_at is null order by created_at, id limit 51",
        "archived_at is null order by updated_at, id limit 51",
        "archived_at is null and (name_key, id) > ('name 12', '00000000-0000-0000-0000-000000000000')
           order by name_key, id limit 51",
        "archived_at is not null order by name_key, id limit 51",
    ] {
        let sql = format!("explain select id from __service__.__resource__ where {rest}");
        let rows = house.admin.query(&sql, &[]).await.unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = lines.join("\n");
        assert!(!plan.contains("Seq Scan"), "{sql}\n{plan}");
        for condition in plan.lines().filter(|line| line.contains("Index Cond:")) {
            assert!(condition.contains("tenant_id = "), "{sql}\n{plan}");
        }
    }
}
