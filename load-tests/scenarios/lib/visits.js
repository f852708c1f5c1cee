// User journeys: a visit is a few requests with think time between them.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Rate } from 'k6/metrics';
import { Client, succeeded } from './api.js';
import { tokenOf } from './tenants.js';

/** Ratio of settled orders whose payment was declined. */
export const ordersDeclined = new Rate('orders_declined');
/** Ratio of placed orders whose payment is still pending. */
export const ordersPending = new Rate('orders_pending');

/** Weights of the kinds of visits on a typical day. */
export const TYPICAL_MIX = { browse: 55, buy: 25, look_up_orders: 15, manage: 5 };
/** Weights for scenarios that need many payments. */
export const CHECKOUT_MIX = { browse: 20, buy: 70, look_up_orders: 5, manage: 5 };

/**
 * Runs one visit. A virtual user always acts as the same user of the same tenant, or as its owner for `manage`.
 * @param {object[]} tenants as `prepareTenants` returned them
 * @param {object} [settings]
 * @param {object} [settings.mix] weights of the kinds of visits
 * @param {boolean} [settings.strict] whether a failed request fails a check
 * @param {object} [settings.tags] tags of all requests
 * @param {boolean} [settings.thinkTime] whether to pause between requests
 */
export function visit(tenants, { mix = TYPICAL_MIX, strict = true, tags = {}, thinkTime = true } = {}) {
  const number = exec.vu.idInTest - 1;
  const tenant = tenants[number % tenants.length];
  const kind = pick(mix);
  const nth = Math.floor(number / tenants.length) % tenant.users.length;
  const token = tokenOf(kind === 'manage' ? tenant.owner : tenant.users[nth]);
  if (token === null) {
    sleep(1); // no login: back off
    return;
  }
  const pause = thinkTime ? think : () => {};
  KINDS[kind](new Client(token, { strict, tags }), tenant, pause);
  pause();
}

const KINDS = { browse, buy, look_up_orders: lookUpOrders, manage };

function browse(client, tenant, pause) {
  client.get('/v1/products', { query: 'limit=20' });
  pause();
  client.get('/v1/products/{id}', { id: oneOf(tenant.products) });
  pause();
  client.get('/v1/products/{id}', { id: oneOf(tenant.products) });
}

function buy(client, tenant, pause) {
  client.get('/v1/products', { query: 'limit=20' });
  pause();
  const product_id = oneOf(tenant.products);
  client.get('/v1/products/{id}', { id: product_id });
  pause();
  const items = [{ product_id, quantity: 1 + Math.floor(Math.random() * 3) }];
  const placed = client.postOnce('/v1/orders', { items });
  if (!succeeded(placed)) {
    return;
  }
  const { id, status } = placed.json();
  ordersPending.add(status === 'pending');
  if (status !== 'pending') {
    ordersDeclined.add(status === 'payment_failed');
  }
  pause();
  client.get('/v1/orders/{id}/payments', { id });
}

function lookUpOrders(client, tenant, pause) {
  const list = client.get('/v1/orders', { query: 'limit=10' });
  const orders = succeeded(list) ? list.json('items') : [];
  pause();
  if (orders.length > 0) {
    client.get('/v1/orders/{id}', { id: oneOf(orders).id });
  }
}

function manage(client, tenant, pause) {
  const day = (days) => new Date(Date.now() - days * 86400000).toISOString().slice(0, 10);
  client.get('/v1/reports/revenue', { query: `from=${day(30)}&to=${day(0)}` });
  pause();
  client.get('/v1/orders', { query: 'limit=20&status=paid' });
  pause();
  client.postOnce('/v1/products/{id}/stock', { delta: 25 }, { id: oneOf(tenant.products) });
}

/** Think time: 0.3 to 0.9 seconds. */
export function think() {
  sleep(0.3 + 0.6 * Math.random());
}

/**
 * Returns a random element.
 * @template T
 * @param {T[]} list
 * @returns {T}
 */
export function oneOf(list) {
  return list[Math.floor(Math.random() * list.length)];
}

function pick(mix) {
  const total = Object.values(mix).reduce((sum, weight) => sum + weight, 0);
  let left = Math.random() * total;
  return Object.keys(mix).find((kind) => (left -= mix[kind]) < 0);
}
