//! The mails of this service: each is a job, queued in the transaction that gives rise to it.
//!
//! The job holds ids only. The step reads the address, makes the link's token, stores its hash and commits; then it sends.
//! When the sending ends in doubt, the next attempt makes another token beside the first and sends under the same
//! `Message-ID`, so whichever copy a mailbox keeps has a link that works.

pub(crate) mod store;

use crate::language::Language;
use crate::secret;
use crate::state::State;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use stoa_eventlog::jobs::{self, JobKind, NewJob, Next, Step, StepError, Worker};
use stoa_kernel::service::Task;
use stoa_kernel::{DbError, Problem, ServiceContext, TenantTx};
use stoa_mail::{Mail, SendError, Templates};
use stoa_types::UserId;
use store::{NewToken, Recipient};

/// How long a server that is away is waited for.
const PATIENCE: Duration = Duration::from_hours(48);
/// How often a process without `[mail]` looks whether another one may have it.
const WITHOUT_A_WAY_OUT: SignedDuration = SignedDuration::from_mins(5);
/// Mails that are handed over at a time in this process.
const SLOTS: usize = 4;

const TEMPLATES: &[(&str, &str)] = &[
    ("layout.html", include_str!("../../templates/mail/layout.html")),
    (
        "invitation.en.txt",
        include_str!("../../templates/mail/invitation.en.txt"),
    ),
    (
        "invitation.en.html",
        include_str!("../../templates/mail/invitation.en.html"),
    ),
    (
        "invitation.vi.txt",
        include_str!("../../templates/mail/invitation.vi.txt"),
    ),
    (
        "invitation.vi.html",
        include_str!("../../templates/mail/invitation.vi.html"),
    ),
    ("reset.en.txt", include_str!("../../templates/mail/reset.en.txt")),
    (
        "reset.en.html",
        include_str!("../../templates/mail/reset.en.html"),
    ),
    ("reset.vi.txt", include_str!("../../templates/mail/reset.vi.txt")),
    (
        "reset.vi.html",
        include_str!("../../templates/mail/reset.vi.html"),
    ),
    (
        "verification.en.txt",
        include_str!("../../templates/mail/verification.en.txt"),
    ),
    (
        "verification.en.html",
        include_str!("../../templates/mail/verification.en.html"),
    ),
    (
        "verification.vi.txt",
        include_str!("../../templates/mail/verification.vi.txt"),
    ),
    (
        "verification.vi.html",
        include_str!("../../templates/mail/verification.vi.html"),
    ),
    (
        "email_change.en.txt",
        include_str!("../../templates/mail/email_change.en.txt"),
    ),
    (
        "email_change.en.html",
        include_str!("../../templates/mail/email_change.en.html"),
    ),
    (
        "email_change.vi.txt",
        include_str!("../../templates/mail/email_change.vi.txt"),
    ),
    (
        "email_change.vi.html",
        include_str!("../../templates/mail/email_change.vi.html"),
    ),
];

/// What a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// To a new user: choose a password.
    Invitation,
    /// To who forgot the password: choose another.
    Reset,
    /// To a new address: confirm it.
    Verification,
    /// To the address before: it is being changed.
    EmailChange,
}

/// What a link in a mail is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The first password.
    Invitation,
    /// Another password.
    Reset,
    /// The proof of an address.
    Verification,
}

impl Purpose {
    /// The word in the database.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::Verification => "verification",
        }
    }

    /// The page that the link leads to.
    #[must_use]
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Invitation => "/auth/invitation",
            Self::Reset => "/auth/reset",
            Self::Verification => "/auth/verify",
        }
    }

    fn lifetime(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Invitation => 7 * 24,
            Self::Reset => 1,
            Self::Verification => 24,
        })
    }
}

impl Kind {
    fn purpose(self) -> Option<Purpose> {
        match self {
            Self::Invitation => Some(Purpose::Invitation),
            Self::Reset => Some(Purpose::Reset),
            Self::Verification => Some(Purpose::Verification),
            Self::EmailChange => None,
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::EmailChange => "email_change",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::Verification => "verification",
        }
    }

    /// The address that it goes to; none when the occasion has passed.
    fn address(self, recipient: &Recipient) -> Option<String> {
        match self {
            Self::Invitation => (!recipient.has_password).then(|| recipient.email.clone()),
            Self::Reset => Some(recipient.email.clone()),
            Self::Verification => recipient.pending_email.clone(),
            Self::EmailChange => recipient.former_email.clone(),
        }
    }
}

/// Sends one mail.
pub(crate) struct SendMail;

/// Ids only: the address is read when the mail is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    user: UserId,
    kind: Kind,
}

/// Every attempt begins anew.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Nothing {}

impl JobKind for SendMail {
    const NAME: &'static str = "identity.mail";
    type Input = Input;
    type State = Nothing;
}

