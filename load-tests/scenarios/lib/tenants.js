// Tenants of this run's own: nothing here touches data that was there before.

import http from 'k6/http';
import { fail } from 'k6';
import { urls } from './settings.js';

const PASSWORD = 'load test password';
const STOCK = 1000000; // nobody shall stand before empty shelves

/**
 * Signs up tenants, each with staff and products. For `setup()`.
 * @param {string[]} [plans] one tenant for each
 * @param {object} [settings]
 * @param {number} [settings.members] users of each tenant beside its owner
 * @param {number} [settings.products] products of each tenant
 * @returns {Array<{plan: string, owner: object, users: object[], products: string[]}>}
 */
export function openShops(plans = ['free', 'pro', 'enterprise'], { members = 2, products = 6 } = {}) {
  return plans.map((plan) => openShop(plan, members, products));
}

function openShop(plan, members, products) {
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
 * Logs somebody in.
 * @param {{slug: string, email: string, password: string}} user
 * @returns {object|null} the user with `token` and `tokenEnds`, or null if the service refused or did not answer
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

// The tokens that this virtual user has fetched since the start, by address.
const renewed = {};
const RENEW_BEFORE_MS = 60000;

/**
 * A token of this user that is valid for a while: long tests outlive the first one.
 * @param {object} user as `openShops` returned it
 * @returns {string|null} null if there is none to be had now
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
