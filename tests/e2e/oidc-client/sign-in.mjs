// Signs in to Stoa with the unmodified npm package `openid-client`, as a native app does (RFC 8252): discovery,
// authorization code with PKCE, userinfo, refresh, an API call, revocation, sign-out. The browser's part is played by
// fetch with a cookie jar, so no page may need scripts.
//
//   node sign-in.mjs ISSUER EMAIL PASSWORD      prints a JSON summary; ends with status 1 and the reason on a failure

import { createServer } from 'node:http';
import { webcrypto } from 'node:crypto';

// Node 18 has WebCrypto, but not under its global names; the package reads those when it loads.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;
const oidc = await import('openid-client');

const CLIENT = 'stoa-cli';
const SCOPE = 'openid profile email offline_access';
const TIMEOUT_MS = 30_000;

/** A browser without scripts: cookies, redirects and forms. */
class Browser {
  #cookies = new Map();

  /** Follows redirects until a page that is not one; the callback on the loopback listener is such a page. */
  async open(url, options = {}) {
    for (let hop = 0; hop < 8; hop += 1) {
      const headers = { ...options.headers, cookie: [...this.#cookies].map((pair) => pair.join('=')).join('; ') };
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(url, { ...options, headers, redirect: 'manual', signal });
      for (const cookie of response.headers.getSetCookie()) this.#keep(cookie);
      const location = response.headers.get('location');
      if (location === null) return { url: new URL(url), status: response.status, html: await response.text() };
      // After a redirect with 303 a browser GETs, whatever it sent before.
      if (response.status !== 303) throw new Error(`${url} redirects with ${response.status}, not 303`);
      await response.arrayBuffer();
      url = new URL(location, url);
      options = {};
    }
    throw new Error('more than 8 redirects');
  }

  /** Fills in the page's form and sends it. */
  async submit(page, values) {
    const form = /<form([^>]*)>(.*?)<\/form>/s.exec(page.html);
    if (form === null) throw new Error(`${page.url} has no form (status ${page.status}): ${page.html}`);
    const fields = new URLSearchParams();
    for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
      const name = attribute(input, 'name');
      fields.set(name, values[name] ?? attribute(input, 'value'));
    }
    return this.open(new URL(attribute(form[1], 'action'), page.url), { method: 'POST', body: fields });
  }

  #keep(cookie) {
    const [pair, ...flags] = cookie.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    if (flags.some((flag) => /^max-age=0$/i.test(flag))) this.#cookies.delete(pair.slice(0, at));
    else this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
}

function attribute(tag, name) {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? '';
  const entities = { amp: '&', lt: '<', gt: '>', quot: '"', '#x27': "'", '#x2f': '/', '#39': "'" };
  return value.replace(/&([^;]+);/g, (whole, entity) => entities[entity] ?? whole);
}

/** The native app's listener: a free loopback port, any path answered with a text. */
async function listen() {
  const server = createServer((_, response) => response.end('You can close this page.'));
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return { server, callback: `http://127.0.0.1:${server.address().port}/callback` };
}

/** What a refused promise says: the code that the package gives, or the OAuth error of the server. */
async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error.error ?? error.code ?? String(error);
  }
  return 'was not refused';
}

/** Plain HTTP is for a server on this machine only. */
function isLoopback(url) {
  return /^127\.\d+\.\d+\.\d+$|^\[::1\]$|^localhost$/.test(url.hostname);
}

async function discover(issuer) {
  const execute = [oidc.enableNonRepudiationChecks]; // verifies the ID token's signature with the published keys
  if (issuer.protocol === 'http:' && isLoopback(issuer)) execute.push(oidc.allowInsecureRequests);
  return oidc.discovery(issuer, CLIENT, undefined, oidc.None(), { execute, timeout: TIMEOUT_MS / 1000 });
}

