//! Start and stop: tasks that restart with backoff, and the process's readiness.

use crate::service::Task;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs `task` until `stop`, again after a failure.
pub fn supervise(task: Task, tracker: &TaskTracker, stop: CancellationToken) {
    tracker.spawn(async move {
        let mut backoff = Duration::from_millis(50);
        let restarts = metrics::counter!("stoa_task_restarts_total", "task" => task.name.clone());
        // Alerts on a rate need the zero before the first restart.
        restarts.increment(0);
        while !stop.is_cancelled() {
            let started = tokio::time::Instant::now();
            // A panic in a task ends the run, not the process.
            let run = tokio::spawn((task.run)(stop.clone()));
            let why = match run.await {
                Ok(Ok(())) if stop.is_cancelled() => return,
                Ok(Ok(())) => "it ended".to_owned(),
                Ok(Err(error)) => format!("{error:#}"),
                Err(join) => join.to_string(),
            };
            if stop.is_cancelled() {
                return;
            }
            restarts.increment(1);
            tracing::warn!(task = %task.name, cause = %why, "a task stopped; restarting it");
            if started.elapsed() > Duration::from_secs(30) {
                backoff = Duration::from_millis(50);
            }
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                () = stop.cancelled() => return,
            }
            backoff = (backoff * 2).min(Duration::from_secs(5));
        }
    });
}

/// What the probes answer: started once, ready while every required part is up.
#[derive(Clone, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<String, Result<(), String>>>>,
}

impl Health {
    /// Records the state of one part, such as `database customer`.
    pub fn set(&self, part: &str, state: Result<(), String>) {
        let mut parts = self.parts.lock();
        if parts.get(part) != Some(&state) {
            match &state {
                Ok(()) => tracing::info!(part, "up"),
                Err(why) => tracing::warn!(part, cause = %why, "down"),
            }
            parts.insert(part.to_owned(), state);
        }
    }

    /// Names a part that counts as down until its state is recorded, so that nothing is ready too early.
    pub fn expect(&self, part: &str) {
        let unknown = || Err("not looked at yet".to_owned());
        self.parts.lock().entry(part.to_owned()).or_insert_with(unknown);
    }

    /// Every part with its state; ready when none is down.
    #[must_use]
    pub fn report(&self) -> (bool, BTreeMap<String, String>) {
        let parts = self.parts.lock();
        let ready = !parts.is_empty() && parts.values().all(Result::is_ok);
        let report = parts
            .iter()
            .map(|(part, state)| {
                (
                    part.clone(),
                    state.as_ref().err().cloned().unwrap_or_else(|| "up".into()),
                )
            })
            .collect();
        (ready, report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expected_part_keeps_a_process_from_being_ready() {
        let health = Health::default();
        health.expect("a");
        health.expect("b");
        health.set("a", Ok(()));
        assert!(!health.report().0, "nobody has looked at b");
        health.set("b", Ok(()));
        health.expect("b");
        assert!(health.report().0);
    }
}
