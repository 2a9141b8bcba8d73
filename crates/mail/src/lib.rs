//! Mails: templates that the sending service brings along, and the way out by SMTP (or into a folder).
//!
//! # Once, barring one ambiguity
//! SMTP has no transaction across both servers: when the connection breaks after the last line of `DATA` and before
//! the answer, nobody knows whether the mail was accepted (RFC 5321, section 4.2.5, and RFC 1047). It is then sent
//! again, with the same `Message-ID`, by which receiving servers and mail programs recognise the copy.

mod template;
mod transport;

pub use template::{Content, Templates};
pub use transport::{Mail, Mailer, SendError};