/** An authorization request with all that its answer is checked against. */
async function request(config, redirectUri, more = {}) {
  const checks = {
    pkceCodeVerifier: oidc.randomPKCECodeVerifier(),
    expectedState: oidc.randomState(),
    expectedNonce: oidc.randomNonce(),
    idTokenExpected: true,
  };
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: SCOPE,
    code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...more,
  });
  return { url, checks };
}

/** The URL with one parameter of its query replaced. */
function altered(url, name, value) {
  const copy = new URL(url);
  copy.searchParams.set(name, value);
  return copy;
}

/** A further sign-in in a browser that is signed in already: no page is shown. */
async function silently(config, browser, callback) {
  const { url, checks } = await request(config, callback, { prompt: 'none' });
  return { answer: (await browser.open(url)).url, checks };
}

async function run(issuer, email, password, callback) {
  const config = await discover(issuer);
  const browser = new Browser();

  const { url, checks } = await request(config, callback, { login_hint: email });
  const login = await browser.open(url);
  const landed = await browser.submit(login, { email, password });
  const answer = landed.url;
  if (!answer.href.startsWith(`${callback}?`)) throw new Error(`sign-in ended at ${answer}: ${landed.html}`);
  // Refused before anything is sent, so the code stays good for the real redemption.
  const refused = {
    state: await refusal(oidc.authorizationCodeGrant(config, answer, { ...checks, expectedState: 'other' })),
    issuer: await refusal(oidc.authorizationCodeGrant(config, altered(answer, 'iss', 'http://evil.test'), checks)),
  };
  const tokens = await oidc.authorizationCodeGrant(config, answer, checks);
  const claims = tokens.claims();

  const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
  refused.subject = await refusal(oidc.fetchUserInfo(config, tokens.access_token, 'someone else'));
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token);

  const api = new URL('/api/customers?limit=100', issuer);
  const customers = await oidc.fetchProtectedResource(config, refreshed.access_token, api, 'GET');

  const strange = await silently(config, browser, callback);
  const wrongNonce = { ...strange.checks, expectedNonce: 'other' };
  refused.nonce = await refusal(oidc.authorizationCodeGrant(config, strange.answer, wrongNonce));

  const second = await silently(config, browser, callback);
  const revoked = await oidc.authorizationCodeGrant(config, second.answer, second.checks);
  await oidc.tokenRevocation(config, revoked.refresh_token);
  refused.revokedRefresh = await refusal(oidc.refreshTokenGrant(config, revoked.refresh_token));

  const state = oidc.randomState();
  const farewell = await browser.open(
    oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: callback, state }),
  );
  refused.refreshAfterLogout = await refusal(oidc.refreshTokenGrant(config, refreshed.refresh_token));
  const after = await silently(config, browser, callback);
  refused.silentAfterLogout = await refusal(oidc.authorizationCodeGrant(config, after.answer, after.checks));

  return {
    issuer: config.serverMetadata().issuer,
    supportsPKCE: config.serverMetadata().supportsPKCE(),
    scope: tokens.scope,
    claims,
    userinfo,
    refresh: {
      rotated: refreshed.refresh_token !== undefined && refreshed.refresh_token !== tokens.refresh_token,
      newAccessToken: refreshed.access_token !== tokens.access_token,
      sub: refreshed.claims()?.sub,
    },
    customers: { status: customers.status, count: (await customers.json()).items?.length },
    logout: {
      landedAt: farewell.url.origin + farewell.url.pathname === callback ? 'post_logout_redirect_uri' : farewell.url.href,
      stateReturned: farewell.url.searchParams.get('state') === state,
    },
    refused,
  };
}

const [issuer, email, password] = process.argv.slice(2);
if (password === undefined) {
  console.error('usage: node sign-in.mjs ISSUER EMAIL PASSWORD');
  process.exit(2);
}
const { server, callback } = await listen();
try {
  console.log(JSON.stringify(await run(new URL(issuer), email, password, callback), null, 2));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  server.close();
  server.closeAllConnections();
}
