use crate::harness::{ARCHIVED_USER, NO_USER, Process, database};
use serde_json::{Value, json};
use stoa_types::{TenantId, UserId};

async fn role_named(process: &Process, admin: (TenantId, UserId), name: &str) -> Value {
    let roles = process
        .send(admin, "GET /api/iam/roles", None, &[])
        .await
        .expect(200);
    let found = roles["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|role| role["name"] == name);
    found.unwrap().clone()
}

// covers: AZ-02
#[tokio::test]
async fn the_last_administrator_cannot_be_lost_in_any_way() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("last").await;
    let role = role_named(&process, admin, "admin").await;
    let role_id = role["id"].as_str().unwrap();
    let last = |answer: Value| assert_eq!(answer["code"], "iam.last_administrator", "{answer:#}");

    let list = format!("GET /api/iam/assignments?user={}", admin.1);
    let held = process.send(admin, &list, None, &[]).await.expect(200);
    let assignment = format!(
        "DELETE /api/iam/assignments/{}",
        held["items"][0]["id"].as_str().unwrap()
    );
    last(process.send(admin, &assignment, None, &[]).await.expect(409));

    let list = format!("GET /api/iam/roles/{role_id}/grants");
    let grants = process.send(admin, &list, None, &[]).await.expect(200);
    let grant = grants["items"][0]["id"].as_str().unwrap();
    let delete = format!("DELETE /api/iam/roles/{role_id}/grants/{grant}");
    last(process.send(admin, &delete, None, &[]).await.expect(409));

    let deny = json!({"permission": "iam:*", "effect": "deny", "scope": "all"});
    let path = format!("POST /api/iam/roles/{role_id}/grants");
    last(
        process
            .send(admin, &path, Some(deny.clone()), &[])
            .await
            .expect(409),
    );

    // A role that denies may exist, but not for the only administrator.
    let barred = process
        .send(admin, "POST /api/iam/roles", Some(json!({"name": "barred"})), &[])
        .await
        .expect(201);
    let barred = barred["id"].as_str().unwrap();
    let path = format!("POST /api/iam/roles/{barred}/grants");
    process.send(admin, &path, Some(deny), &[]).await.expect(201);
    let body = json!({"userId": admin.1, "roleId": barred});
    last(
        process
            .send(admin, "POST /api/iam/assignments", Some(body), &[])
            .await
            .expect(409),
    );
    let body = json!({"name": "admin", "parents": [barred]});
    let put = format!("PUT /api/iam/roles/{role_id}");
    last(
        process
            .send(admin, &put, Some(body), &[("if-match", "*")])
            .await
            .expect(409),
    );

    // A second administrator for a limited time is not enough; one without end is.
    let until = process.context.clock.now() + jiff::SignedDuration::from_hours(1);
    let body = json!({"userId": UserId::new(), "roleId": role_id, "validUntil": until});
    process
        .send(admin, "POST /api/iam/assignments", Some(body), &[])
        .await
        .expect(201);
    last(process.send(admin, &assignment, None, &[]).await.expect(409));
    let body = json!({"userId": UserId::new(), "roleId": role_id});
    process
        .send(admin, "POST /api/iam/assignments", Some(body), &[])
        .await
        .expect(201);
    process.send(admin, &assignment, None, &[]).await.expect(200);
}

// covers: AZ-02
#[tokio::test]
async fn nobody_who_is_not_there_is_given_anything() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("nobody").await;
    let role = role_named(&process, admin, "admin").await;
    for (user, rule) in [(NO_USER, "unknown"), (ARCHIVED_USER, "archived")] {
        let path = format!("PUT /api/iam/users/{user}/branch");
        for (request, body) in [
            (
                "POST /api/iam/assignments",
                json!({"userId": user, "roleId": role["id"]}),
            ),
            (path.as_str(), json!({"branchId": null})),
        ] {
            let refused = process.send(admin, request, Some(body), &[]).await.expect(422);
            let field = &refused["errors"][0];
            assert_eq!(
                (&field["pointer"], &field["rule"]),
                (&json!("/userId"), &json!(rule))
            );
        }
    }
}

// covers: AZ-01
#[tokio::test]
async fn an_assignment_holds_for_its_time() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("time").await;
    let user = UserId::new();
    let role = role_named(&process, admin, "manager").await;
    let now = process.context.clock.now();
    let hours = jiff::SignedDuration::from_hours;
    let body = json!({
        "userId": user, "roleId": role["id"], "validFrom": now + hours(1), "validUntil": now + hours(2)
    });
    process
        .send(admin, "POST /api/iam/assignments", Some(body.clone()), &[])
        .await
        .expect(201);
    let again = process
        .send(admin, "POST /api/iam/assignments", Some(body), &[])
        .await;
    assert_eq!(again.expect(409)["code"], "iam.already_assigned");

    let question = json!({"userId": user, "tenantId": admin.0, "resource": "customers", "action": "update"});
    let mut held = Vec::new();
    for _ in 0..3 {
        let answer = process
            .send(
                admin,
                "POST /api/iam/permissions/check",
                Some(question.clone()),
                &[],
            )
            .await
            .expect(200);
        held.push(answer["allowed"].as_bool().unwrap());
        process.context.clock.advance(jiff::SignedDuration::from_mins(61));
    }
    assert_eq!(held, [false, true, false]);
}
