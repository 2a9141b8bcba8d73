//! Types and rules. Pure; the types are also what the API answers with.

mod contact;
mod interaction;
mod mention;

pub use contact::{Contact, ContactInput, Link, LinkInput, LinkedContact};
pub use interaction::{Direction, Interaction, InteractionInput, Mention};

pub(crate) use contact::{MAX_LINKS, SCHEMA};
pub(crate) use interaction::{Facts, FoundContact, INTERACTION_SCHEMA, MAX_CUSTOMERS};
pub(crate) use mention::handles;
