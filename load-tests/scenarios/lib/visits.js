// User journeys: a visit is a few requests with think time between them.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Rate } from 'k6/metrics';
import { Client } from './api.js';
import { tokenOf } from './tenants.js';

/** Ratio of settled orders whose payment was declined. */
export const ordersDeclined = new Rate('orders_declined');
/** Ratio of placed orders whose payment is still pending. */
export const ordersPending = new Rate('orders_pending');

/** Weights of the journeys on a typical day. Each is the tag `journey` of its requests. */
export const TYPICAL_MIX = { browse: 55, buy: 25, look_up_orders: 15, administer: 5 };
/** Weights for scenarios that need many payments. */
export const CHECKOUT_MIX = { browse: 20, buy: 70, look_up_orders: 5, administer: 5 };

/**
 * Runs one visit. A virtual user always acts as the same user of the same tenant, or as its owner to
 * administer.
 * @param {object[]} tenants as `prepareTenants` returned them
 * @param {object} [settings]
 * @param {object} [settings.mix] weights of the journeys
 * @param {boolean} [settings.strict] whether a failed request fails a check
 * @param {object} [settings.tags] tags of all requests
 * @param {boolean} [settings.thinkTime] whether to pause between requests
 */
export function visit(tenants, { mix = TYPICAL_MIX, strict = true, tags = {}, thinkTime = true } = {}) {
  const number = exec.vu.idInTest - 1;
  const tenant = tenants[number % tenants.length];
  const journey = pick(mix);
  const nth = Math.floor(number / tenants.length) % tenant.users.length;
  const token = tokenOf(journey === 'administer' ? tenant.owner : tenant.users[nth]);
  if (token === null) {
    sleep(1); // no login: back off
    return;
  }
  const pause = thinkTime ? think : () => {};
  JOURNEYS[journey](new Client(token, { strict, tags: { ...tags, journey } }), tenant, pause);
  pause();
}

const JOURNEYS = { browse, buy, look_up_orders: lookUpOrders, administer };

function browse(client, tenant, pause) {
  listProducts(client);
  pause();
  getProduct(client, oneOf(tenant.products));
  pause();
  getProduct(client, oneOf(tenant.products));
}

function buy(client, tenant, pause) {
  listProducts(client);
  pause();
  const product = getProduct(client, oneOf(tenant.products));
  pause();
  if (product === null) {
    return;
  }
  const quantity = 1 + Math.floor(Math.random() * 3);
  const order = placeOrder(client, product, quantity);
  if (order === null) {
    return;
  }
  pause();
  client.verify(client.get('/v1/orders/{id}/payments', { id: order.id }), {
    'an order has one payment, of its total': (payments) =>
      payments.length === 1 && payments[0].order_id === order.id && payments[0].amount_minor === order.total_minor,
  });
}

function lookUpOrders(client, tenant, pause) {
  const list = listOrders(client, 10);
  pause();
  if (list !== null && list.items.length > 0) {
    const { id, total_minor } = oneOf(list.items);
    client.verify(client.get('/v1/orders/{id}', { id }), {
      'an order is the one of the list': (order) => order.id === id && order.total_minor === total_minor,
      'the total of an order is the sum of its items': (order) => order.total_minor === sumOf(order.items),
    });
  }
}

function administer(client, tenant, pause) {
  const day = (days) => new Date(Date.now() - days * 86400000).toISOString().slice(0, 10);
  const [from, to] = [day(30), day(0)];
  client.verify(client.get('/v1/reports/revenue', { query: `from=${from}&to=${to}` }), {
    'a report is about its days': (days) => days.every((one) => one.day >= from && one.day <= to),
    'no day refunds more than it earned': (days) => days.every((one) => one.refunded_minor <= one.gross_minor),
  });
  pause();
  listOrders(client, 20, 'paid');
  pause();
  const id = oneOf(tenant.products);
  client.verify(client.postOnce('/v1/products/{id}/stock', { delta: 25 }, { id }), {
    'stock is added to a product': (product) => product.id === id && product.stock >= 25,
  });
}

function listProducts(client) {
  client.verify(client.get('/v1/products', { query: 'limit=20' }), {
    'a page of products is neither empty nor too long': ({ items }) => items.length > 0 && items.length <= 20,
    'products have a price and stock': ({ items }) => items.every((one) => one.price_minor > 0 && one.stock >= 0),
  });
}

/** Returns the product, or null if the request failed. */
function getProduct(client, id) {
  return client.verify(client.get('/v1/products/{id}', { id }), {
    'a product is the requested one': (product) => product.id === id,
  });
}

/** Returns the order, or null if the request failed. */
function placeOrder(client, product, quantity) {
  const items = [{ product_id: product.id, quantity }];
  const order = client.verify(client.postOnce('/v1/orders', { items }), {
    'the total of an order is price × quantity': (placed) => placed.total_minor === quantity * product.price_minor,
    'an order is paid, pending or declined': ({ status }) => ['paid', 'pending', 'payment_failed'].includes(status),
  });
  if (order !== null) {
    ordersPending.add(order.status === 'pending', client.tags);
    if (order.status !== 'pending') {
      ordersDeclined.add(order.status === 'payment_failed', client.tags);
    }
  }
  return order;
}

/** Returns a page of orders, or null if the request failed. */
function listOrders(client, limit, status) {
  const query = `limit=${limit}${status ? `&status=${status}` : ''}`;
  return client.verify(client.get('/v1/orders', { query }), {
    'a page of orders is no longer than its limit': ({ items }) => items.length <= limit,
    'a page of orders has the requested status': ({ items }) => items.every((one) => !status || one.status === status),
  });
}

function sumOf(items) {
  return items.reduce((sum, { quantity, unit_price_minor: price }) => sum + quantity * price, 0);
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
  return Object.keys(mix).find((journey) => (left -= mix[journey]) < 0);
}
