//! Warnings of duplicates.

use crate::support::{create, house};
use serde_json::json;
use stoa_types::BranchId;

// covers: CRM-10
#[tokio::test]
async fn who_creates_a_customer_again_is_warned() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let acme = json!({ "phone": "+4930123", "email": "office@acme.example" });
    let first = create(ann, "Acme Corporation", acme).await;
    assert_eq!(first.body.get("duplicates"), None, "nothing to tell");

    let check = async |query: &str| {
        let answer = ann
            .get(&format!("/api/customers/duplicates?{query}"))
            .await
            .expect(200);
        answer.body["items"].clone()
    };
    let like =
        |reasons: &[&str]| json!([{ "id": first.id(), "name": "Acme Corporation", "reasons": reasons }]);
    assert_eq!(check("name=%20acme%20%20CORPORATION").await, like(&["name"]));
    assert_eq!(check("phone=4930123").await, like(&["phone"]));
    assert_eq!(check("email=Office@acme.example").await, like(&["email"]));
    assert_eq!(
        check("name=Acme&email=sales@acme.example").await,
        like(&["domain"])
    );
    assert_eq!(check("name=Acme&phone=%2B4930123").await, like(&["phone"]));
    assert_eq!(check("name=Acmeville&email=sales@acme.example").await, json!([]));
    assert_eq!(
        check("email=sales@acme.example").await,
        json!([]),
        "a domain alone is none"
    );
    assert_eq!(check("").await, json!([]), "nothing is asked for");
    ann.get("/api/customers/duplicates?email=x").await.expect(422);

    let again = json!({ "name": "ACME corporation", "phone": "4930123" });
    let refused = ann.post("/api/customers?onDuplicate=refuse", again.clone()).await;
    refused.problem(409, "customers.possible_duplicate");
    let errors = refused.body["errors"].as_array().unwrap();
    assert_eq!(
        errors
            .iter()
            .map(|e| e["pointer"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["/name", "/phone"]
    );
    assert!(
        errors[0]["detail"]
            .as_str()
            .unwrap()
            .contains(&first.id().to_string())
    );
    let second = ann.post("/api/customers", again).await.expect(201);
    assert_eq!(
        second.body["duplicates"],
        like(&["name", "phone"]),
        "created, with a warning"
    );
    let read = ann.get(second.header("location")).await.expect(200);
    assert_eq!(read.body.get("duplicates"), None);
    ann.post(
        "/api/customers",
        json!({ "name": "Other", "email": "office@acme.example" }),
    )
    .await
    .problem(409, "customers.email_taken");
}

// covers: CRM-10, AZ-04
#[tokio::test]
async fn nobody_learns_of_customers_that_they_may_not_see() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let branch = [BranchId::new()];
    let (ann, bob) = (
        house.user(tenant, "own", &branch),
        house.user(tenant, "own", &branch),
    );
    create(ann, "Acme", json!({ "phone": "+4930" })).await;
    let stranger = house.user(house.tenant(&[]), "all", &branch);
    for other in [bob, stranger] {
        let found = other
            .get("/api/customers/duplicates?name=Acme&phone=%2B4930")
            .await
            .expect(200);
        assert_eq!(found.body["items"], json!([]));
        let created = other
            .post(
                "/api/customers?onDuplicate=refuse",
                json!({ "name": "Acme", "phone": "+4930" }),
            )
            .await
            .expect(201);
        assert_eq!(created.body.get("duplicates"), None);
    }
    house
        .user(tenant, "nothing", &branch)
        .get("/api/customers/duplicates?name=Acme")
        .await
        .problem(403, "auth.forbidden");
}
