//! __Resources__: what the __service__ service tells.
//!
//! Events carry ids and the names of changed fields, never a value, which may be personal data (EV-16).

use serde::{Deserialize, Serialize};
use stoa_kernel::Event;
use stoa_types::__Resource__Id;
use uuid::Uuid;

/// The topic of every event here.
pub const TOPIC: &str = "domain.__service__.events";

/// __A_resource__ was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct __Resource__Created {
    /// The __resource__.
    pub __resource___id: __Resource__Id,
    /// Its version after the change.
    pub version: i64,
}

/// Fields of __a_resource__ were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct __Resource__Updated {
    /// The __resource__.
    pub __resource___id: __Resource__Id,
    /// The names of the changed fields, as in the API; their values are read from the service.
    pub changed: Vec<String>,
    /// Its version after the change.
    pub version: i64,
}

/// __A_resource__ was archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct __Resource__Archived {
    /// The __resource__.
    pub __resource___id: __Resource__Id,
    /// Its version after the change.
    pub version: i64,
}

/// An archived __resource__ is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct __Resource__Restored {
    /// The __resource__.
    pub __resource___id: __Resource__Id,
    /// Its version after the change.
    pub version: i64,
}

macro_rules! __resource___events {
    ($($name:ident = $verb:literal;)+) => {$(
        impl Event for $name {
            const TOPIC: &'static str = TOPIC;
            const TYPE: &'static str = concat!("dev.stoa.__service__.__resource__.", $verb, ".v1");
            const AGGREGATE: &'static str = "__resource__";

            fn aggregate_id(&self) -> Uuid {
                self.__resource___id.uuid()
            }

            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    )+};
}

__resource___events! {
    __Resource__Created = "created";
    __Resource__Updated = "updated";
    __Resource__Archived = "archived";
    __Resource__Restored = "restored";
}
