// Sign-up and login. Each run creates its own tenants and does not touch existing data.

import http from 'k6/http';
import { fail } from 'k6';
import { urls } from './settings.js';

const PASSWORD = 'load test password';
const STOCK = 1000000; // never runs out during a test

/**
 * Signs up tenants with users and products. For `setup()`.
 * @param {string[]} [plans] one tenant per plan
 * @param {object} [settings]
 * @param {number} [settings.members] users of each tenant in addition to its owner
 * @param {number} [settings.products] products of each tenant
 * @returns {Array<{plan: string, owner: object, users: object[], products: string[]}>}
 */
export function signUpTenants(plans = ['free', 'pro', 'enterprise'], { members = 2, products = 6 } = {}) {
  return plans.map((plan) => signUpTenant(plan, members, products));
}

function signUpTenant(plan, members, products) {
  const slug = `load-${crypto.randomUUID().slice(0, 18)}`;
  const email = `owner@${slug}.example`;
  const name = `Load test, ${plan}`;
  must('POST', '/v1/tenants', { slug, name, plan, owner: { email, password: PASSWORD } });
  const owner = logIn({ slug, email, password: PASSWORD }) || fail(`cannot log in at ${urls.api}`);
  const users = [owner, ...addMembers(owner, members)];
  return { plan, owner, users, products: addProducts(owner, products) };
}

function addMembers(owner, count) {
  return numbers(count).map((n) => {
    const email = `member-${n}@${owner.slug}.example`;
    must('POST', '/v1/users', { email, password: PASSWORD, role: 'member' }, owner.token);
    return logIn({ slug: owner.slug, email, password: PASSWORD }) || fail(`cannot log in at ${urls.api}`);
  });
}

function addProducts(owner, count) {
  return numbers(count).map((n) => {
    const price = 500 + 250 * n;
    const product = { sku: `LOAD-${n}`, name: `Product ${n}`, price_minor: price, currency: 'USD', stock: STOCK };
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
 * @param {object} user as `signUpTenants` returned it
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
