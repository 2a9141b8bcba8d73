//! One service in the test's own process, started as the platform starts it, on a database of its own.
//!
//! [`House`] is what most services need: their consumers run, the access service is a table in memory
//! ([`Policies`]), and signed-in [`User`]s send requests to the service's router. What a service needs beyond that
//! (several processes, the gateway's edge, tasks that stand still) is put together from [`Setup`] and [`Process`].

mod database;
mod exchange;
mod house;
mod policies;
mod process;

pub use database::{ROLE_PASSWORD, catalogue, clone_of, migrate};
pub use exchange::{Answer, exchange, request};
pub use house::{House, User};
pub use policies::{Policies, role_id};
pub use process::{Process, Setup};

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Polls until a condition holds.
///
/// # Panics
/// When it does not within 20 s.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < give_up, "not in time: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}
