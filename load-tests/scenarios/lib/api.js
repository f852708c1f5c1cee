// A client of the public API that tags and counts its requests.

import http from 'k6/http';
import { check } from 'k6';
import { Rate } from 'k6/metrics';
import { urls } from './settings.js';

/** Error ratio: 5xx or no response. Requests that were shed do not count. */
export const serverErrors = new Rate('server_errors');
/** Ratio of requests that were throttled (429). */
export const rateLimited = new Rate('rate_limited');
/** Ratio of requests that were shed (503 `overloaded`). */
export const shed = new Rate('shed');

/** A response that takes longer, in milliseconds, is logged with its trace id. */
const SLOW_MS = 1000;
/** How many slow responses a virtual user logs, so that an overloaded service does not flood the log. */
const LOGGED_SLOW_RESPONSES = 3;
let loggedSlowResponses = 0;

const TIMEOUT = '20s'; // longer than the service's own request timeout of 15 s

/**
 * An API client with one identity.
 *
 * Each request has the tag `name` with the route pattern, so that ids do not become time series.
 */
export class Client {
  /**
   * @param {string|null} bearer token; null for anonymous requests
   * @param {object} [settings]
   * @param {object} [settings.tags] tags of all requests, such as the journey
   * @param {boolean} [settings.strict] whether a response other than 2xx fails a check. A scenario that
   *   injects a fault turns this off, and states the expected error ratio in its thresholds. The content of a 2xx is
   *   checked in any case: see `verify`.
   * @param {number[]} [settings.expects] status codes that count as success, in addition to 2xx
   */
  constructor(token, { tags = {}, strict = true, expects = [] } = {}) {
    this.token = token;
    this.tags = tags;
    this.strict = strict;
    this.expected = http.expectedStatuses({ min: 200, max: 299 }, ...expects);
  }

  /**
   * @param {string} route such as `/v1/orders/{id}`
   * @param {object} [values] `id` replaces `{id}`; `query` is the query string
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
   * Sends a POST with a new idempotency key, for requests that move money or stock.
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
    const traceId = crypto.randomUUID().replace(/-/g, '');
    const traceparent = `00-${traceId}-${traceId.slice(0, 16)}-01`;
    const response = http.request(method, url, body && JSON.stringify(body), {
      headers: { ...this.headers(body), traceparent, ...headers },
      tags: { ...this.tags, name: route },
      timeout: TIMEOUT,
      responseCallback: this.expected,
    });
    this.count(response, { method, name: route });
    logIfSlow(response, `${method} ${route}`, traceId);
    if (this.strict) {
      check(response, { [`${method} ${route}`]: succeeded }, this.tags);
    }
    return response;
  }

  /**
   * Checks the content of a response, if it is a 2xx.
   * @param {Response} response
   * @param {object} expectations functions of the parsed body, by what they state
   * @returns {object|null} the parsed body; null if the response is no 2xx
   */
  verify(response, expectations) {
    if (!succeeded(response)) {
      return null;
    }
    const body = parsed(response);
    const checks = Object.entries(expectations).map(([name, holds]) => [name, () => body !== null && holds(body)]);
    check(response, Object.fromEntries(checks), this.tags);
    return body;
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

  count({ status, body }, route) {
    const tags = { ...this.tags, ...route };
    const wasShed = status === 503 && (body || '').includes('"overloaded"');
    shed.add(wasShed, tags);
    serverErrors.add(status === 0 || (status >= 500 && !wasShed), tags);
    rateLimited.add(status === 429, tags);
  }
}

/**
 * Returns whether a response is a 2xx.
 * @param {Response} response
 * @returns {boolean}
 */
export function succeeded(response) {
  return response.status >= 200 && response.status < 300;
}

/** The JSON of a body; null if it is none. */
function parsed(response) {
  try {
    return response.json();
  } catch {
    return null;
  }
}

function logIfSlow(response, request, traceId) {
  if (response.timings.duration > SLOW_MS && loggedSlowResponses < LOGGED_SLOW_RESPONSES) {
    loggedSlowResponses += 1;
    console.warn(`${request} took ${Math.round(response.timings.duration)} ms: trace ${traceId}`);
  }
}
