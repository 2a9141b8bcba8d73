//! Imports while they run: cancelled, deprived of their rights, beside others.

use crate::harness::{User, until};
use crate::imports::{counts, house, import, over, start, upload};
use serde_json::{Value, json};
use stoa_testkit::service::{Policies, Process, Setup, catalogue, clone_of};
use stoa_types::BranchId;
use tokio_util::sync::CancellationToken;

fn many(rows: usize) -> String {
    let rows: String = (0..rows)
        .map(|n| format!("K{n},Customer {n},c{n}@x.example\n"))
        .collect();
    format!("key,name,email\n{rows}")
}

/// Waits until some of an import's rows are committed, and returns the operation while others are not.
async fn under_way(user: User<'_>, operation: &str) -> Value {
    let mut last = Value::Null;
    until("a step is done", async || {
        last = user.get(operation).await.expect(200).body;
        last["done"].as_i64().unwrap() >= 500
    })
    .await;
    assert!(
        last["done"].as_i64() < last["total"].as_i64(),
        "too quick: {last}"
    );
    last
}

// covers: CRM-09, EV-11
#[tokio::test]
async fn an_import_can_be_cancelled_and_started_again() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let sent = upload(user, many(5_000)).await.expect(201);
    let operation = start(user, &sent, json!({})).await;
    under_way(user, &operation).await;
    let again = format!("/api/customers/imports/{}/start", sent.id());
    user.post(&again, json!({}))
        .await
        .problem(409, "operation.running");
    user.post(&format!("{operation}/cancel"), json!(null))
        .await
        .expect(200);
    let cancelled = over(user, &operation).await;
    assert_eq!(cancelled["status"], "cancelled");
    let stored = user.get("/api/customers/stats").await.body["total"]
        .as_i64()
        .unwrap();
    assert_eq!(
        stored,
        cancelled["done"].as_i64().unwrap(),
        "what was done by then stays"
    );
    assert!((500..5_000).contains(&stored), "{stored}");
    let done = over(user, &start(user, &sent, json!({})).await).await;
    assert_eq!(counts(&done), [5_000 - stored, 0, stored, 0]);
}

// covers: CRM-09
#[tokio::test]
async fn an_import_ends_when_its_user_loses_the_right() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let (user, admin) = (
        house.user(tenant, "all", &[BranchId::new()]),
        house.user(tenant, "all", &[]),
    );
    let sent = upload(user, many(10_000)).await.expect(201);
    let operation = start(user, &sent, json!({})).await;
    under_way(admin, &operation).await;
    user.lose_roles();
    let failed = over(admin, &operation).await;
    assert_eq!(
        (&failed["status"], &failed["problem"]["code"]),
        (&json!("failed"), &json!("auth.forbidden"))
    );
    let stored = admin.get("/api/customers/stats").await.body["total"].clone();
    assert_eq!(stored, failed["done"], "{failed}");
    let stored = stored.as_i64().unwrap();
    assert!((500..10_000).contains(&stored), "{stored}");
}

// covers: CRM-09
#[tokio::test]
async fn an_import_gives_up_after_too_many_errors() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let rows: String = (0..1_200)
        .map(|n| format!("{}\n", if n % 2 == 0 { "x" } else { "Good name" }))
        .collect();
    let (_, failed) = import(user, format!("name\n{rows}"), json!({ "maxErrors": 100 })).await;
    assert_eq!(
        (&failed["status"], &failed["problem"]["code"]),
        (&json!("failed"), &json!("customers.too_many_errors"))
    );
    assert_eq!(failed["done"], 500, "{failed}");
}

// covers: CRM-09
#[tokio::test]
async fn an_import_whose_process_died_with_too_many_errors_gives_up_first() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    // As if a step had committed three errors, and its process had died before it said that they are too many.
    let died = "create function customer.died() returns trigger language plpgsql as
          $$ begin new.state := '{\"failed\": 3}'; return new; end $$;
        create trigger died before insert on customer.job for each row execute function customer.died()";
    house.admin.batch_execute(died).await.unwrap();
    let (_, failed) = import(user, many(600), json!({ "maxErrors": 2 })).await;
    assert_eq!(failed["problem"]["code"], "customers.too_many_errors", "{failed}");
    assert_eq!(failed["done"], 0, "{failed}");
    assert_eq!(user.get("/api/customers/stats").await.body["total"], 0);
}

// covers: CRM-09, EV-11
#[tokio::test]
async fn a_small_import_does_not_wait_for_a_large_one() {
    let house = house().await;
    let large = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let small = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let big_file = upload(large, many(6_000)).await.expect(201);
    let small_file = upload(small, many(50)).await.expect(201);
    let big = start(large, &big_file, json!({})).await;
    let little = start(small, &small_file, json!({})).await;
    let done = over(small, &little).await;
    assert_eq!(counts(&done), [50, 0, 0, 0]);
    let meanwhile = large.get(&big).await.expect(200).body;
    assert_ne!(meanwhile["status"], "succeeded", "{meanwhile}");
    assert_eq!(counts(&over(large, &big).await), [6_000, 0, 0, 0]);
}

