use crate::harness::{Process, database};
use serde_json::json;
use stoa_types::{BranchId, TenantId, UserId};

// covers: AZ-05
#[tokio::test]
async fn a_check_answers_for_resources_paths_and_rows() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("check").await;
    let alice = UserId::new();
    process
        .assign(admin.0, alice, "representative", Some(BranchId::new()))
        .await;
    let check = async |body: serde_json::Value| {
        process
            .send(admin, "POST /api/iam/permissions/check", Some(body), &[])
            .await
    };
    let ask = |user: UserId, resource: &str, action: &str| json!({"userId": user, "tenantId": admin.0, "resource": resource, "action": action});

    let answer = check(ask(alice, "customers", "read")).await.expect(200);
    assert_eq!(
        (&answer["allowed"], &answer["reason"], &answer["scope"]),
        (&json!(true), &json!("possible"), &json!("own"))
    );
    assert!(answer["explanation"].is_object(), "the administrator may see why");
    let refused = check(ask(alice, "iam", "write")).await.expect(200);
    assert_eq!(
        (&refused["allowed"], &refused["reason"]),
        (&json!(false), &json!("noGrant"))
    );
    assert_eq!(refused["explanation"]["nearMisses"][0]["role"], "admin");

    let mut own = ask(alice, "customers", "read");
    own["attributes"] = json!({"ownerId": alice});
    assert_eq!(check(own).await.expect(200)["allowed"], true);
    let mut foreign = ask(alice, "customers", "read");
    foreign["attributes"] = json!({"ownerId": UserId::new()});
    assert_eq!(check(foreign).await.expect(200)["reason"], "outOfScope");

    let path = check(ask(admin.1, "/api/iam/roles", "get")).await.expect(200);
    assert_eq!(
        (&path["allowed"], &path["permission"]),
        (&json!(true), &json!("iam:read"))
    );
    let path = check(ask(alice, "/api/iam/roles", "GET")).await.expect(200);
    assert_eq!(path["allowed"], false);
    for unruled in ["/nowhere", "/api/iam/../iam/roles", "/api//iam/roles"] {
        let answer = check(ask(admin.1, unruled, "GET")).await.expect(200);
        assert_eq!(
            (&answer["allowed"], &answer["reason"]),
            (&json!(false), &json!("noRule")),
            "{unruled}"
        );
    }
    let nobody = check(ask(UserId::new(), "customers", "read")).await.expect(200);
    assert_eq!(nobody["allowed"], false);
    let mut elsewhere = ask(alice, "customers", "read");
    elsewhere["tenantId"] = json!(TenantId::new());
    check(elsewhere).await.expect(404);
}

// covers: AZ-05
#[tokio::test]
async fn effective_permissions_have_their_scopes() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("effective").await;
    let read = async |user: UserId| {
        let path = format!("GET /api/iam/permissions/user/{user}");
        process.send(admin, &path, None, &[]).await.expect(200)
    };
    let nobody = read(UserId::new()).await;
    assert_eq!(
        (&nobody["roles"], &nobody["permissions"]),
        (&json!([]), &json!([]))
    );

    let manager = UserId::new();
    process.assign(admin.0, manager, "manager", None).await;
    let held = read(manager).await;
    let permissions = held["permissions"].as_array().unwrap();
    let scope_of = |name: &str| {
        permissions
            .iter()
            .find(|p| p["permission"] == name)
            .map(|p| p["scope"].clone())
    };
    assert_eq!(scope_of("customers:update"), Some(json!("branchAndBelow")));
    assert_eq!(scope_of("organizations:read"), Some(json!("all")));
    assert_eq!(scope_of("iam:write"), None);

    let held = read(admin.1).await;
    let names: Vec<_> = held["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["permission"].clone())
        .collect();
    for declared in ["admin:access", "iam:write", "iam:explain"] {
        assert!(
            names.contains(&json!(declared)),
            "{declared} is declared by a service: {names:?}"
        );
    }
}

// covers: AZ-05
#[tokio::test]
async fn authzen_decides_one_and_several() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("authzen").await;
    let bob = UserId::new();
    process.assign(admin.0, bob, "representative", None).await;
    let subject = json!({"type": "user", "id": bob});
    let customer = |owner: UserId| json!({"type": "customers", "id": "1", "properties": {"ownerId": owner}});
    let read = json!({"name": "read"});

    let one = json!({"subject": subject, "action": read, "resource": customer(bob)});
    let answer = process
        .send(admin, "POST /access/v1/evaluation", Some(one), &[])
        .await
        .expect(200);
    assert_eq!(answer["decision"], true);
    let without_row =
        json!({"subject": subject, "action": read, "resource": {"type": "customers", "id": "1"}});
    let answer = process
        .send(admin, "POST /access/v1/evaluation", Some(without_row), &[])
        .await
        .expect(200);
    assert_eq!(answer["decision"], false, "an unknown owner is not the own row");
    let bad = json!({"subject": subject});
    process
        .send(admin, "POST /access/v1/evaluation", Some(bad), &[])
        .await
        .expect(400);
    let bad = json!({"subject": "bob"});
    process
        .send(admin, "POST /access/v1/evaluation", Some(bad), &[])
        .await
        .expect(400);

    let other = customer(UserId::new());
    for (semantic, decisions) in [
        ("execute_all", vec![true, false, true]),
        ("deny_on_first_deny", vec![true, false]),
        ("permit_on_first_permit", vec![true]),
    ] {
        let body = json!({
            "subject": subject, "action": read, "options": {"evaluations_semantic": semantic},
            "evaluations": [{"resource": customer(bob)}, {"resource": other}, {"resource": customer(bob)}]
        });
        let answer = process
            .send(admin, "POST /access/v1/evaluations", Some(body), &[])
            .await
            .expect(200);
        let got: Vec<_> = answer["evaluations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["decision"] == true)
            .collect();
        assert_eq!(got, decisions, "{semantic}");
    }
}
