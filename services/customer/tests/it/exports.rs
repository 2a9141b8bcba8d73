//! Exports, and that an import gives back what was exported.

use crate::harness::until;
use crate::imports::{house, import};
use crate::support::create;
use serde_json::{Value, json};
use stoa_policy::DataScope;
use stoa_types::BranchId;

// covers: CRM-09
#[tokio::test]
async fn what_was_exported_can_be_imported_again() {
    let house = house().await;
    let (tenant, other) = (house.tenant(&[]), house.tenant(&[]));
    let branch = BranchId::new();
    let (user, heir) = (
        house.user(tenant, "all", &[branch]),
        house.user(other, "all", &[branch]),
    );
    let size = json!({ "key": "size", "label": "Size", "type": "number", "decimals": 1 });
    for user in [user, heir] {
        user.post("/api/customers/fields", size.clone()).await.expect(201);
    }
    for (n, name) in [
        "=1+1",
        "+tel",
        "'=quoted",
        "@sum, \"x\"",
        "-minus",
        "plain; one",
        "zwei\u{e9}",
    ]
    .iter()
    .enumerate()
    {
        let fields = json!({
            "externalKey": format!("K{n}"), "email": format!("m{n}@x.example"), "phone": "+4930123456",
            "tags": ["a", "b c"], "custom": { "size": -1.5 }, "sector": "=cmd", "revenueMinor": 7, "employees": n
        });
        create(user, name, fields).await;
    }
    for format in ["csv", "csv&bom=true", "ndjson"] {
        let file = user
            .get(&format!("/api/customers/export?format={format}"))
            .await
            .expect(200);
        let lines = file.text.lines().count();
        assert!(lines == 8 || format == "ndjson" && lines == 7, "{}", file.text);
        assert!(
            !file.text.contains(",=") && !file.text.contains(",+4"),
            "{}",
            file.text
        );
        let (_, done) = import(user, file.text.clone(), json!({ "key": "id" })).await;
        assert_eq!(done["result"]["unchanged"], 7, "{format}: {done}");

        let (_, done) = import(heir, file.text, json!({ "key": "externalKey" })).await;
        assert_eq!(done["result"]["failed"], 0, "{format}: {done}");
    }
    let fields = "fields=name,externalKey,email,phone,tags,custom.size,sector,revenueMinor,employees";
    let path = format!("/api/customers/export?format=ndjson&{fields}");
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (theirs, ours) = (heir.get(&path).await.text, user.get(&path).await.text);
    assert_eq!(sorted(&theirs), sorted(&ours));
}

// covers: CRM-09, AZ-04, TN-01
#[tokio::test]
async fn an_export_holds_what_its_reader_may_see() {
    let house = house().await;
    let tenant = house.tenant(&[
        ("reader", "customers:read", DataScope::All),
        ("exporter", "customers:export", DataScope::All),
        ("exporter", "customers:read", DataScope::Own),
    ]);
    let admin = house.user(tenant, "all", &[BranchId::new()]);
    let exporter = house.user(tenant, "exporter", &[]);
    create(admin, "Hers", json!({ "status": "active" })).await;
    create(admin, "His", json!({ "ownerId": exporter.id })).await;
    let names = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["name"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    let path = "/api/customers/export?format=ndjson";
    assert_eq!(names(&admin.get(path).await.text), ["Hers", "His"]);
    assert_eq!(
        names(&exporter.get(path).await.text),
        ["His"],
        "what is out of sight is not exported"
    );
    assert_eq!(
        names(&admin.get(&format!("{path}&filter=status:eq:active")).await.text),
        ["Hers"]
    );
    assert_eq!(
        admin.get(&format!("{path}&dataScope=own&search=Hi")).await.text,
        ""
    );
    assert_eq!(
        admin
            .get("/api/customers/export?fields=name,status&search=hers")
            .await
            .text,
        "name,status\r\nHers,active\r\n"
    );
    admin
        .get(&format!("{path}&fields=colour"))
        .await
        .problem(422, "request.invalid");
    admin
        .get(&format!("{path}&filter=colour:eq:red"))
        .await
        .problem(422, "request.invalid");
    house
        .user(tenant, "reader", &[])
        .get(path)
        .await
        .problem(403, "auth.forbidden");
    assert_eq!(
        house
            .user(house.tenant(&[]), "all", &[])
            .get(path)
            .await
            .expect(200)
            .text,
        ""
    );
}

// covers: CRM-09
#[tokio::test]
async fn an_export_of_many_comes_in_pages() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let fill = "insert into customer.customer (tenant_id, id, name, name_key, status, revenue_minor, branch_id, owner_id,
          version, created_at, created_by, updated_at, updated_by)
        select $1::uuid, gen_random_uuid(), 'Customer ' || n, 'customer ' || n, 'lead', n, md5('b')::uuid, md5('o')::uuid, 1,
          now(), 'x', now(), 'x' from generate_series(1, 2500) n";
    house.admin.execute(fill, &[&user.tenant.uuid()]).await.unwrap();
    // Each page is one scan; the service's connections report theirs within a second or so.
    let scans = "select (idx_scan + seq_scan)::bigint from pg_stat_user_tables
                 where relid = 'customer.customer'::regclass";
    let flush = "select pg_stat_force_next_flush()";
    house.admin.batch_execute(flush).await.unwrap();
    let before: i64 = house.admin.query_one(scans, &[]).await.unwrap().get(0);
    let file = user.get("/api/customers/export?fields=id,name").await.expect(200);
    let ids: std::collections::BTreeSet<&str> = file
        .text
        .lines()
        .skip(1)
        .filter_map(|l| l.split(',').next())
        .collect();
    assert_eq!(ids.len(), 2_500);
    assert!(file.header("content-disposition").contains("customers.csv"));
    until("three pages of 1,000 were read", async || {
        let now: i64 = house.admin.query_one(scans, &[]).await.unwrap().get(0);
        now >= before + 3
    })
    .await;
}
