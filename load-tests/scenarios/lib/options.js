// What all tests have in common for k6, and the load that most of them share.

import { variable } from './settings.js';

/**
 * The options of a test.
 * @param {object} scenarios k6 scenarios by name
 * @param {object} thresholds k6 thresholds by metric
 * @returns {object}
 */
export function testOptions(scenarios, thresholds) {
  return {
    scenarios,
    thresholds,
    // Few series, however long the test: no `url`, which has ids in it. `name` is the route's pattern.
    // `testid` keeps apart what runs at the same time.
    tags: { testid: variable('TEST_ID', 'k6') },
    systemTags: ['method', 'name', 'status', 'error_code', 'expected_response', 'check', 'scenario'],
    summaryTrendStats: ['avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'max'],
    setupTimeout: '2m',
    teardownTimeout: '30s',
    userAgent: 'glasshouse-load-tests',
  };
}

/**
 * The everyday load: some customers who come again and again. There are never more requests at once than
 * customers, so that a slow service is not buried as well. Twelve of them make about 20 requests a second
 * of a healthy service.
 * @param {number} seconds how long
 * @param {object} [settings]
 * @param {number} [settings.customers] how many at once
 * @param {string} [settings.exec] the function that is one visit
 * @param {object} [settings.tags] for all their requests
 * @returns {object} a k6 scenario
 */
export function customersFor(seconds, { customers = 12, exec = 'default', tags = {} } = {}) {
  return { executor: 'constant-vus', vus: customers, duration: `${seconds}s`, gracefulStop: '5s', exec, tags };
}

/**
 * Customers who become more and fewer.
 * @param {Array<[number, number]>} stages seconds, and how many customers there are at their end
 * @param {string} [exec] the function that is one visit
 * @returns {object} a k6 scenario
 */
export function customersInStages(stages, exec = 'default') {
  return {
    executor: 'ramping-vus',
    startVUs: 1,
    stages: stages.map(([seconds, target]) => ({ duration: `${seconds}s`, target })),
    gracefulRampDown: '5s',
    gracefulStop: '5s',
    exec,
  };
}
