//! What a job does, and that it does it once.

use crate::jobs_desk::{Desk, Gate, SERVICE, killable, wish};
use stoa_eventlog::jobs::{self, NewJob, OperationStatus, View};
use stoa_kernel::http::ListQuery;
use stoa_types::{TenantId, UserId};

// covers: EV-11, AP-11
#[tokio::test]
async fn a_job_runs_in_steps_for_who_queued_it_and_its_operation_tells() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(3, "ok").total(Some(3))).await;
    let queued = desk.find(id).await;
    assert_eq!(
        (queued.status, queued.done, queued.total),
        (OperationStatus::Queued, 0, Some(3))
    );
    desk.start();
    let done = desk.until(id, OperationStatus::Succeeded).await;
    assert_eq!((done.done, done.total), (3, Some(3)));
    assert_eq!(done.result, Some(serde_json::json!({ "steps": 3 })));
    assert_eq!(done.created_by, desk.user.to_string());
    assert!(done.finished_at.is_some() && done.problem.is_none());
    assert_eq!(desk.effects(id).await, [1, 2, 3]);
    let mine = "select count(*) from \"user\".effect e join \"user\".job j
                on j.id = e.job and j.correlation = e.correlation and j.created_by = e.acted";
    assert_eq!(
        desk.count(mine).await,
        3,
        "as the request's user, in the request's correlation"
    );
    let json = serde_json::to_value(&done).unwrap();
    assert_eq!(json["status"], "succeeded");
    assert_eq!(json["kind"], "user.count");
    assert!(json["createdAt"].is_string() && json["finishedAt"].is_string());
}

// covers: EV-11
#[tokio::test]
async fn a_job_commits_with_its_cause_or_not_at_all() {
    let desk = Desk::new().await;
    let mut scope = desk.scope();
    let mut tx = desk.pools.app.begin(&mut scope);
    jobs::enqueue(&mut tx, &desk.clock, wish(1, "ok")).unwrap();
    tx.flush().await.unwrap();
    tx.rollback().await;
    assert_eq!(desk.count("select count(*) from \"user\".job").await, 0);
}

// covers: EV-11
#[tokio::test]
async fn a_result_that_is_returned_ends_the_job_and_one_that_is_only_claimed_does_not() {
    let desk = Desk::new().await;
    let done = desk.queue(wish(1, "done")).await;
    let pretended = desk.queue(wish(1, "pretend").attempts(2)).await;
    desk.start();
    let done = desk.until(done, OperationStatus::Succeeded).await;
    assert_eq!(done.result, Some(serde_json::json!({ "by": "returning" })));
    desk.hurry_until(pretended, OperationStatus::Failed).await;
}

// covers: EV-11
#[tokio::test]
async fn what_a_killed_worker_had_not_committed_happens_once_all_the_same() {
    for wanted in ["hold", "hold open", "hold after"] {
        let desk = Desk::new().await;
        let id = desk.queue(wish(3, wanted)).await;
        let gate = Gate::new();
        let killed = killable(&desk.worker(&gate).task());
        gate.reached().await;
        killed.abort();
        assert!(killed.await.unwrap_err().is_cancelled());
        let running = desk.find(id).await;
        assert_eq!(running.status, OperationStatus::Running, "{wanted}");
        assert_eq!(running.done, i64::from(wanted == "hold after"), "{wanted}");
        desk.expire_leases().await;
        desk.start();
        desk.until(id, OperationStatus::Succeeded).await;
        assert_eq!(desk.effects(id).await, [1, 2, 3], "{wanted}");
    }
}

// covers: EV-11
#[tokio::test]
async fn a_worker_whose_lease_ran_out_cannot_commit_any_more() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(2, "hold")).await;
    let gate = Gate::new();
    desk.run(desk.worker(&gate));
    gate.reached().await;
    desk.expire_leases().await;
    // The other one takes over and does all of it, while the first still stands at the gate.
    desk.start();
    desk.until(id, OperationStatus::Succeeded).await;
    gate.let_one_go();
    desk.stopped().await;
    assert_eq!(desk.effects(id).await, [1, 2]);
    let found = desk.find(id).await;
    assert_eq!((found.status, found.done), (OperationStatus::Succeeded, 2));
}

// covers: EV-11
#[tokio::test]
async fn the_lease_is_extended_while_a_step_runs() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(1, "hold")).await;
    let gate = Gate::new();
    desk.run(desk.worker(&gate));
    gate.reached().await;
    desk.execute("update \"user\".job set lease_until = now() + interval '9 s'")
        .await;
    desk.until_count(
        "select count(*) from \"user\".job where lease_until > now() + interval '12 s'",
        |n| n == 1,
    )
    .await;
    gate.let_one_go();
    desk.until(id, OperationStatus::Succeeded).await;
    assert_eq!(desk.effects(id).await, [1]);
}