/// Queues a mail to a user. While a reset waits to be sent, another one makes the commit fail with `job_unique_key`.
pub(crate) fn queue(tx: &mut TenantTx<'_>, state: &State, user: UserId, kind: Kind) -> Result<(), DbError> {
    let mut job = NewJob::<SendMail>::new(Input { user, kind }).patience(PATIENCE);
    if kind == Kind::Reset {
        job = job.unique(format!("reset/{user}"));
    }
    jobs::enqueue(tx, &state.clock, job).map(|_| ())
}

/// The templates, compiled.
pub(crate) fn templates() -> anyhow::Result<Templates> {
    Ok(Templates::new(TEMPLATES)?)
}

/// Sends the mails.
pub(crate) fn worker(context: &ServiceContext, state: &State) -> Task {
    let state = state.clone();
    Worker::new(context, "identity.mail")
        .on::<SendMail, _, _>(move |step| send(state.clone(), step))
        .slots(SLOTS)
        .task()
}

async fn send(state: State, mut step: Step<SendMail>) -> Result<Next, StepError> {
    let Some(mailer) = &state.mailer else {
        let now = state.clock.now();
        return Ok(Next::At(now.saturating_add(WITHOUT_A_WAY_OUT).unwrap_or(now)));
    };
    let Input { user, kind } = step.input;
    let recipient = store::recipient(&state.db.app, &mut step.scope, user).await?;
    let Some((recipient, to)) = recipient.and_then(|r| kind.address(&r).map(|to| (r, to))) else {
        return Ok(Next::Done(serde_json::json!({ "sent": false })));
    };
    let link = match kind.purpose() {
        Some(purpose) => Some(mint(&state, &mut step, purpose, &to).await?),
        None => None,
    };
    let language = Language::of_tag(&recipient.locale).unwrap_or_default();
    let values = minijinja::context! { name => &recipient.name, email => &to, link };
    let content = state
        .mail_templates
        .render(kind.template(), language.tag(), &values)
        .map_err(|e| StepError::Fail(Problem::internal(&e)))?;
    let mail = Mail {
        id: step.id.uuid(),
        to,
        name: recipient.name,
        content,
        date: state.clock.now(),
    };
    mailer.send(&mail).await.map_err(|error| failed(user, error))?;
    tracing::info!(mail = %step.id, kind = kind.template(), "a mail was handed over");
    let mut tx = state.db.app.begin(&mut step.scope);
    if kind == Kind::EmailChange {
        store::forget_former(&mut tx, user, mail.to);
    }
    step.ticket
        .finish(&mut tx, &serde_json::json!({ "sent": true }))?;
    tx.commit().await?;
    Ok(Next::Finished)
}

/// Makes a link whose token is known to the database before the mail leaves, if the job is still ours.
async fn mint(
    state: &State,
    step: &mut Step<SendMail>,
    purpose: Purpose,
    to: &str,
) -> Result<String, StepError> {
    let token = secret::generate().map_err(|e| StepError::Retry(e.to_string()))?;
    let now = state.clock.now();
    let mut tx = state.db.app.begin(&mut step.scope);
    let new = NewToken {
        hash: secret::hash(&token),
        user: step.input.user,
        purpose,
        mail: step.id.uuid(),
        email: to.to_owned(),
        now,
        expires_at: now.saturating_add(purpose.lifetime()).unwrap_or(now),
    };
    store::keep_token(&mut tx, new);
    step.ticket.save(&mut tx, &step.state, 0, None)?;
    tx.commit().await?;
    Ok(format!("{}{}?token={token}", state.base, purpose.path()))
}

fn failed(user: UserId, error: SendError) -> StepError {
    match error {
        SendError::Later(_) => StepError::Retry(error.to_string()),
        SendError::Never(_) => {
            tracing::warn!(%user, %error, "a mail was given up");
            StepError::Fail(Problem::conflict(
                "identity.mail_refused",
                format!("{error}; correct the user's address"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_exists_in_every_language_and_carries_its_link() {
        let templates = templates().unwrap();
        for kind in [
            Kind::Invitation,
            Kind::Reset,
            Kind::Verification,
            Kind::EmailChange,
        ] {
            for language in [Language::En, Language::Vi] {
                let link = kind
                    .purpose()
                    .map(|p| format!("https://stoa.example{}?token=abc_-9", p.path()));
                let values =
                    minijinja::context! { name => "Nguyễn <b>", email => "a@b.example", link => &link };
                let content = templates
                    .render(kind.template(), language.tag(), &values)
                    .unwrap();
                assert!(content.html.contains("Nguyễn &lt;b&gt;"), "{}", content.html);
                assert!(content.text.contains("a@b.example"), "{}", content.text);
                assert!(
                    content
                        .html
                        .contains(&format!("<html lang=\"{}\">", language.tag()))
                );
                if let Some(link) = link {
                    assert!(content.text.contains(&format!("\n{link}\n")), "{}", content.text);
                    let shown = link.replace('/', "&#x2f;");
                    assert!(
                        content.html.contains(&format!("<a href=\"{link}\">"))
                            || content.html.contains(&format!("<a href=\"{shown}\">")),
                        "{}",
                        content.html
                    );
                }
            }
        }
    }
}
