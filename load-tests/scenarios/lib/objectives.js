// What is measured by scenario, journey and route, and the latency objectives of the routes.

/** The user journeys: see visits.js. */
const JOURNEYS = ['browse', 'buy', 'look_up_orders', 'administer'];

/**
 * p95 by route, in milliseconds, at an average load. The alert HighResponseTime fires at 1000. Reads have half of that;
 * what charges, writes or aggregates has all of it.
 */
const P95_MS = {
  'GET /v1/products': 500,
  'GET /v1/products/{id}': 500,
  'GET /v1/orders': 500,
  'GET /v1/orders/{id}': 500,
  'GET /v1/orders/{id}/payments': 500,
  'POST /v1/orders': 1000,
  'POST /v1/products/{id}/stock': 1000,
  'GET /v1/reports/revenue': 1000,
};

/** Routes of single scenarios, without an objective of their own. */
const OTHER_ROUTES = ['GET /v1/users', 'GET /v1/users/me', 'POST /v1/auth/login', 'POST /v1/tenants'];

/** Thresholds that always hold: k6 measures a part of a metric only if it has a threshold. */
export const ALWAYS = { http_req_duration: 'max>=0', server_errors: 'rate>=0' };

/**
 * Returns thresholds for each route of the journeys.
 * @param {object} [limits]
 * @param {number} [limits.slower] factor of the latencies at an average load
 * @param {number} [limits.errors] upper bound of the error ratio
 * @returns {object} k6 thresholds by metric
 */
export function routesWithin({ slower = 1, errors = 0.01 } = {}) {
  const thresholds = Object.entries(P95_MS).map(([route, ms]) => [
    [`http_req_duration${routeTags(route)}`, [`p(95)<${slower * ms}`]],
    [`server_errors${routeTags(route)}`, [`rate<${errors}`]],
  ]);
  return Object.fromEntries(thresholds.flat());
}

/**
 * Returns thresholds that always hold, so that the summary has latency and errors by scenario, journey and route.
 * @param {string[]} scenarios the names of the test's k6 scenarios
 * @returns {object} k6 thresholds by metric
 */
export function measured(scenarios) {
  const parts = partsOf(scenarios).flatMap(({ tags }) =>
    Object.entries(ALWAYS).map(([metric, threshold]) => [metric + tags, [threshold]]),
  );
  return Object.fromEntries(parts);
}

/**
 * Returns what the summary shows apart from each other.
 * @param {string[]} scenarios the names of the test's k6 scenarios
 * @returns {Array<{kind: string, name: string, tags: string}>} `tags` selects the part of a metric
 */
export function partsOf(scenarios) {
  const routes = [...Object.keys(P95_MS), ...OTHER_ROUTES];
  return [
    ...scenarios.map((name) => ({ kind: 'scenario', name, tags: `{scenario:${name}}` })),
    ...JOURNEYS.map((name) => ({ kind: 'journey', name, tags: `{journey:${name}}` })),
    ...routes.map((name) => ({ kind: 'route', name, tags: routeTags(name) })),
  ];
}

function routeTags(route) {
  const [method, name] = route.split(' ');
  return `{method:${method},name:${name}}`;
}