// covers: EV-11
#[tokio::test]
async fn workers_that_race_do_no_step_twice() {
    let desk = Desk::new().await;
    for _ in 0..100 {
        desk.queue(wish(2, "ok")).await;
    }
    for _ in 0..3 {
        desk.run(desk.worker(&Gate::open()).slots(3));
    }
    desk.until_count(
        "select count(*) from \"user\".job where status = 'succeeded'",
        |n| n == 100,
    )
    .await;
    assert_eq!(desk.count("select count(*) from \"user\".effect").await, 200);
    assert_eq!(
        desk.count("select count(*) from (select distinct job, step from \"user\".effect) e")
            .await,
        200
    );
}

// covers: EV-11
#[tokio::test]
async fn a_worker_that_stops_gives_back_what_it_cannot_finish() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(1, "hold")).await;
    let gate = Gate::new();
    desk.run(desk.worker(&gate));
    gate.reached().await;
    desk.stopped().await;
    assert_eq!(desk.find(id).await.status, OperationStatus::Queued);
    let untried = "select count(*) from \"user\".job where ready and attempts = 0 and lease_token is null";
    assert_eq!(desk.count(untried).await, 1);
    assert_eq!(desk.effects(id).await, Vec::<i64>::new());
}

// covers: EV-11, TN-01
#[tokio::test]
async fn operations_are_shown_to_their_creator_and_to_no_other_tenant() {
    let desk = Desk::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(desk.queue(wish(1, "ok")).await);
    }
    let everything = ListQuery {
        limit: Some(2),
        ..ListQuery::default()
    };
    let db = &desk.pools.app;
    let mut mine = desk.scope();
    let view = View::own(SERVICE, &mine).of::<crate::jobs_desk::Count>();
    let first = view.list(db.begin(&mut mine), &everything).await.unwrap();
    assert_eq!(first.items.iter().map(|o| o.id).collect::<Vec<_>>(), ids[..2]);
    let next = ListQuery {
        cursor: first.next_cursor,
        ..everything
    };
    let rest = view.list(db.begin(&mut mine), &next).await.unwrap();
    assert_eq!(rest.items.iter().map(|o| o.id).collect::<Vec<_>>(), ids[2..]);
    let of_other_kind = View::own(SERVICE, &mine).of::<crate::jobs_desk::Other>();
    assert_eq!(
        of_other_kind
            .find(db.begin(&mut mine), ids[0])
            .await
            .unwrap_err()
            .status,
        404
    );

    let mut colleague = desk.scope_of(desk.tenant, UserId::new());
    let own = View::own(SERVICE, &colleague);
    assert_eq!(
        own.find(db.begin(&mut colleague), ids[0])
            .await
            .unwrap_err()
            .status,
        404
    );
    let all = View::all(SERVICE);
    assert_eq!(
        all.find(db.begin(&mut colleague), ids[0]).await.unwrap().id,
        ids[0]
    );

    let mut stranger = desk.scope_of(TenantId::new(), desk.user);
    for view in [View::all(SERVICE), View::own(SERVICE, &stranger)] {
        let found = view.find(db.begin(&mut stranger), ids[0]).await;
        assert_eq!(found.unwrap_err().status, 404);
        let tx = db.begin(&mut stranger);
        let cancelled = view.cancel(tx, &desk.clock, ids[0]).await;
        assert_eq!(cancelled.err().unwrap().status, 404);
        let listed = view.list(db.begin(&mut stranger), &ListQuery::default()).await;
        assert!(listed.unwrap().items.is_empty());
    }
    assert_eq!(desk.find(ids[0]).await.status, OperationStatus::Queued);
}

// covers: EV-11
#[tokio::test]
async fn an_operation_can_be_read_for_a_week_after_its_end() {
    let desk = Desk::new().await;
    let old = desk.queue(wish(1, "ok")).await;
    let running_long = desk
        .queue(NewJob::<crate::jobs_desk::Other>::new(crate::jobs_desk::Steps {
            steps: 1,
            wish: "ok".into(),
        }))
        .await;
    desk.start();
    desk.until(old, OperationStatus::Succeeded).await;
    desk.stopped().await;
    desk.execute("update \"user\".job set finished_at = finished_at - interval '8 days', created_at = created_at - interval '9 days' where finished_at is not null")
        .await;
    let kept = desk.queue(wish(1, "ok")).await;
    let again = tokio_util::sync::CancellationToken::new();
    let tasks = tokio_util::task::TaskTracker::new();
    stoa_kernel::lifecycle::supervise(desk.worker(&Gate::open()).task(), &tasks, again.clone());
    desk.until_count(
        "select count(*) from \"user\".job where created_at < now() - interval '1 day'",
        |n| n == 0,
    )
    .await;
    desk.until(kept, OperationStatus::Succeeded).await;
    // Nobody knows its kind: it waits.
    assert_eq!(desk.find(running_long).await.status, OperationStatus::Queued);
    again.cancel();
}
