// k6 options, executors and the summary that tests share.

import { measured } from './objectives.js';
import { variable } from './settings.js';
import { summaryOf } from './summary.js';

/**
 * Returns what the script of a test exports: `export const { options, handleSummary } = loadTest(…)`.
 * @param {string} name the script's file name without `.js`
 * @param {object} scenarios k6 scenarios by name
 * @param {object} thresholds k6 thresholds by metric
 * @returns {{options: object, handleSummary: Function}}
 */
export function loadTest(name, scenarios, thresholds) {
  const testId = variable('TEST_ID', `${name}-${startTime()}`);
  const options = {
    scenarios,
    thresholds: { ...measured(Object.keys(scenarios)), ...thresholds },
    // Low cardinality: no `url`, which contains ids; `name` is the route pattern. `testid` distinguishes runs.
    tags: { testid: testId },
    // `group` is `::setup` or empty; without it, k6 leaves the checks out of the data for the summary.
    systemTags: ['method', 'name', 'status', 'error_code', 'expected_response', 'check', 'group', 'scenario'],
    summaryTrendStats: ['avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'max'],
    setupTimeout: '2m',
    teardownTimeout: '30s',
    userAgent: 'glasshouse-load-tests',
  };
  return { options, handleSummary: summaryOf(name, testId, Object.keys(scenarios)) };
}

/** The time of day at which k6 reads the script, such as `20261126-2053`. */
function startTime() {
  const [day, time] = new Date().toISOString().replace(/[-:]/g, '').split('T');
  return `${day}-${time.slice(0, 4)}`;
}

/**
 * Returns a closed workload with a constant number of virtual users. Concurrency is bounded by their number, so a
 * slow service is not overloaded as well; but it also gets fewer requests, which hides how slow it is. 12 virtual users
 * make about 20 requests/s.
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

/** Seconds that a visit takes, with think time, when the service is fast; and the longest that virtual users suffice for. */
const VISIT_SECONDS = 3;
const SLOW_VISIT_SECONDS = 8;

/**
 * Returns an open workload: visits begin at a given rate, however slow the service is. A visit that finds no free
 * virtual user is dropped, and counted in `dropped_iterations`.
 * @param {Array<[number, number]>} stages duration in seconds, and the visits per second at its end
 * @param {number} start visits per second at the start
 * @returns {object} a k6 scenario
 */
export function arrivingVisits(stages, start) {
  const peak = Math.max(start, ...stages.map(([, target]) => target));
  return {
    executor: 'ramping-arrival-rate',
    startRate: Math.round(60 * start),
    timeUnit: '60s',
    stages: stages.map(([seconds, target]) => ({ duration: `${seconds}s`, target: Math.round(60 * target) })),
    preAllocatedVUs: Math.ceil(VISIT_SECONDS * peak),
    maxVUs: Math.ceil(SLOW_VISIT_SECONDS * peak),
    gracefulStop: '5s',
  };
}
