//! What every domain event declares about itself; the types are in the contracts crate, delivery in the event log.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A domain event. Its data holds references, never personal data in clear (EV-16).
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The topic, such as `domain.customer.events` (EV-02).
    const TOPIC: &'static str;
    /// The CloudEvents type: `dev.stoa.<service>.<entity>.<verb>.v<N>` (EV-01).
    const TYPE: &'static str;
    /// The aggregate's type, such as `customer`.
    const AGGREGATE: &'static str;

    /// The aggregate that changed: the key within which order is kept.
    fn aggregate_id(&self) -> Uuid;
    /// The aggregate's version after the change.
    fn aggregate_version(&self) -> i64;
}
