//! What a failing or cancelled job does, and does not do.

use crate::jobs_desk::{Desk, Gate, wish};
use jiff::SignedDuration;
use std::time::Duration;
use stoa_eventlog::jobs::OperationStatus;

// covers: EV-11
#[tokio::test]
async fn a_failing_step_is_tried_again_with_backoff_and_given_up_in_the_end() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(1, "retry")).await;
    desk.start();
    let waits = "select count(*) from \"user\".job
                 where status = 'queued' and not ready and attempts = 1 and last_error = 'not now'";
    desk.until_count(waits, |n| n == 1).await;
    let run_at = desk
        .admin
        .query_one(
            "select run_at - updated_at between interval '5 s' and interval '9 s' from \"user\".job",
            &[],
        )
        .await
        .unwrap();
    assert!(run_at.get::<_, bool>(0), "the first wait is about seven seconds");
    let failed = desk.hurry_until(id, OperationStatus::Failed).await;
    let problem = failed.problem.unwrap();
    assert_eq!((problem.status, &*problem.code), (500, "operation.gave_up"));
    assert!(
        !problem.detail.contains("not now"),
        "the cause is for the operator"
    );
    assert_eq!(desk.count("select attempts::bigint from \"user\".job").await, 10);
}

// covers: EV-11
#[tokio::test]
async fn a_patient_job_fails_for_as_long_as_it_said() {
    let desk = Desk::new().await;
    let patience = Duration::from_secs(4 * 3600);
    let id = desk.queue(wish(1, "retry").patience(patience)).await;
    let begun = desk.clock.now();
    desk.start();
    desk.hurry_until(id, OperationStatus::Failed).await;
    assert!(desk.count("select attempts::bigint from \"user\".job").await > 10);
    let took = desk.clock.now().duration_since(begun);
    assert!(
        took > SignedDuration::from_hours(2) && took < SignedDuration::from_hours(5),
        "given up after {took}"
    );
}

// covers: EV-11
#[tokio::test]
async fn a_problem_ends_the_job_and_a_panic_or_garbage_only_the_attempt() {
    let desk = Desk::new().await;
    let refused = desk.queue(wish(1, "fail")).await;
    let panics = desk.queue(wish(1, "panic").attempts(2)).await;
    let garbage = desk.queue(wish(1, "garbage").attempts(2)).await;
    desk.execute("update \"user\".job set input = '[]' where input ->> 'wish' = 'garbage'")
        .await;
    desk.start();
    let refused = desk.until(refused, OperationStatus::Failed).await;
    assert_eq!(refused.problem.unwrap().code, "user.never");
    for id in [panics, garbage] {
        let failed = desk.hurry_until(id, OperationStatus::Failed).await;
        assert_eq!(failed.problem.unwrap().code, "operation.gave_up");
    }
    let causes = "select count(*) from \"user\".job where last_error like '%panicked: as wished%'
                  or last_error like '%input is not what user.count holds%'";
    assert_eq!(desk.count(causes).await, 2);
}

// covers: EV-11
#[tokio::test]
async fn a_job_that_ends_its_workers_is_given_up() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(1, "ok").attempts(2)).await;
    desk.execute(
        "update \"user\".job set status = 'running', ready = false, attempts = 2, lease_token = id,
         lease_until = now() - interval '1 s'",
    )
    .await;
    desk.start();
    let failed = desk.until(id, OperationStatus::Failed).await;
    assert_eq!(failed.problem.unwrap().code, "operation.gave_up");
    assert!(desk.effects(id).await.is_empty());
}

// covers: EV-11
#[tokio::test]
async fn a_step_beyond_its_budget_is_dropped_and_tried_again() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(1, "hold")).await;
    let gate = Gate::new();
    desk.run(desk.worker(&gate).budget(Duration::from_millis(50)));
    gate.reached().await;
    let waits = "select count(*) from \"user\".job where status = 'queued' and last_error like '%budget%'";
    desk.until_count(waits, |n| n == 1).await;
    assert!(desk.effects(id).await.is_empty());
}

// covers: EV-11
#[tokio::test]
async fn a_queued_job_is_cancelled_at_once_and_only_while_it_is_not_over() {
    let desk = Desk::new().await;
    let (cancelled, done) = (desk.queue(wish(1, "ok")).await, desk.queue(wish(1, "ok")).await);
    let answer = desk.cancel(cancelled).await.unwrap();
    assert_eq!(answer.status, OperationStatus::Cancelled);
    assert_eq!(desk.find(cancelled).await, answer);
    assert_eq!(desk.cancel(cancelled).await.unwrap(), answer, "twice is once");
    desk.start();
    desk.until(done, OperationStatus::Succeeded).await;
    let refused = desk.cancel(done).await.unwrap_err();
    assert_eq!((refused.status, &*refused.code), (409, "operation.finished"));
    assert!(desk.effects(cancelled).await.is_empty());
}

// covers: EV-11
#[tokio::test]
async fn a_running_job_stops_at_its_next_save_and_keeps_what_was_done_before() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(3, "hold")).await;
    let gate = Gate::new();
    desk.run(desk.worker(&gate));
    gate.reached().await;
    gate.let_one_go();
    gate.reached().await;
    let answer = desk.cancel(id).await.unwrap();
    assert_eq!(answer.status, OperationStatus::Running);
    gate.let_one_go();
    let cancelled = desk.until(id, OperationStatus::Cancelled).await;
    assert!(cancelled.finished_at.is_some());
    assert_eq!(desk.effects(id).await, [1]);
    assert_eq!(cancelled.done, 1);
}

// covers: EV-11
#[tokio::test]
async fn a_job_that_is_cancelled_during_its_last_attempt_has_not_failed() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(1, "hold").attempts(1)).await;
    let gate = Gate::new();
    desk.run(desk.worker(&gate));
    gate.reached().await;
    desk.cancel(id).await.unwrap();
    gate.let_one_go();
    let waits = "select count(*) from \"user\".job where status = 'running'";
    desk.until_count(waits, |n| n == 0).await;
    let cancelled = desk.find(id).await;
    assert_eq!(
        (cancelled.status, cancelled.problem.is_none()),
        (OperationStatus::Cancelled, true)
    );
    assert!(cancelled.finished_at.is_some());
    assert!(desk.effects(id).await.is_empty());
}

// covers: EV-11
#[tokio::test]
async fn a_cancelled_job_whose_worker_is_lost_is_over() {
    let desk = Desk::new().await;
    let id = desk.queue(wish(1, "hold")).await;
    let gate = Gate::new();
    let killed = crate::jobs_desk::killable(&desk.worker(&gate).task());
    gate.reached().await;
    desk.cancel(id).await.unwrap();
    killed.abort();
    drop(killed.await);
    desk.expire_leases().await;
    desk.start();
    desk.until(id, OperationStatus::Cancelled).await;
    assert!(desk.effects(id).await.is_empty());
}
