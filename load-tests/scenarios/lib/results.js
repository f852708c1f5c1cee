// The results of a run, from the data that k6 gives to `handleSummary`. They are about the load alone: requests of setup and
// teardown are not counted.

import { ALWAYS, partsOf } from './objectives.js';

/** The version of the format of results. A run is not compared with results of another one. */
export const FORMAT = 1;

/**
 * Returns the results of a run, as they are written to a file.
 *
 * `requests.failed` is the one number of failures: 5xx or no response, without requests that were shed.
 * @param {object} test
 * @param {string} test.name the script
 * @param {string} test.testId the tag `testid`
 * @param {string[]} test.scenarios names of its k6 scenarios
 * @param {object} data as k6 gives it to `handleSummary`
 * @param {Date} ended when the run ended
 * @returns {object}
 */
export function resultsOf({ name, testId, scenarios }, data, ended) {
  if (!data.root_group) {
    throw new Error('the summary needs the default format of k6: set K6_NEW_MACHINE_READABLE_SUMMARY=false');
  }
  const { metrics } = data;
  const milliseconds = data.state.testRunDurationMs;
  const thresholds = thresholdsOf(metrics);
  const count = samples(metrics.server_errors);
  return {
    format: FORMAT,
    script: name,
    test_id: testId,
    started: new Date(ended.getTime() - milliseconds).toISOString(),
    seconds: milliseconds / 1000,
    passed: count > 0 && thresholds.every(({ ok }) => ok),
    requests: {
      count,
      failed: hits(metrics.server_errors),
      throttled: hits(metrics.rate_limited),
      shed: hits(metrics.shed),
    },
    dropped_iterations: metrics.dropped_iterations ? metrics.dropped_iterations.values.count : 0,
    parts: partsOf(scenarios)
      .map((part) => partOf(part, metrics))
      .filter(({ requests }) => requests > 0),
    checks: checksIn(data.root_group),
    thresholds,
  };
}

/** One scenario, journey or route. */
function partOf({ kind, name, tags }, metrics) {
  const errors = metrics[`server_errors${tags}`];
  const latency = metrics[`http_req_duration${tags}`];
  const ms = (stat) => (latency ? latency.values[stat] : 0);
  return {
    kind,
    name,
    requests: samples(errors),
    failed: hits(errors),
    p50_ms: ms('med'),
    p95_ms: ms('p(95)'),
    p99_ms: ms('p(99)'),
  };
}

function samples(rate) {
  return rate ? rate.values.passes + rate.values.fails : 0;
}

/** How often a rate was true. k6 calls that `passes`. */
function hits(rate) {
  return rate ? rate.values.passes : 0;
}

function checksIn(group) {
  const own = group.checks.map(({ name, passes, fails }) => ({ name, passes, fails }));
  return [...own, ...group.groups.flatMap(checksIn)];
}

/** Whether a metric has samples. k6 gives 0 as rate or latency of none; the count of a counter is 0 then. */
function hasSamples({ passes, fails, max }) {
  return passes === undefined ? max !== 0 : passes + fails > 0;
}

/** The thresholds of the test, without those that always hold; crossed ones first. */
function thresholdsOf(metrics) {
  const all = Object.entries(metrics).flatMap(([metric, { thresholds = {}, values }]) =>
    Object.entries(thresholds).map(([threshold, { ok }]) => {
      const [stat] = /^[a-z]+(\([\d.]+\))?/.exec(threshold);
      return { metric, threshold, ok, observed: stat in values && hasSamples(values) ? values[stat] : null };
    }),
  );
  const ours = all.filter(({ metric, threshold }) => ALWAYS[metric.split('{')[0]] !== threshold);
  return ours.sort((a, b) => Number(a.ok) - Number(b.ok) || a.metric.localeCompare(b.metric));
}
