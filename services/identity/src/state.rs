//! What the endpoints share.

use crate::cookies::{Cookie, Cookies};
use crate::keys::{KeyError, Keys};
use crate::model::Session;
use crate::pages::Pages;
use crate::passwords::Passwords;
use crate::reset_requests::ResetRequests;
use crate::verify::{self, AccessClaims, TokenFault};
use crate::{mail, secret, store};
use http::HeaderMap;
use jiff::SignedDuration;
use std::ops::Deref;
use std::sync::Arc;
use stoa_kernel::db::Pools;
use stoa_kernel::request::RequestContext;
use stoa_kernel::{Clock, DbError, Mesh, Scope, ServiceContext, SystemScope};
use stoa_mail::{Mailer, Templates};
use tokio::time::Instant;

/// Signing in and presenting codes, tokens and cookies happens before the tenant is known.
pub(crate) const LOGIN: SystemScope = SystemScope::named("identity.login");

/// The service's state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct State {
    inner: Arc<Inner>,
}

/// The parts of [`State`].
pub(crate) struct Inner {
    pub(crate) db: Pools,
    pub(crate) mesh: Mesh,
    pub(crate) clock: Clock,
    pub(crate) keys: Keys,
    pub(crate) passwords: Passwords,
    pub(crate) pages: Pages,
    /// Requests for a new password that nobody has looked at yet.
    pub(crate) resets: ResetRequests,
    /// The way out for mails; without one they wait.
    pub(crate) mailer: Option<Mailer>,
    pub(crate) mail_templates: Templates,
    pub(crate) cookies: Cookies,
    /// The issuer, compared as text.
    pub(crate) issuer: String,
    /// Where the endpoints are.
    pub(crate) base: String,
    /// The `aud` of access tokens.
    pub(crate) audience: String,
    pub(crate) access_lifetime: SignedDuration,
    pub(crate) refresh_lifetime: SignedDuration,
    pub(crate) refresh_grace: SignedDuration,
}

impl Deref for State {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl State {
    /// The state of a starting service.
    ///
    /// # Errors
    /// When the password cost, the mail settings or a template cannot be used.
    pub(crate) fn new(context: &ServiceContext) -> anyhow::Result<Self> {
        let identity = &context.config.identity;
        let issuer = context.config.issuer().to_owned();
        let seconds = |value: u64| SignedDuration::from_secs(i64::try_from(value).unwrap_or(i64::MAX));
        Ok(Self {
            inner: Arc::new(Inner {
                keys: Keys::new(
                    context.db.system.clone(),
                    context.clock.clone(),
                    context.config.demo,
                ),
                passwords: Passwords::new(identity.hash_concurrency, identity.hash_memory_kib)?,
                pages: Pages::new()?,
                resets: ResetRequests::new(),
                mailer: Mailer::new(&context.config.mail)?,
                mail_templates: mail::templates()?,
                cookies: Cookies::of_issuer(&issuer),
                audience: format!("{issuer}/stoa-api"),
                base: context.config.server.public_url.clone(),
                issuer,
                access_lifetime: seconds(identity.access_token_seconds),
                refresh_lifetime: seconds(identity.refresh_token_seconds),
                refresh_grace: seconds(identity.refresh_grace_seconds),
                db: context.db.clone(),
                mesh: context.mesh.clone(),
                clock: context.clock.clone(),
            }),
        })
    }

    /// The scope of an anonymous request, within its deadline.
    pub(crate) fn scope(&self, request: &RequestContext) -> Scope {
        LOGIN.global(request.deadline().saturating_duration_since(Instant::now()))
    }

    /// The session of the browser's cookie, if it is still good.
    pub(crate) async fn session(
        &self,
        scope: &mut Scope,
        headers: &HeaderMap,
    ) -> Result<Option<Session>, DbError> {
        let Some(cookie) = self.cookies.read(headers, Cookie::Session) else {
            return Ok(None);
        };
        store::find_session(&self.db.system, scope, &secret::hash(&cookie), self.clock.now()).await
    }

    /// Checks an access token's signature and claims, not whether it was revoked.
    pub(crate) async fn verify_access_token(
        &self,
        token: &str,
    ) -> Result<Result<AccessClaims, TokenFault>, KeyError> {
        let keys = self.keys.current().await?;
        let now = self.clock.now().as_second();
        Ok(verify::access_token(
            token,
            &keys,
            &self.issuer,
            &self.audience,
            now,
        ))
    }
}
