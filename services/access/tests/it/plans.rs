use crate::events::{branch, emit, team};
use crate::harness::{Process, database, until};
use crate::house::as_user;
use serde_json::json;
use std::collections::BTreeMap;
use stoa_contracts::access::{Act, GrantRole, MayActFor};
use stoa_contracts::organization::BranchCreated;
use stoa_types::{TeamId, UserId};

/// Rows of many other tenants, so that reading a whole table would show.
const OTHERS: &str = "
  create temp table t as select gen_random_uuid() tenant from generate_series(1, 40);
  insert into access.revision select tenant, 1 from t
    union all select gen_random_uuid(), 1 from generate_series(1, 5000);
  insert into access.role (tenant_id, id, name, created_at, created_by, updated_at, updated_by)
    select tenant, gen_random_uuid(), 'r' || n, now(), '', now(), '' from t, generate_series(1, 100) n;
  insert into access.role_parent
    select a.tenant_id, a.id, b.id from access.role a join access.role b
      on a.tenant_id = b.tenant_id and a.name = 'r1' and b.name <> 'r1' and b.name like 'r%';
  insert into access.role_grant (tenant_id, id, role_id, permission, effect, scope, created_at, created_by)
    select tenant_id, gen_random_uuid(), id, 'a:b', 'allow', 'all', now(), '' from access.role;
  insert into access.assignment (tenant_id, id, user_id, role_id, created_at, created_by)
    select tenant_id, gen_random_uuid(), gen_random_uuid(), id, now(), '' from access.role;
  insert into access.subject select tenant_id, user_id, gen_random_uuid(), now(), '' from access.assignment;
  insert into access.branch select tenant_id, branch_id, 1, gen_random_uuid() from access.subject;
  insert into access.team select tenant_id, id, 1 from access.branch;
  insert into access.team_member select tenant_id, id, gen_random_uuid() from access.team, generate_series(1, 3);
  insert into access.branch_closure select tenant_id, id, id from access.branch;
  insert into access.endpoint_rule
    select tenant, gen_random_uuid(), '/x/' || n, '{}', '\"public\"', 1, now(), '', now(), '' from t,
      generate_series(1, 100) n;
  insert into access.change (tenant_id, seq, id, revision, kind, user_id, actor, correlation, at)
    select tenant, nextval('access.change_seq'), gen_random_uuid(), n, 'test', gen_random_uuid(), '',
      gen_random_uuid(), now() from t, generate_series(1, 100) n;
  analyze";

// covers: DB-08
#[tokio::test]
async fn no_request_reads_a_whole_table() {
    let database = database().await;
    let client = database.connect_as_superuser().await.unwrap();
    client.batch_execute(OTHERS).await.unwrap();
    // By table: whole reads, and reads by an index.
    let scans = async || -> BTreeMap<String, (i64, i64)> {
        let sql = "select relname::text, seq_scan, coalesce(idx_scan, 0) from pg_stat_user_tables
                   where schemaname = 'access' and relname not in ('platform_rule', 'platform_change', 'permission',
                     'tenant', 'idempotency')";
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| (row.get(0), (row.get(1), row.get(2))))
            .collect()
    };
    // Otherwise the statements above are counted only once their session has been idle for a while.
    client
        .batch_execute("select pg_stat_force_next_flush()")
        .await
        .unwrap();
    let before = scans().await;

    let process = Process::start(&database).await;
    let admin = process.tenant("plans").await;
    let user = UserId::new();
    let role = process
        .send(admin, "POST /api/iam/roles", Some(json!({"name": "x"})), &[])
        .await
        .expect(201);
    let role = role["id"].as_str().unwrap();
    let body = json!({"name": "y", "parents": [role]});
    process
        .send(admin, "POST /api/iam/roles", Some(body), &[])
        .await
        .expect(201);
    for permission in ["x:y", "users:assign"] {
        let body = json!({"permission": permission, "scope": "all"});
        let path = format!("POST /api/iam/roles/{role}/grants");
        process.send(admin, &path, Some(body), &[]).await.expect(201);
    }
    let body = json!({"userId": user, "roleId": role});
    let held = process
        .send(admin, "POST /api/iam/assignments", Some(body), &[])
        .await
        .expect(201);
    let held = held["id"].as_str().unwrap();
    process
        .assign(admin.0, user, "manager", Some(stoa_types::BranchId::new()))
        .await;
    let home = stoa_types::BranchId::new();
    emit(&process, admin.0, BranchCreated::from(branch(home, &[], 1))).await;
    emit(&process, admin.0, team(TeamId::new(), &[user, admin.1], 1)).await;
    process.assign(admin.0, user, "representative", Some(home)).await;
    // By somebody without iam:write, whose own grants are then read too.
    let grant = GrantRole {
        user: UserId::new(),
        role: role.parse().unwrap(),
        valid_from: None,
        valid_until: None,
    };
    as_user(&process, (admin.0, user), grant).await.unwrap();
    let act = MayActFor {
        user: UserId::new(),
        act: Act::Archive,
    };
    as_user(&process, (admin.0, user), act).await.unwrap();
    let body = json!({"pattern": "/x/y", "requirement": "public"});
    process
        .send(admin, "POST /api/iam/endpoint-rules", Some(body), &[])
        .await
        .expect(201);
    for request in [
        "GET /api/iam/roles".to_owned(),
        "GET /api/iam/roles?sort=-createdAt&limit=1".to_owned(),
        format!("GET /api/iam/roles/{role}"),
        format!("GET /api/iam/roles/{role}/grants"),
        "GET /api/iam/endpoint-rules".to_owned(),
        "GET /api/iam/endpoint-rules/effective".to_owned(),
        "GET /api/iam/assignments".to_owned(),
        format!("GET /api/iam/assignments?user={user}"),
        format!("GET /api/iam/assignments?role={role}"),
        format!("GET /api/iam/assignments/{held}"),
        "GET /api/iam/changes".to_owned(),
        "GET /api/iam/changes?kind=role.created".to_owned(),
        format!("GET /api/iam/changes?user={user}&sort=seq"),
        format!("GET /api/iam/permissions/user/{user}"),
        format!("DELETE /api/iam/assignments/{held}"),
    ] {
        process.send(admin, &request, None, &[]).await.expect(200);
    }
    // A session that ends has counted everything.
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and usename like 'stoa_access_%'";
    client.batch_execute(end).await.unwrap();
    let mut after = BTreeMap::new();
    until("the use of every index is counted", async || {
        after = scans().await;
        after
            .iter()
            .all(|(table, (_, by_index))| *by_index > before[table].1)
    })
    .await;
    for (table, (whole, _)) in &after {
        assert_eq!(
            *whole, before[table].0,
            "{table} was read as a whole: {before:?} then {after:?}"
        );
    }
}
