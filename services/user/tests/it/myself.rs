//! `/api/users/me`

use crate::support::{create, house, with_profile};
use http::Method;
use serde_json::json;

// covers: CRM-03
#[tokio::test]
async fn everybody_reads_and_changes_what_is_theirs() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    // Without any grant.
    let nobody = house.user(tenant, "nothing", &[]);
    nobody
        .get("/api/users/me")
        .await
        .problem(404, "request.not_found");
    let body = json!({ "name": "Me", "phone": "+4930", "locale": "vi", "timezone": "Europe/Berlin" });
    nobody
        .change(Method::PUT, "/api/users/me", "*", Some(body.clone()))
        .await
        .problem(404, "request.not_found");

    with_profile(&house, nobody, "Nobody", "nobody@acme.example").await;
    let me = nobody.get("/api/users/me").await.expect(200);
    assert_eq!(
        (me.id(), &me.body["email"]),
        (nobody.id.uuid(), &json!("nobody@acme.example"))
    );
    let known = nobody
        .send(
            Method::GET,
            "/api/users/me",
            &[("if-none-match", &me.etag())],
            None,
        )
        .await;
    assert_eq!(known.status, 304);

    let changed = nobody
        .change(Method::PUT, "/api/users/me", &me.etag(), Some(body.clone()))
        .await
        .expect(200);
    assert_eq!(
        (&changed.body["name"], &changed.body["phone"]),
        (&json!("Me"), &json!("+4930"))
    );
    assert_eq!(changed.body["handle"], me.body["handle"]);
    nobody
        .change(Method::PUT, "/api/users/me", &me.etag(), Some(body.clone()))
        .await
        .problem(412, "request.stale");
    nobody
        .send(Method::PUT, "/api/users/me", &[], Some(body))
        .await
        .problem(428, "request.version_required");
    for field in ["email", "handle", "title"] {
        let mut body = json!({ "name": "Me" });
        body[field] = json!("new@acme.example");
        let refused = nobody
            .change(Method::PUT, "/api/users/me", "*", Some(body))
            .await
            .expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], format!("/{field}"));
    }
    let held = nobody.get("/api/users/me/permissions").await.expect(200);
    assert_eq!(held.body["userId"], json!(nobody.id));

    let admin = house.user(tenant, "all", &[]);
    create(admin, "Other", "other@acme.example", json!({})).await;
    admin
        .change(Method::DELETE, &format!("/api/users/{}", nobody.id), "*", None)
        .await
        .expect(204);
    nobody
        .get("/api/users/me")
        .await
        .problem(404, "request.not_found");
    nobody
        .change(Method::PUT, "/api/users/me", "*", Some(json!({ "name": "Me" })))
        .await
        .problem(409, "users.archived");
}
