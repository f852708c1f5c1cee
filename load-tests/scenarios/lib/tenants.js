// Tenants, users and logins. Sign-up yields the plan `free`; tenants of other plans exist already.

import http from 'k6/http';
import { fail } from 'k6';
import { urls } from './settings.js';

const PASSWORD = 'load test password';
const STOCK = 1000000; // never runs out during a test

// The demo tenants, which `glasshouse seed --demo` adds: only an operator gives a tenant one of these plans.
const SEEDED = { pro: 'acme', enterprise: 'initech' };
const SEEDED_PASSWORD = 'demo-password';

/**
 * Prepares tenants with users and products for `setup()`: signs up new ones on the plan `free`, and logs in to the demo
 * tenant of another plan. Users and products are new ones in each.
 * @param {string[]} [plans] one tenant per plan
 * @param {object} [settings]
 * @param {number} [settings.members] users of each tenant in addition to its owner
 * @param {number} [settings.products] products of each tenant
 * @returns {Array<{plan: string, owner: object, members: object[], users: object[], products: string[]}>} one for each
 *   plan; `users` are its owner and its members
 */
export function prepareTenants(plans = ['free', 'pro', 'enterprise'], { members = 2, products = 6 } = {}) {
  return plans.map((plan) => prepareTenant(plan, members, products));
}

function prepareTenant(plan, memberCount, productCount) {
  const run = crypto.randomUUID().slice(0, 18);
  const owner = plan in SEEDED ? logInToSeeded(SEEDED[plan]) : signUp(`load-${run}`);
  const members = addMembers(owner, run, memberCount);
  return { plan, owner, members, users: [owner, ...members], products: addProducts(owner, run, productCount) };
}

function signUp(slug) {
  const email = `owner@${slug}.example`;
  must('POST', '/v1/tenants', { slug, name: 'Load test', owner: { email, password: PASSWORD } });
  return logIn({ slug, email, password: PASSWORD }) || fail(`cannot log in at ${urls.api}`);
}

function logInToSeeded(slug) {
  const owner = logIn({ slug, email: `owner@${slug}.example`, password: SEEDED_PASSWORD });
  return owner || fail(`cannot log in to ${slug} at ${urls.api}: \`glasshouse seed --demo\` adds this tenant`);
}

function addMembers(owner, run, count) {
  return numbers(count).map((n) => {
    const email = `member-${n}@${run}.example`;
    must('POST', '/v1/users', { email, password: PASSWORD, role: 'member' }, owner.token);
    return logIn({ slug: owner.slug, email, password: PASSWORD }) || fail(`cannot log in at ${urls.api}`);
  });
}

function addProducts(owner, run, count) {
  return numbers(count).map((n) => {
    const price = 500 + 250 * n;
    const sku = `LOAD-${run}-${n}`;
    const product = { sku, name: `Product ${n}`, price_minor: price, currency: 'USD', stock: STOCK };
    return must('POST', '/v1/products', product, owner.token).json('id');
  });
}

function numbers(count) {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/**
 * Logs a user in.
 * @param {{slug: string, email: string, password: string}} user
 * @returns {object|null} the user with `token` and `tokenEnds`, or null if the login failed
 */
export function logIn(user) {
  const body = { tenant: user.slug, email: user.email, password: user.password };
  const response = send('POST', '/v1/auth/login', body);
  if (response.status !== 200) {
    return null;
  }
  const { access_token: token, expires_in: seconds } = response.json();
  return { ...user, token, tokenEnds: Date.now() + seconds * 1000 };
}

// Tokens that this virtual user has renewed, by e-mail address.
const renewed = {};
const RENEW_BEFORE_MS = 60000;

/**
 * Returns a token that is valid for at least a minute. Renews it if needed: long tests outlive the first one.
 * @param {object} user as `prepareTenants` returned it
 * @returns {string|null} null if a renewal failed
 */
export function tokenOf(user) {
  const known = renewed[user.email] || user;
  if (known.tokenEnds - Date.now() > RENEW_BEFORE_MS) {
    return known.token;
  }
  const fresh = logIn(user);
  if (fresh === null) {
    return null;
  }
  renewed[user.email] = fresh;
  return fresh.token;
}

function must(method, path, body, token) {
  const response = send(method, path, body, token);
  if (response.status !== 201) {
    fail(`${method} ${urls.api}${path}: ${response.status || response.error} ${response.body || ''}`);
  }
  return response;
}

function send(method, path, body, token) {
  const headers = { 'Content-Type': 'application/json' };
  if (token) {
    headers.Authorization = `Bearer ${token}`;
  }
  return http.request(method, urls.api + path, JSON.stringify(body), { headers, tags: { name: path } });
}
