//! Rights outside of a request, as jobs ask for them.

use crate::harness::{Process, TEST, database, until};
use crate::house::scope_of;
use serde_json::json;
use std::time::Duration;
use stoa_kernel::Rights;
use stoa_policy::{DataScope, Value};
use stoa_types::UserId;

stoa_kernel::permissions! {
    /// See customers.
    ReadCustomers = "customers:read";
}

// covers: AZ-01, AZ-04
#[tokio::test]
async fn a_job_acts_with_what_its_user_holds_now() {
    let database = database().await;
    let process = Process::start(&database).await;
    let decisions = &process.context.decisions;
    let admin = process.tenant("jobs").await;
    let user = (admin.0, UserId::new());
    process.assign(user.0, user.1, "representative", None).await;
    let scope = scope_of(&process, user).await;
    let rights = Rights::<ReadCustomers>::of(decisions, &scope).await.unwrap();
    let mine = [("ownerId", Value::Uuid(user.1.uuid()))];
    let others = [("ownerId", Value::Uuid(admin.1.uuid()))];
    assert!(rights.rows(None).matches(&mine) && !rights.rows(None).matches(&others));
    assert!(
        rights.rows(Some(DataScope::Branch)).is_none(),
        "narrowed to no branch"
    );
    assert!(rights.on::<ReadCustomers>(&others, "customer").is_err());
    let outside = rights.to_become(&others).unwrap_err();
    assert_eq!((outside.status, outside.code.as_ref()), (403, "auth.forbidden"));
    assert!(
        outside
            .detail
            .contains("the result would lie outside what you may customers:read")
    );

    let held = format!("GET /api/iam/assignments?user={}", user.1);
    let held = process.send(admin, &held, None, &[]).await.expect(200);
    let held = format!(
        "DELETE /api/iam/assignments/{}",
        held["items"][0]["id"].as_str().unwrap()
    );
    process.send(admin, &held, None, &[]).await.expect(200);
    // The same scope, long after the request.
    until("the job is refused", async || {
        let refused = Rights::<ReadCustomers>::of(decisions, &scope).await.err();
        refused.is_some_and(|problem| (problem.status, problem.code.as_ref()) == (403, "auth.forbidden"))
    })
    .await;

    let system = TEST.scope(admin.0, Duration::from_secs(5));
    let refused = Rights::<ReadCustomers>::of(decisions, &system)
        .await
        .err()
        .unwrap();
    assert_eq!(json!(refused)["status"], 403);
}
