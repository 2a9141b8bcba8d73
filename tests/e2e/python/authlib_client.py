"""Signs in to Stoa with the unmodified package Authlib, as a native app does (RFC 8252): discovery, authorization code with
PKCE, the ID token against the published keys, userinfo, refresh, an API call, revocation, sign-out. The browser's part is
played by requests with its cookie jar, so no page may need scripts.

    python authlib_client.py ISSUER EMAIL PASSWORD      prints a JSON summary; ends with status 1 on a failure
"""

import json
import sys
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import BaseApp, FrameworkIntegration, OAuthError
from authlib.integrations.base_client.sync_app import OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session

CLIENT = "stoa-cli"
SCOPE = "openid profile email offline_access"
# Nothing listens there: the redirect is read, not followed.
CALLBACK = "http://127.0.0.1:9/callback"
TIMEOUT = 30


class Nothing(FrameworkIntegration):
    """No web framework that would keep tokens."""

    def update_token(self, token, refresh_token=None, access_token=None):
        pass


class App(OAuth2Mixin, OpenIDMixin, BaseApp):
    """Authlib's client without a web framework around it."""

    client_cls = OAuth2Session


class Form(HTMLParser):
    """The page's first form: where it goes, and its fields."""

    def __init__(self, html):
        super().__init__()
        self.action = None
        self.fields = {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = attrs.get("action", "")
        elif tag == "input" and self.action is not None and "name" in attrs:
            self.fields[attrs["name"]] = attrs.get("value") or ""


class Browser:
    """A browser without scripts: cookies, redirects and forms."""

    def __init__(self):
        self.session = requests.Session()

    def open(self, method, url, **more):
        """Follows redirects to the page that they lead to, or to the client's callback; returns its URL and text."""
        for _ in range(8):
            if url.startswith(CALLBACK):
                return url, ""
            page = self.session.request(method, url, allow_redirects=False, timeout=TIMEOUT, **more)
            location = page.headers.get("location")
            if location is None:
                return url, page.text
            if page.status_code != 303:
                raise RuntimeError(f"{url} redirects with {page.status_code}, not 303")
            method, url, more = "GET", urljoin(url, location), {}
        raise RuntimeError("more than 8 redirects")

    def get(self, url):
        return self.open("GET", url)

    def submit(self, url, html, values):
        form = Form(html)
        if form.action is None:
            raise RuntimeError(f"{url} has no form: {html}")
        return self.open("POST", urljoin(url, form.action), data={**form.fields, **values})


def parameters(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def refusal(work):
    """What a refused call says."""
    try:
        work()
    except OAuthError as error:
        return error.error
    except Exception as error:  # the package's own checks each have a class
        return type(error).__name__
    return "was not refused"


def redeem(app, request, answer):
    """Redeems the code of an answer whose state and issuer (RFC 9207) are right."""
    found = parameters(answer)
    if "error" in found:
        raise OAuthError(error=found["error"], description=found.get("error_description"))
    if found["state"] != request["state"] or found["iss"] != app.load_server_metadata()["issuer"]:
        raise RuntimeError(f"the answer is not for this request: {answer}")
    return app.fetch_access_token(
        redirect_uri=CALLBACK, code=found["code"], code_verifier=request["code_verifier"]
    )


def forged(token):
    """The same claims under a signature that is not the issuer's."""
    head, body, signature = token.split(".")
    other = "A" if signature[10] != "A" else "B"
    return ".".join([head, body, signature[:10] + other + signature[11:]])


def run(issuer, email, password):
    app = App(
        framework=Nothing("stoa"),
        name="stoa",
        client_id=CLIENT,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": SCOPE,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": "none",
            "default_timeout": TIMEOUT,
        },
    )
    metadata = app.load_server_metadata()
    browser = Browser()

    request = app.create_authorization_url(CALLBACK, login_hint=email)
    answer, html = browser.submit(*browser.get(request["url"]), {"email": email, "password": password})
    if not answer.startswith(CALLBACK):
        raise RuntimeError(f"sign-in ended at {answer}: {html}")
    tokens = redeem(app, request, answer)
    claims = app.parse_id_token(tokens, nonce=request["nonce"])
    refused = {
        "secondUse": refusal(lambda: redeem(app, request, answer)),
        "nonce": refusal(lambda: app.parse_id_token(tokens, nonce="other")),
        "signature": refusal(
            lambda: app.parse_id_token({**tokens, "id_token": forged(tokens["id_token"])}, nonce=request["nonce"])
        ),
    }

    # The second use of the code has revoked what the first one gave; the browser is signed in still.
    def silently():
        again = app.create_authorization_url(CALLBACK, prompt="none")
        return redeem(app, again, browser.get(again["url"])[0]), again

    tokens, request = silently()
    claims = app.parse_id_token(tokens, nonce=request["nonce"])
    userinfo = app.userinfo(token=tokens)
    with app._get_oauth_client(**metadata) as session:
        refreshed = session.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
    customers = app.get(f"{issuer}/api/customers?limit=100", token=refreshed)

    other, _ = silently()
    with app._get_oauth_client(**metadata) as session:
        session.revoke_token(
            metadata["revocation_endpoint"], token=other["refresh_token"], token_type_hint="refresh_token"
        )
        refused["revokedRefresh"] = refusal(
            lambda: session.refresh_token(metadata["token_endpoint"], refresh_token=other["refresh_token"])
        )

    state = generate_token(20)
    farewell = app.create_logout_url(
        post_logout_redirect_uri=CALLBACK, id_token_hint=tokens["id_token"], state=state
    )
    landed, _ = browser.get(farewell["url"])
    with app._get_oauth_client(**metadata) as session:
        refused["refreshAfterLogout"] = refusal(
            lambda: session.refresh_token(metadata["token_endpoint"], refresh_token=refreshed["refresh_token"])
        )
    refused["silentAfterLogout"] = refusal(silently)

    return {
        "issuer": metadata["issuer"],
        "scope": tokens["scope"],
        "claims": dict(claims),
        "userinfo": dict(userinfo),
        "refresh": {
            "rotated": refreshed["refresh_token"] != tokens["refresh_token"],
            "newAccessToken": refreshed["access_token"] != tokens["access_token"],
        },
        "customers": {"status": customers.status_code, "count": len(customers.json().get("items", []))},
        "logout": {
            "landedAt": landed.split("?")[0],
            "stateReturned": parameters(landed).get("state") == state,
        },
        "refused": refused,
    }


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    print(json.dumps(run(*sys.argv[1:]), indent=2))
