// What customers do: one visit is a few requests with time to think between them.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Rate } from 'k6/metrics';
import { Client, succeeded } from './api.js';
import { tokenOf } from './tenants.js';

/** The share of decided orders whose payment was declined. */
export const ordersDeclined = new Rate('orders_declined');
/** The share of placed orders that wait for the payment gateway. */
export const ordersPending = new Rate('orders_pending');

/** How often each kind of visit happens on an ordinary day: most look, some buy. */
export const ORDINARY_DAY = { browse: 55, buy: 25, look_up_orders: 15, manage: 5 };
/** A day on which most who come buy: for tests that need payments. */
export const SALE = { browse: 20, buy: 70, look_up_orders: 5, manage: 5 };

/**
 * One visit of this virtual user, who is always the same customer of the same tenant.
 * @param {object[]} shops as `openShops` returned them
 * @param {object} [settings]
 * @param {object} [settings.mix] how often each kind of visit happens
 * @param {boolean} [settings.strict] whether a failed request fails a check
 * @param {object} [settings.tags] for all requests
 * @param {boolean} [settings.hasty] do not think
 */
export function visit(shops, { mix = ORDINARY_DAY, strict = true, tags = {}, hasty = false } = {}) {
  const number = exec.vu.idInTest - 1;
  const shop = shops[number % shops.length];
  const kind = pick(mix);
  const nth = Math.floor(number / shops.length) % shop.users.length;
  const token = tokenOf(kind === 'manage' ? shop.owner : shop.users[nth]);
  if (token === null) {
    sleep(1); // the service is gone: come back later
    return;
  }
  const pause = hasty ? () => {} : think;
  KINDS[kind](new Client(token, { strict, tags }), shop, pause);
  pause();
}

const KINDS = { browse, buy, look_up_orders: lookUpOrders, manage };

function browse(client, shop, pause) {
  client.get('/v1/products', { query: 'limit=20' });
  pause();
  client.get('/v1/products/{id}', { id: oneOf(shop.products) });
  pause();
  client.get('/v1/products/{id}', { id: oneOf(shop.products) });
}

function buy(client, shop, pause) {
  client.get('/v1/products', { query: 'limit=20' });
  pause();
  const product_id = oneOf(shop.products);
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

function lookUpOrders(client, shop, pause) {
  const list = client.get('/v1/orders', { query: 'limit=10' });
  const orders = succeeded(list) ? list.json('items') : [];
  pause();
  if (orders.length > 0) {
    client.get('/v1/orders/{id}', { id: oneOf(orders).id });
  }
}

function manage(client, shop, pause) {
  const day = (days) => new Date(Date.now() - days * 86400000).toISOString().slice(0, 10);
  client.get('/v1/reports/revenue', { query: `from=${day(30)}&to=${day(0)}` });
  pause();
  client.get('/v1/orders', { query: 'limit=20&status=paid' });
  pause();
  client.postOnce('/v1/products/{id}/stock', { delta: 25 }, { id: oneOf(shop.products) });
}

/** Waits as long as somebody reads a page: 0.3 to 0.9 seconds. */
export function think() {
  sleep(0.3 + 0.6 * Math.random());
}

/**
 * One of a list, by chance.
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
