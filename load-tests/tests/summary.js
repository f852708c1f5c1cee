// Tests of the summary, on made-up data in the format of k6: `k6 run load-tests/tests/summary.js`.

import { check } from 'k6';
import { measured } from '../scenarios/lib/objectives.js';
import { pageOf } from '../scenarios/lib/html.js';
import { reportOf } from '../scenarios/lib/report.js';
import { resultsOf } from '../scenarios/lib/results.js';
import { textOf } from '../scenarios/lib/text.js';

export const options = { thresholds: { checks: ['rate==1'] }, summaryTrendStats: ['med'] };

const TEST = { name: 'sample', testId: 'sample-1', scenarios: ['everyday'] };
const ENDED = new Date('2026-11-26T20:00:00Z');

/** A rate with its thresholds: whether each one holds. */
function rate(passes, fails, thresholds = {}) {
  const oks = Object.entries(thresholds).map(([threshold, ok]) => [threshold, { ok }]);
  const values = { passes, fails, rate: passes / Math.max(1, passes + fails) };
  return { type: 'rate', values, thresholds: Object.fromEntries(oks) };
}

function trend(p95, thresholds = {}) {
  const oks = Object.entries(thresholds).map(([threshold, ok]) => [threshold, { ok }]);
  return {
    type: 'trend',
    values: { med: 10, 'p(95)': p95, 'p(99)': 2 * p95, max: 3 * p95 },
    thresholds: Object.fromEntries(oks),
  };
}

/** 55 of 255 requests of the load failed; with the 38 of setup, that were 18.77 %. */
function sample({ failed = 55, p95 = 120, ok = failed === 0 } = {}) {
  return {
    state: { testRunDurationMs: 60000 },
    root_group: {
      checks: [
        { name: 'GET <products>', passes: 255 - failed, fails: failed },
        { name: 'sound', passes: 9, fails: 0 },
      ],
      groups: [],
    },
    metrics: {
      http_req_failed: rate(failed, 293 - failed),
      http_req_duration: trend(9000),
      server_errors: rate(failed, 255 - failed, { 'rate<0.01': ok }),
      'server_errors{scenario:everyday}': rate(failed, 255 - failed, { 'rate>=0': true }),
      'http_req_duration{scenario:everyday}': trend(p95, { 'max>=0': true, 'p(95)<300': true }),
      'server_errors{journey:buy}': rate(failed, 45, { 'rate>=0': true }),
      'http_req_duration{journey:buy}': trend(p95, { 'max>=0': true }),
      'server_errors{journey:browse}': rate(0, 0, { 'rate>=0': true }),
      'server_errors{method:POST,name:/v1/orders}': rate(failed, 0, { 'rate>=0': true }),
      'http_req_duration{method:POST,name:/v1/orders}': trend(p95, { 'max>=0': true }),
      dropped_iterations: { type: 'counter', values: { count: 3 }, thresholds: { 'count<10': { ok: true } } },
    },
  };
}

const results = (settings) => resultsOf(TEST, sample(settings), ENDED);

export default function () {
  const broken = results();
  const [sound, slower] = [results({ failed: 0 }), results({ failed: 0, p95: 180 })];
  const text = textOf(reportOf(broken, sound), []);
  const page = pageOf(reportOf(broken, sound));

  check(broken, {
    'requests of setup are not counted': ({ requests }) => requests.count === 255 && requests.failed === 55,
    'the start is the end without the duration': ({ started }) => started === '2026-11-26T19:59:00.000Z',
    'a crossed threshold fails the run': ({ passed }) => !passed && sound.passed,
    'thresholds that always hold are left out': ({ thresholds }) =>
      thresholds.map(({ threshold }) => threshold).join() === 'rate<0.01,count<10,p(95)<300',
    'parts without requests are left out': ({ parts }) =>
      parts.map(({ kind, name }) => `${kind} ${name}`).join() === 'scenario everyday,journey buy,route POST /v1/orders',
  });
  check(text, {
    'there is one failure ratio': (shown) => shown.includes('21.57 % (55 of 255)') && !shown.includes('18.77'),
    'a crossed threshold has no ✓': (shown) => /✗ +server_errors +rate<0.01 +21.57 %/.test(shown),
    'a threshold that holds has one': (shown) =>
      /✓ +http_req_duration{scenario:everyday} +p\(95\)<300 +120 ms/.test(shown),
    'no other line has a mark': (shown) => shown.split('\n').filter((line) => /[✓✗]/.test(line)).length === 3,
    'the verdict is in the first line': (shown) => shown.trim().startsWith('sample: FAILED, 1 of 3 thresholds crossed'),
    'failed checks are listed, and others not': (shown) => shown.includes('GET <products>') && !shown.includes('sound'),
    'a failure names alert, panel and runbook': (shown) =>
      shown.includes('alert HighErrorRate, runbook docs/runbooks/high-error-rate.md') &&
      shown.includes('panel “Endpoints by error rate” at http') &&
      shown.includes(`from=${ENDED.getTime() - 120000}&to=${ENDED.getTime() + 60000}`),
    'metrics that hold are no place to look': (shown) => !shown.includes('HighResponseTime'),
  });
  check(textOf(reportOf(slower, sound), []), {
    'a run that passed says so': (shown) =>
      shown.trim().startsWith('sample: passed') && !shown.includes('Where to look'),
    'latency is compared with the last run': (shown) => shown.includes('120 (+50 %)'),
  });
  check(textOf(reportOf(sound, null), []), {
    'the first run has nothing to compare with': (shown) => shown.includes('no earlier run'),
  });
  check(resultsOf(TEST, { ...sample(), metrics: { server_errors: rate(0, 0, { 'rate<0.01': true }) } }, ENDED), {
    'a run without requests has not passed': (empty) => {
      const shown = textOf(reportOf(empty, null), []);
      return !empty.passed && shown.includes('FAILED, no request was sent') && !/[✓✗]/.test(shown);
    },
  });
  check(page, {
    'the page escapes text': (html) => html.includes('GET &lt;products&gt;') && !html.includes('<products>'),
    'the page runs no script and loads nothing': (html) =>
      html.includes(`content="default-src 'none'; style-src 'unsafe-inline'"`) &&
      !/<script|<link|src=|url\(/.test(html),
    'the page shows what the text shows': (html) =>
      html.includes('21.57 % (55 of 255)') && html.includes('<tr class="crossed">'),
  });
  check(measured(['a', 'b']), {
    'each scenario, journey and route is measured': (thresholds) =>
      ['{scenario:a}', '{scenario:b}', '{journey:buy}', '{method:POST,name:/v1/orders}'].every(
        (tags) => `http_req_duration${tags}` in thresholds && `server_errors${tags}` in thresholds,
      ),
  });
  check(null, {
    'another format of k6 is refused': () => {
      try {
        resultsOf(TEST, { metrics: {} }, ENDED);
      } catch (error) {
        return error.message.includes('K6_NEW_MACHINE_READABLE_SUMMARY=false');
      }
      return false;
    },
  });
}
