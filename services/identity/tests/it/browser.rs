//! A browser, as far as signing in needs one.

use crate::harness::{Answer, EMAIL, Fixture, PASSWORD, authorization, encode};
use axum::body::Body;
use http::{Method, Request, StatusCode};
use std::collections::HashMap;

/// A browser: it keeps cookies, and follows no redirects.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: HashMap<String, String>,
}

impl Browser {
    pub(crate) async fn get(&mut self, fixture: &Fixture, uri: &str) -> Answer {
        self.send(fixture, Request::builder().uri(uri), Body::empty())
            .await
    }

    pub(crate) async fn post(&mut self, fixture: &Fixture, uri: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(fixture, request, Body::from(encode(fields))).await
    }

    async fn send(&mut self, fixture: &Fixture, request: http::request::Builder, body: Body) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request
            .header(http::header::COOKIE, cookies.join("; "))
            .body(body)
            .unwrap();
        let answer = fixture.send(request, None).await;
        for cookie in answer.headers.get_all(http::header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// The sign-in page of an authorization request, sent with these credentials.
    pub(crate) async fn submit(
        &mut self,
        fixture: &Fixture,
        authorize: &str,
        email: &str,
        password: &str,
    ) -> Answer {
        let redirect = self.get(fixture, authorize).await.location();
        assert_eq!(redirect.path(), "/login");
        let page = self.get(fixture, &redirect[url::Position::BeforePath..]).await;
        assert_eq!(page.status, StatusCode::OK);
        let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
        let fields = [
            ("csrf", csrf.as_str()),
            ("request", &request),
            ("email", email),
            ("password", password),
        ];
        self.post(fixture, "/login", &fields).await
    }

    /// Signs in and returns the code.
    pub(crate) async fn sign_in(&mut self, fixture: &Fixture) -> String {
        let answer = self.submit(fixture, &authorization(&[]), EMAIL, PASSWORD).await;
        answer
            .answer("code")
            .unwrap_or_else(|| panic!("no code: {}", answer.text))
    }

    /// Another code in the same session.
    pub(crate) async fn sign_in_again(&mut self, fixture: &Fixture) -> String {
        let answer = self.get(fixture, &authorization(&[])).await;
        answer
            .answer("code")
            .unwrap_or_else(|| panic!("no code: {}", answer.location()))
    }
}
