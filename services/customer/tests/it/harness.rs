//! The service by itself: see [`stoa_testkit::service`].

pub(crate) use stoa_testkit::service::{Answer, House, User, until};
