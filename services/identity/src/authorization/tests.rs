use super::*;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn client() -> Client {
    Client {
        id: "stoa-cli".into(),
        name: "Stoa CLI".into(),
        redirect_uris: vec!["http://127.0.0.1/callback".into()],
        post_logout_redirect_uris: vec![],
    }
}

/// A good request with some parameters changed; an empty value removes.
fn read(changes: &[(&str, &str)]) -> Result<AuthorizationRequest, Refusal> {
    let mut pairs = vec![
        ("client_id", "stoa-cli"),
        ("redirect_uri", "http://127.0.0.1:4711/callback"),
        ("response_type", "code"),
        ("scope", "openid email unknown openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "s t"),
    ];
    for (key, value) in changes {
        pairs.retain(|(k, _)| k != key);
        pairs.push((key, value));
    }
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    AuthorizationRequest::read(&Parameters::<()>::of_query(&query), Some(client()))
}

fn error(changes: &[(&str, &str)]) -> &'static str {
    match read(changes) {
        Err(Refusal::Redirect(redirect)) => {
            assert_eq!(redirect.state.as_deref(), Some("s t"));
            redirect.error
        }
        Err(Refusal::Page(_)) => "page",
        Ok(_) => "ok",
    }
}

// covers: ID-01
#[test]
fn each_rule_has_its_error() {
    for (changes, expected) in [
        (&[][..], "ok"),
        (&[("redirect_uri", "http://127.0.0.1:4711/other")], "page"),
        (&[("redirect_uri", "")], "page"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("scope", "")], "invalid_scope"),
        (&[("scope", "admin")], "invalid_scope"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "create")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("request", "x")], "request_not_supported"),
        (&[("request_uri", "x")], "request_uri_not_supported"),
        (&[("nonce", &"n".repeat(2049))], "invalid_request"),
    ] {
        assert_eq!(error(changes), expected, "{changes:?}");
    }
    assert_eq!(read(&[]).map(|r| r.scope), Ok("openid email".to_owned()));
}

impl PartialEq for AuthorizationRequest {
    fn eq(&self, other: &Self) -> bool {
        self.code_challenge == other.code_challenge && self.scope == other.scope
    }
}

#[test]
fn an_unknown_client_or_a_repeated_uri_is_never_redirected() {
    let parameters = Parameters::<()>::of_query("client_id=x&redirect_uri=http://127.0.0.1:1/callback");
    assert!(matches!(
        AuthorizationRequest::read(&parameters, None),
        Err(Refusal::Page(_))
    ));
    let uri = "redirect_uri=http://127.0.0.1:1/callback";
    let parameters = Parameters::<()>::of_query(&format!("client_id=stoa-cli&{uri}&{uri}"));
    assert!(matches!(
        AuthorizationRequest::read(&parameters, Some(client())),
        Err(Refusal::Page(_))
    ));
}

// covers: ID-01
#[test]
fn prompt_max_age_and_hint_decide_whether_a_session_will_do() {
    let now = Timestamp::from_second(1000).unwrap();
    let user = UserId::new();
    let session = |seconds| Some((user, Timestamp::from_second(seconds).unwrap()));
    let step =
        |changes: &[(&str, &str)], session, expected| read(changes).unwrap().step(session, expected, now);
    assert_eq!(step(&[], session(0), None), Step::Issue);
    assert_eq!(step(&[], None, None), Step::SignIn);
    assert_eq!(step(&[("prompt", "none")], None, None), Step::LoginRequired);
    assert_eq!(step(&[("prompt", "none")], session(0), None), Step::Issue);
    assert_eq!(step(&[("prompt", "login")], session(1000), None), Step::SignIn);
    assert_eq!(step(&[("max_age", "10")], session(990), None), Step::Issue);
    assert_eq!(step(&[("max_age", "10")], session(989), None), Step::SignIn);
    assert_eq!(
        step(&[("max_age", "10"), ("prompt", "none")], session(989), None),
        Step::LoginRequired
    );
    assert_eq!(step(&[], session(0), Some(user)), Step::Issue);
    assert_eq!(
        step(&[("prompt", "none")], session(0), Some(UserId::new())),
        Step::LoginRequired
    );
}

#[test]
fn answers_keep_the_query_of_the_uri() {
    let uri = with_query("https://a.example/cb?x=1", &[("code", "a b"), ("state", "&")]);
    assert_eq!(uri.as_deref(), Ok("https://a.example/cb?x=1&code=a+b&state=%26"));
}
