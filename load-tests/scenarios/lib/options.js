// k6 options and executors that tests share.

import { variable } from './settings.js';

/**
 * Returns the options of a test.
 * @param {object} scenarios k6 scenarios by name
 * @param {object} thresholds k6 thresholds by metric
 * @returns {object}
 */
export function testOptions(scenarios, thresholds) {
  return {
    scenarios,
    thresholds,
    // Low cardinality: no `url`, which contains ids; `name` is the route pattern. `testid` separates concurrent runs.
    tags: { testid: variable('TEST_ID', 'k6') },
    systemTags: ['method', 'name', 'status', 'error_code', 'expected_response', 'check', 'scenario'],
    summaryTrendStats: ['avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'max'],
    setupTimeout: '2m',
    teardownTimeout: '30s',
    userAgent: 'glasshouse-load-tests',
  };
}

/**
 * Returns a closed workload with a constant number of virtual users. Concurrency is bounded by their number, so a
 * slow service is not overloaded as well. 12 virtual users make about 20 requests/s.
 * @param {number} seconds duration
 * @param {object} [settings]
 * @param {number} [settings.vus] number of virtual users
 * @param {string} [settings.exec] name of the function for one visit
 * @param {object} [settings.tags] tags of all requests
 * @returns {object} a k6 scenario
 */
export function constantLoad(seconds, { vus = 12, exec = 'default', tags = {} } = {}) {
  return { executor: 'constant-vus', vus, duration: `${seconds}s`, gracefulStop: '5s', exec, tags };
}

/**
 * Returns a closed workload whose number of virtual users ramps up and down.
 * @param {Array<[number, number]>} stages duration in seconds, and the number of virtual users at its end
 * @param {string} [exec] name of the function for one visit
 * @returns {object} a k6 scenario
 */
export function rampingLoad(stages, exec = 'default') {
  return {
    executor: 'ramping-vus',
    startVUs: 1,
    stages: stages.map(([seconds, target]) => ({ duration: `${seconds}s`, target })),
    gracefulRampDown: '5s',
    gracefulStop: '5s',
    exec,
  };
}
