use crate::harness::{Process, database, migrate};
use serde_json::json;

// covers: GW-03
#[tokio::test]
async fn seeding_again_changes_nothing_and_keeps_what_an_operator_edited() {
    let database = database().await;
    let client = database.connect_as_superuser().await.unwrap();
    let count = async || -> (i64, i64) {
        let sql = "select (select count(*) from access.platform_rule), (select count(*) from access.platform_change)";
        let row = client.query_one(sql, &[]).await.unwrap();
        (row.get(0), row.get(1))
    };
    let before = count().await;
    assert!(before.0 > 20 && before.1 == 1, "{before:?}");
    client
        .batch_execute(
            "update access.platform_rule set requirement = '\"authenticated\"', origin = 'custom'
             where pattern = '/public/**';
             update access.platform_rule set requirement = '\"public\"' where pattern = '/api/iam/roles'",
        )
        .await
        .unwrap();
    migrate(&database).await.unwrap();
    migrate(&database).await.unwrap();
    assert_eq!(count().await, (before.0, 2), "one repair, once");

    let process = Process::start(&database).await;
    let admin = process.tenant("seeds").await;
    let caller = stoa_kernel::request::Identity {
        tenant: admin.0,
        user: admin.1,
    };
    let caller = process.context.decisions.caller(caller).await.unwrap();
    let requirement =
        |method: &str, path: &str| json!(caller.endpoint_rule(method, path).unwrap().requirement);
    assert_eq!(requirement("GET", "/public/logo"), json!("authenticated"));
    assert_eq!(
        requirement("GET", "/api/iam/roles"),
        json!({"permission": "iam:read"})
    );
    assert_eq!(
        requirement("GET", "/api/admin/x"),
        json!({"permission": "admin:access"})
    );

    let permissions = process
        .send(admin, "GET /api/iam/permissions?limit=2", None, &[])
        .await
        .expect(200);
    assert_eq!(permissions["items"][0]["name"], "admin:access");
    assert!(permissions["nextCursor"].is_string());
}

// covers: AZ-02
#[tokio::test]
async fn the_effective_rules_show_both_layers() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("layers").await;
    let rule = json!({"pattern": "/public/**", "requirement": "authenticated"});
    process
        .send(admin, "POST /api/iam/endpoint-rules", Some(rule), &[])
        .await
        .expect(201);
    let mut items = Vec::new();
    let mut path = "GET /api/iam/endpoint-rules/effective?limit=10".to_owned();
    loop {
        let page = process.send(admin, &path, None, &[]).await.expect(200);
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("GET /api/iam/endpoint-rules/effective?limit=10&cursor={cursor}");
    }
    let public: Vec<_> = items
        .iter()
        .filter(|rule| rule["pattern"] == "/public/**")
        .collect();
    let layer = |layer: &str| public.iter().find(|rule| rule["layer"] == layer).unwrap();
    assert_eq!(public.len(), 2);
    assert_eq!(
        (&layer("platform")["overridden"], &layer("tenant")["overridden"]),
        (&json!(true), &json!(false))
    );
    assert!(
        items
            .iter()
            .all(|rule| rule["layer"] == "tenant" || rule["overridden"] == (rule["pattern"] == "/public/**"))
    );
}
