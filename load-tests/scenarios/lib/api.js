// Requests to the public interface.

import http from 'k6/http';
import { check } from 'k6';
import { Rate } from 'k6/metrics';
import { urls } from './settings.js';

/** The share of requests that the service failed: 5xx, or no answer at all. A refusal (`shed`) is no failure. */
export const serverErrors = new Rate('server_errors');
/** The share of requests that a tenant's rate limit refused. */
export const rateLimited = new Rate('rate_limited');
/** The share of requests that were refused because too many were being served. */
export const shed = new Rate('shed');

const TIMEOUT = '20s'; // more than the service gives itself

/**
 * Somebody who calls the API.
 *
 * Every request has the tag `name` with the route's pattern, so that ids do not become time series.
 */
export class Client {
  /**
   * @param {string|null} token null for somebody who is not logged in
   * @param {object} [settings]
   * @param {object} [settings.tags] for all requests
   * @param {boolean} [settings.strict] whether anything but a 2xx fails a check. A test that breaks the
   *   service turns this off, and says in its thresholds what it expects instead.
   * @param {number[]} [settings.expects] statuses that are no failure, beside 2xx
   */
  constructor(token, { tags = {}, strict = true, expects = [] } = {}) {
    this.token = token;
    this.tags = tags;
    this.strict = strict;
    this.expected = http.expectedStatuses({ min: 200, max: 299 }, ...expects);
  }

  /**
   * @param {string} route such as `/v1/orders/{id}`
   * @param {object} [values] what stands for `{id}`, and `query`, the text after the `?`
   * @returns {Response}
   */
  get(route, values = {}) {
    return this.send('GET', route, null, values);
  }

  /**
   * @param {string} route
   * @param {object} body
   * @param {object} [values]
   * @returns {Response}
   */
  post(route, body, values = {}) {
    return this.send('POST', route, body, values);
  }

  /**
   * A request that moves money or stock, and so has a key of its own.
   * @param {string} route
   * @param {object} body
   * @param {object} [values]
   * @returns {Response}
   */
  postOnce(route, body, values = {}) {
    return this.send('POST', route, body, values, { 'Idempotency-Key': crypto.randomUUID() });
  }

  send(method, route, body, { id, query }, headers = {}) {
    const url = urls.api + route.replace('{id}', id) + (query ? `?${query}` : '');
    const response = http.request(method, url, body && JSON.stringify(body), {
      headers: { ...this.headers(body), ...headers },
      tags: { ...this.tags, name: route },
      timeout: TIMEOUT,
      responseCallback: this.expected,
    });
    this.count(response);
    if (this.strict) {
      check(response, { [`${method} ${route}`]: succeeded }, this.tags);
    }
    return response;
  }

  headers(body) {
    const headers = {};
    if (this.token) {
      headers.Authorization = `Bearer ${this.token}`;
    }
    if (body) {
      headers['Content-Type'] = 'application/json';
    }
    return headers;
  }

  count(response) {
    const { status, body } = response;
    const refused = status === 503 && (body || '').includes('"overloaded"');
    shed.add(refused, this.tags);
    serverErrors.add(status === 0 || (status >= 500 && !refused), this.tags);
    rateLimited.add(status === 429, this.tags);
  }
}

/**
 * Whether a response is a 2xx.
 * @param {Response} response
 * @returns {boolean}
 */
export function succeeded(response) {
  return response.status >= 200 && response.status < 300;
}
