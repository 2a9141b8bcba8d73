use crate::harness::{Process, database};
use serde_json::json;

// covers: AZ-02
#[tokio::test]
async fn a_role_is_written_with_version_revision_and_history() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("roles").await;

    let created = process
        .send(
            admin,
            "POST /api/iam/roles",
            Some(json!({"name": "auditor"})),
            &[],
        )
        .await;
    assert_eq!(created.headers["etag"], "\"1\"");
    assert!(created.headers.contains_key("x-policy-revision"));
    let location = created.headers["location"].to_str().unwrap().to_owned();
    let role = created.expect(201);
    let revision = role["revision"].as_i64().unwrap();

    let put = format!("PUT {location}");
    let body = json!({"name": "auditor", "description": "reads"});
    process
        .send(admin, &put, Some(body.clone()), &[])
        .await
        .expect(428);
    process
        .send(admin, &put, Some(body.clone()), &[("if-match", "\"7\"")])
        .await
        .expect(412);
    let updated = process
        .send(admin, &put, Some(body.clone()), &[("if-match", "\"1\"")])
        .await
        .expect(200);
    assert_eq!(
        (updated["version"].as_i64(), updated["revision"].as_i64()),
        (Some(2), Some(revision + 1))
    );

    let taken = process.send(admin, "POST /api/iam/roles", Some(body), &[]).await;
    assert_eq!(taken.expect(409)["code"], "iam.role_name_taken");

    let delete = format!("DELETE {location}");
    process
        .send(admin, &delete, None, &[("if-match", "\"2\"")])
        .await
        .expect(200);
    process
        .send(admin, &format!("GET {location}"), None, &[])
        .await
        .expect(404);

    let changes = process
        .send(admin, "GET /api/iam/changes?limit=3", None, &[])
        .await
        .expect(200);
    let kinds: Vec<_> = changes["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["kind"].clone())
        .collect();
    assert_eq!(kinds, ["role.deleted", "role.updated", "role.created"]);
    let update = &changes["items"][1];
    assert_eq!(
        (&update["before"]["description"], &update["after"]["description"]),
        (&json!(""), &json!("reads"))
    );
    assert_eq!(update["actor"], json!(admin.1));
    assert!(changes["nextCursor"].is_string());
}

// covers: AZ-01
#[tokio::test]
async fn a_circle_of_roles_is_refused_and_changes_nothing() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("circle").await;
    let create = async |name: &str, parents: Vec<String>| {
        let body = json!({"name": name, "parents": parents});
        let role = process
            .send(admin, "POST /api/iam/roles", Some(body), &[])
            .await
            .expect(201);
        role["id"].as_str().unwrap().to_owned()
    };
    let base = create("base", vec![]).await;
    let heir = create("heir", vec![base.clone()]).await;

    let body = json!({"name": "base", "parents": [heir]});
    let put = format!("PUT /api/iam/roles/{base}");
    let refused = process
        .send(admin, &put, Some(body), &[("if-match", "*")])
        .await
        .expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/parents");
    assert!(refused["detail"].as_str().unwrap().contains("heir"));
    let base = process
        .send(admin, &format!("GET /api/iam/roles/{base}"), None, &[])
        .await
        .expect(200);
    assert_eq!((&base["version"], &base["parents"]), (&json!(1), &json!([])));

    let in_use = format!("DELETE /api/iam/roles/{}", base["id"].as_str().unwrap());
    let refused = process
        .send(admin, &in_use, None, &[("if-match", "*")])
        .await
        .expect(409);
    assert_eq!(refused["code"], "iam.role_in_use");
}

// covers: AP-02
#[tokio::test]
async fn a_repeated_command_happens_once_and_a_key_is_bound_to_its_target() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("again").await;
    let key = [("idempotency-key", "k1")];
    let body = || Some(json!({"name": "once"}));
    let first = process
        .send(admin, "POST /api/iam/roles", body(), &key)
        .await
        .expect(201);
    let again = process.send(admin, "POST /api/iam/roles", body(), &key).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.expect(201), first);
    let other = Some(json!({"name": "other"}));
    process
        .send(admin, "POST /api/iam/roles", other, &key)
        .await
        .expect(422);

    let role = first["id"].as_str().unwrap();
    let grant = || Some(json!({"permission": "customers:read", "scope": "all"}));
    let path = format!("POST /api/iam/roles/{role}/grants");
    process.send(admin, &path, grant(), &key).await.expect(201);
    let elsewhere = format!("POST /api/iam/roles/{}/grants", stoa_types::RoleId::new());
    process.send(admin, &elsewhere, grant(), &key).await.expect(422);
}

// covers: TN-02
#[tokio::test]
async fn another_tenant_and_an_unprivileged_user_are_refused() {
    let database = database().await;
    let process = Process::start(&database).await;
    let ours = process.tenant("ours").await;
    let theirs = process.tenant("theirs").await;
    let role = process
        .send(ours, "POST /api/iam/roles", Some(json!({"name": "ours"})), &[])
        .await
        .expect(201);
    let path = format!("/api/iam/roles/{}", role["id"].as_str().unwrap());
    process
        .send(theirs, &format!("GET {path}"), None, &[])
        .await
        .expect(404);
    let delete = format!("DELETE {path}");
    process
        .send(theirs, &delete, None, &[("if-match", "*")])
        .await
        .expect(404);
    let grant = Some(json!({"permission": "*", "scope": "all"}));
    process
        .send(theirs, &format!("POST {path}/grants"), grant, &[])
        .await
        .expect(404);
    let listed = process
        .send(theirs, "GET /api/iam/roles", None, &[])
        .await
        .expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3, "the default roles");

    let nobody = (ours.0, stoa_types::UserId::new());
    for request in [
        "GET /api/iam/permissions",
        "GET /api/iam/roles",
        "GET /api/iam/endpoint-rules",
        "GET /api/iam/endpoint-rules/effective",
        "GET /api/iam/assignments",
        "GET /api/iam/changes",
        "POST /api/iam/cache/invalidate",
    ] {
        process.send(nobody, request, None, &[]).await.expect(403);
    }
}
