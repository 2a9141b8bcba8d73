//! Roles of users, which the access service keeps.

use crate::support::{create, house, with_profile};
use http::Method;
use serde_json::json;
use stoa_policy::DataScope;
use stoa_types::new_id;

// covers: CRM-03
#[tokio::test]
async fn a_role_is_given_and_taken() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let path = create(admin, "Alice", "alice@acme.example", json!({}))
        .await
        .header("location")
        .to_owned();
    let (roles, role) = (format!("{path}/roles"), new_id());
    let body = json!({ "roleId": role, "validUntil": "2030-01-01T00:00:00Z" });
    let key = [("idempotency-key", "once")];
    let given = admin
        .send(Method::POST, &roles, &key, Some(body.clone()))
        .await
        .expect(201);
    assert_eq!(
        (&given.body["roleId"], &given.body["validUntil"]),
        (&json!(role), &body["validUntil"])
    );
    let replayed = admin
        .send(Method::POST, &roles, &key, Some(body.clone()))
        .await
        .expect(201);
    assert_eq!(replayed.body, given.body);
    admin.post(&roles, body).await.expect(200);
    assert_eq!(
        admin.get(&roles).await.expect(200).body["roles"][0]["roleId"],
        json!(role)
    );
    admin.get(&format!("{path}/permissions")).await.expect(200);

    let taken = format!("{roles}/{role}");
    let key = [("idempotency-key", "taken")];
    admin.send(Method::DELETE, &taken, &key, None).await.expect(204);
    admin.send(Method::DELETE, &taken, &key, None).await.expect(204);
    admin
        .send(Method::DELETE, &taken, &[], None)
        .await
        .problem(404, "request.not_found");
    assert_eq!(admin.get(&roles).await.body["roles"], json!([]));

    let period =
        json!({ "roleId": role, "validFrom": "2030-01-01T00:00:00Z", "validUntil": "2029-01-01T00:00:00Z" });
    let refused = admin.post(&roles, period).await.expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/validUntil");
    let refused = admin.post(&roles, json!({ "roleId": "admin" })).await.expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/roleId");
    admin.change(Method::DELETE, &path, "*", None).await.expect(204);
    admin
        .post(&roles, json!({ "roleId": role }))
        .await
        .problem(409, "users.archived");
    admin.get(&roles).await.problem(404, "request.not_found");
}

/// The access service commits by itself; the key's row comes after, and an interruption may leave it out.
// covers: CRM-03
#[tokio::test]
async fn a_command_whose_first_answer_was_lost_is_answered_as_the_first_time() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let path = create(admin, "Alice", "alice@acme.example", json!({}))
        .await
        .header("location")
        .to_owned();
    let (roles, role) = (format!("{path}/roles"), new_id());
    let interrupted = async || {
        let sql = "delete from \"user\".idempotency";
        house.admin.batch_execute(sql).await.unwrap();
    };
    let (body, key) = (json!({ "roleId": role }), [("idempotency-key", "once")]);
    for _ in 0..2 {
        admin
            .send(Method::POST, &roles, &key, Some(body.clone()))
            .await
            .expect(201);
        interrupted().await;
    }
    // Somebody else's assignment is not the own command's.
    let other = house.user(admin.tenant, "all", &[]);
    other
        .send(Method::POST, &roles, &key, Some(body))
        .await
        .expect(200);
    let taken = format!("{roles}/{role}");
    for _ in 0..2 {
        admin.send(Method::DELETE, &taken, &key, None).await.expect(204);
        interrupted().await;
    }
    admin
        .send(Method::DELETE, &taken, &[], None)
        .await
        .problem(404, "request.not_found");
}

// covers: CRM-03, AZ-04
#[tokio::test]
async fn whoever_lacks_the_right_is_refused() {
    let house = house().await;
    let tenant = house.tenant(&[("reader", "users:read", DataScope::All)]);
    let admin = house.user(tenant, "all", &[]);
    let path = create(admin, "Alice", "alice@acme.example", json!({}))
        .await
        .header("location")
        .to_owned();
    let body = json!({ "roleId": new_id() });
    let roles = format!("{path}/roles");
    let reader = house.user(tenant, "reader", &[]);
    reader.get(&roles).await.expect(200);
    reader.get(&format!("{path}/permissions")).await.expect(200);
    reader
        .post(&roles, body.clone())
        .await
        .problem(403, "auth.forbidden");
    reader
        .change(Method::DELETE, &format!("{roles}/{}", new_id()), "*", None)
        .await
        .problem(403, "auth.forbidden");
    let own = house.user(tenant, "own", &[]);
    with_profile(&house, own, "Own", "own@acme.example").await;
    own.get(&format!("/api/users/{}/roles", own.id)).await.expect(200);
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    for user in [own, stranger] {
        user.get(&roles).await.problem(404, "request.not_found");
        user.get(&format!("{path}/permissions"))
            .await
            .problem(404, "request.not_found");
        user.post(&roles, body.clone())
            .await
            .problem(404, "request.not_found");
        let one = format!("{roles}/{}", new_id());
        user.change(Method::DELETE, &one, "*", None)
            .await
            .problem(404, "request.not_found");
    }
}
