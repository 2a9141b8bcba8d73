//! An event as the log holds it, as a handler gets it, and as CloudEvents 1.0 shows it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stoa_kernel::scope::{Actor, Envelope};
use stoa_kernel::{DbError, Event};
use stoa_types::{EventId, TenantId, UserId};
use uuid::Uuid;

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// The event's id.
    pub id: EventId,
    /// The epoch of the log in which it was written.
    pub epoch: i32,
    /// Its number in the log: within an aggregate the order of commits, over all only nearly so.
    pub seq: i64,
    /// When the log recorded it, by the database's clock.
    pub recorded_at: Timestamp,
    /// When it happened, by the writer's clock.
    pub time: Timestamp,
    /// The tenant.
    pub tenant: TenantId,
    /// The topic.
    pub topic: String,
    /// The service that wrote it, as a URI reference.
    pub source: String,
    /// The type, with its version.
    #[serde(rename = "type")]
    pub kind: String,
    /// `<aggregate>/<id>`.
    pub subject: String,
    /// The aggregate's type.
    pub aggregate_type: String,
    /// The aggregate: the key within which order is kept.
    pub aggregate_id: Uuid,
    /// The aggregate's version after the change.
    pub aggregate_version: i64,
    /// The event that led to this one.
    pub causation: Option<Uuid>,
    /// What joins everything that one outside request led to.
    pub correlation: Uuid,
    /// Who acted: `user:<id>` or `system:<name>`.
    pub actor: String,
    /// The W3C trace context.
    pub traceparent: Option<String>,
    /// The event itself.
    pub data: Value,
}

/// An event with its envelope, as a handler gets it.
#[derive(Debug, Clone)]
pub struct Delivered<E> {
    /// The event's id: the same at every delivery.
    pub id: EventId,
    /// The tenant, which the handler's transaction is in.
    pub tenant: TenantId,
    /// When it happened.
    pub time: Timestamp,
    /// Who acted.
    pub actor: Actor,
    /// The aggregate that changed.
    pub aggregate_id: Uuid,
    /// Its version after the change.
    pub aggregate_version: i64,
    /// What joins everything that one outside request led to.
    pub correlation: Uuid,
    /// The consumer's generation: it rises when the consumer is replayed.
    pub generation: i32,
    /// The event.
    pub data: E,
}

impl Stored {
    /// Reads an event as `E`.
    ///
    /// # Errors
    /// When the data does not fit the type.
    pub(crate) fn deliver<E: Event>(&self, generation: i32) -> Result<Delivered<E>, serde_json::Error> {
        Ok(Delivered {
            id: self.id,
            tenant: self.tenant,
            time: self.time,
            actor: parse_actor(&self.actor),
            aggregate_id: self.aggregate_id,
            aggregate_version: self.aggregate_version,
            correlation: self.correlation,
            generation,
            data: E::deserialize(&self.data)?,
        })
    }

    /// The envelope from which the handler's scope is made.
    pub(crate) fn envelope(&self, handler: &'static str) -> Envelope {
        Envelope {
            tenant: self.tenant,
            handler,
            event: self.id.uuid(),
            correlation: self.correlation,
            traceparent: self.traceparent.clone(),
        }
    }

    /// Reads the columns of [`crate::store::EVENT_COLUMNS`], which come first in the row.
    pub(crate) fn read(row: &stoa_kernel::db::Row) -> Result<Self, DbError> {
        Ok(Self {
            id: EventId(row.try_get(0)?),
            epoch: row.try_get(1)?,
            seq: row.try_get(2)?,
            recorded_at: row.try_get(3)?,
            time: row.try_get(4)?,
            tenant: TenantId(row.try_get(5)?),
            topic: row.try_get(6)?,
            source: row.try_get(7)?,
            kind: row.try_get(8)?,
            subject: row.try_get(9)?,
            aggregate_type: row.try_get(10)?,
            aggregate_id: row.try_get(11)?,
            aggregate_version: row.try_get(12)?,
            causation: row.try_get(13)?,
            correlation: row.try_get(14)?,
            actor: row.try_get(15)?,
            traceparent: row.try_get(16)?,
            data: row.try_get(17)?,
        })
    }
}

/// The event in the JSON format of CloudEvents 1.0 (section 2.4 of its JSON format): the required attributes, and the
/// extensions of EV-01 with the names that the specification allows, lower-case letters only.
#[must_use]
pub fn cloud_event(event: &Stored) -> Value {
    let mut view = json!({
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.kind,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": "application/json",
        "data": event.data,
        "tenantid": event.tenant,
        "topic": event.topic,
        "aggregatetype": event.aggregate_type,
        "aggregateid": event.aggregate_id,
        // A string: CloudEvents integers have 32 bits.
        "aggregateversion": event.aggregate_version.to_string(),
        "partitionkey": event.aggregate_id,
        "sequence": event.seq.to_string(),
        "correlationid": event.correlation,
        "actor": event.actor,
    });
    if let Value::Object(view) = &mut view {
        // Absent attributes are left out, never null.
        if let Some(causation) = event.causation {
            view.insert("causationid".into(), json!(causation));
        }
        if let Some(traceparent) = &event.traceparent {
            view.insert("traceparent".into(), json!(traceparent));
        }
    }
    view
}

/// `/services/customer` from `dev.stoa.customer.customer.created.v1`.
pub(crate) fn source(kind: &str) -> String {
    format!("/services/{}", kind.split('.').nth(2).unwrap_or("unknown"))
}

pub(crate) fn actor_text(actor: &Actor) -> String {
    match actor {
        Actor::User(id) => format!("user:{id}"),
        Actor::System(name) => format!("system:{name}"),
    }
}

pub(crate) fn parse_actor(text: &str) -> Actor {
    match text.split_once(':') {
        Some(("user", id)) if id.parse::<UserId>().is_ok() => {
            Actor::User(id.parse().unwrap_or_else(|_| UserId(Uuid::nil())))
        }
        Some(("system", name)) => Actor::System(name.to_owned()),
        _ => Actor::System(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        Stored {
            id: EventId::new(),
            epoch: 1,
            seq: 7,
            recorded_at: Timestamp::UNIX_EPOCH,
            time: Timestamp::UNIX_EPOCH,
            tenant: TenantId::new(),
            topic: "domain.customer.events".into(),
            source: source("dev.stoa.customer.customer.created.v1"),
            kind: "dev.stoa.customer.customer.created.v1".into(),
            subject: "customer/1".into(),
            aggregate_type: "customer".into(),
            aggregate_id: Uuid::nil(),
            aggregate_version: 3,
            causation: None,
            correlation: Uuid::nil(),
            actor: "system:test".into(),
            traceparent: None,
            data: json!({"a": 1}),
        }
    }

    // covers: EV-01
    #[test]
    fn a_cloud_event_has_the_required_attributes_and_lawful_names() {
        let view = cloud_event(&stored());
        let view = view.as_object().unwrap();
        assert_eq!(view["specversion"], "1.0");
        assert_eq!(view["source"], "/services/customer");
        assert_eq!(view["time"], "1970-01-01T00:00:00Z");
        assert_eq!(view["partitionkey"], view["aggregateid"]);
        for (name, value) in view {
            assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{name}");
            assert!(!value.is_null(), "{name}");
        }
    }

    #[test]
    fn actors_survive_their_text() {
        for actor in [Actor::User(UserId::new()), Actor::System("a.b:c".into())] {
            assert_eq!(parse_actor(&actor_text(&actor)), actor);
        }
    }
}