// covers: DB-08
#[tokio::test]
async fn rows_find_their_customers_without_reading_all_of_them() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    // The statistics still say that there is nothing.
    house
        .admin
        .batch_execute("analyze customer.customer")
        .await
        .unwrap();
    let fill = "insert into customer.customer (tenant_id, id, name, name_key, email, external_key, status, revenue_minor,
          branch_id, owner_id, version, created_at, created_by, updated_at, updated_by)
        select $1::uuid, gen_random_uuid(), 'Customer ' || n, 'customer ' || n, 'c' || n || '@x.example', 'K' || n,
          'lead', n, md5('b')::uuid, md5('o')::uuid, 1, now(), 'x', now(), 'x' from generate_series(0, 9999) n";
    house.admin.execute(fill, &[&user.tenant.uuid()]).await.unwrap();
    let fetched = "select sum(idx_tup_fetch + seq_tup_read)::bigint from pg_stat_user_tables
                   where relid = 'customer.customer'::regclass";
    house
        .admin
        .batch_execute("select pg_stat_force_next_flush()")
        .await
        .unwrap();
    let before: i64 = house.admin.query_one(fetched, &[]).await.unwrap().get(0);
    let (_, done) = import(user, many(1_000), json!({})).await;
    assert_eq!(counts(&done), [0, 0, 1_000, 0], "{done}");
    // The service's connections report what they did within a second or so.
    until("the figures are in", async || {
        let now: i64 = house.admin.query_one(fetched, &[]).await.unwrap().get(0);
        now > before + 2_000
    })
    .await;
    let now: i64 = house.admin.query_one(fetched, &[]).await.unwrap().get(0);
    assert!(now - before < 30_000, "{} rows were read for 1,000", now - before);
}

// covers: CRM-09
#[tokio::test]
async fn old_files_and_errors_are_swept() {
    let database = clone_of(stoa_customer::service, catalogue).await;
    let admin = database.connect_as_superuser().await.unwrap();
    let setup = Setup {
        others: vec![Policies::default().calls()],
        run_tasks: false,
        ..Setup::of(stoa_customer::service)
    };
    let process = Process::start(&database, setup).await;
    let age = "insert into customer.upload (tenant_id, id, created_at, created_by, about)
        select gen_random_uuid(), gen_random_uuid(), $1::timestamptz - hours * interval '1 hour', 'x', about::jsonb
        from (values (23, null), (25, null), (25, '{}'), (167, '{}'), (169, '{}')) f(hours, about)";
    let now = process.context.clock.now();
    admin.execute(age, &[&now]).await.unwrap();
    let chunks = "insert into customer.upload_chunk select tenant_id, id, n, 'x' from customer.upload, generate_series(0, 1) n";
    admin.execute(chunks, &[]).await.unwrap();
    let large = "insert into customer.upload_chunk select tenant_id, id, n, 'x' from customer.upload, generate_series(2, 1300) n
        where created_at < $1::timestamptz - interval '168 hours'";
    admin.execute(large, &[&now]).await.unwrap();
    let bounded = "create function customer.bounded() returns trigger language plpgsql as
          $$ begin if (select count(*) from gone) > 500 then raise 'too many for one statement'; end if; return null; end $$;
        create trigger bounded after delete on customer.upload_chunk referencing old table as gone
          for each statement execute function customer.bounded()";
    admin.batch_execute(bounded).await.unwrap();
    let errors = "insert into customer.operation_error (tenant_id, operation, position, faults, created_at)
        select gen_random_uuid(), gen_random_uuid(), hours, '[]', $1::timestamptz - hours * interval '1 hour'
        from (values (1), (169)) e(hours)";
    admin.execute(errors, &[&now]).await.unwrap();

    let sweep = process
        .tasks
        .iter()
        .find(|task| task.name == "customer.sweep")
        .unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn((sweep.run)(stop.clone()));
    let left = "select (select count(*) from customer.upload), (select count(*) from customer.upload_chunk),
                  (select count(*) from customer.operation_error)";
    until("the old ones are gone", async || {
        let row = admin.query_one(left, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)) == (3, 6, 1)
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

// covers: CRM-09
#[tokio::test]
async fn what_cannot_be_forgotten_does_not_keep_the_rest() {
    let database = clone_of(stoa_customer::service, catalogue).await;
    let admin = database.connect_as_superuser().await.unwrap();
    let setup = Setup {
        others: vec![Policies::default().calls()],
        run_tasks: false,
        ..Setup::of(stoa_customer::service)
    };
    let process = Process::start(&database, setup).await;
    let now = process.context.clock.now();
    let stuck = "create function customer.stuck() returns trigger language plpgsql as $$ begin raise 'stuck'; end $$;
        create trigger stuck before delete on customer.upload_chunk for each row execute function customer.stuck()";
    admin.batch_execute(stuck).await.unwrap();
    let old = "with u as (insert into customer.upload (tenant_id, id, created_at, created_by)
          values (gen_random_uuid(), gen_random_uuid(), $1::timestamptz - interval '30 days', 'x') returning tenant_id, id),
        c as (insert into customer.upload_chunk select tenant_id, id, 0, 'x' from u)
        insert into customer.operation_error (tenant_id, operation, position, faults, created_at)
        select tenant_id, id, n, '[]', $1::timestamptz - interval '30 days' from u, generate_series(1, 2500) n";
    admin.execute(old, &[&now]).await.unwrap();
    let sweep = process
        .tasks
        .iter()
        .find(|task| task.name == "customer.sweep")
        .unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn((sweep.run)(stop.clone()));
    let left =
        "select (select count(*) from customer.upload), (select count(*) from customer.operation_error)";
    until("the errors are gone", async || {
        let row = admin.query_one(left, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1)) == (1, 0)
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
}
