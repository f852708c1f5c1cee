// What people read after a run: headline, tables, and where to look. text.js and html.js show it.

import { variable } from './settings.js';

const WHERE_TO_LOOK = JSON.parse(open(import.meta.resolve('./where-to-look.json')));
const GRAFANA = variable('GRAFANA_URL', 'http://localhost:3000');
const MARGIN_MS = 60000; // before and after the run, so that its start and its end can be seen

/**
 * Returns the report of a run.
 * @param {object} results of this run
 * @param {object|null} previous results of the last run of the same script
 * @returns {{passed: boolean, headline: string, lines: string[], tables: object[], where: object[]}}
 */
export function reportOf(results, previous) {
  const { script, passed, thresholds, requests, seconds } = results;
  const crossed = thresholds.filter(({ ok }) => !ok).length;
  const reason =
    requests.count > 0
      ? `${crossed} of ${thresholds.length} thresholds crossed`
      : 'no request was sent after the setup';
  const verdict = passed ? 'passed' : `FAILED, ${reason}`;
  return {
    passed,
    headline: `${script}: ${verdict}`,
    lines: [
      `${shownTime(results.started)} UTC, ${Math.round(seconds)} s with setup, ${requests.count} requests after it, ` +
        `test run ${results.test_id}`,
      previous
        ? `Compared with the last run: ${shownTime(previous.started)} UTC, ${Math.round(previous.seconds)} s, ${previous.requests.count} requests`
        : 'There is no earlier run to compare with',
    ],
    tables: [
      outcomes(results, previous),
      thresholdTable(thresholds),
      ...['scenario', 'journey', 'route'].map((kind) => parts(kind, results, previous)),
      failedChecks(results.checks),
    ].filter(({ rows }) => rows.length > 0),
    where: whereToLook(results),
  };
}

function outcomes({ requests, checks, dropped_iterations: dropped }, previous) {
  const row = (name, number, of, before, beforeOf) => [
    name,
    ratio(number, of),
    previous ? ratio(before, beforeOf) : '',
  ];
  const before = previous ? previous.requests : {};
  const ofRequests = (name, outcome) => row(name, requests[outcome], requests.count, before[outcome], before.count);
  const failed = (list) => list.reduce((sum, { fails }) => sum + fails, 0);
  const all = (list) => list.reduce((sum, { passes, fails }) => sum + passes + fails, 0);
  const checksBefore = previous ? previous.checks : [];
  return {
    title: 'Outcomes',
    columns: ['', 'this run', 'last run'],
    rows: [
      ofRequests('failed (5xx or no response)', 'failed'),
      ofRequests('throttled (429)', 'throttled'),
      ofRequests('shed (503 overloaded)', 'shed'),
      row('failed checks', failed(checks), all(checks), failed(checksBefore), all(checksBefore)),
      ['dropped visits', String(dropped), previous ? String(previous.dropped_iterations) : ''],
    ],
  };
}

function thresholdTable(thresholds) {
  return {
    title: 'Thresholds',
    columns: ['', 'metric', 'threshold', 'observed'],
    rows: thresholds.map(({ metric, threshold, ok, observed }) => [
      markOf(ok, observed),
      metric,
      threshold,
      shownValue(metric, threshold, observed),
    ]),
  };
}

/** A threshold whose metric has no samples neither holds nor is crossed, unless k6 says so. */
function markOf(ok, observed) {
  if (!ok) {
    return '✗';
  }
  return observed === null ? '–' : '✓';
}

function parts(kind, results, previous) {
  const before = previous ? previous.parts : [];
  const lastP95 = (name) => before.find((part) => part.kind === kind && part.name === name);
  return {
    title: `Latency by ${kind} (ms)`,
    columns: [kind, 'requests', 'failed', 'p50', 'p95', 'p99', 'p95 of the last run'],
    rows: results.parts
      .filter((part) => part.kind === kind)
      .map(({ name, requests, failed, p50_ms, p95_ms, p99_ms }) => [
        name,
        String(requests),
        ratio(failed, requests),
        p50_ms.toFixed(0),
        p95_ms.toFixed(0),
        p99_ms.toFixed(0),
        change(p95_ms, lastP95(name)),
      ]),
  };
}

function failedChecks(checks) {
  return {
    title: 'Failed checks',
    columns: ['check', 'failed'],
    rows: checks
      .filter(({ fails }) => fails > 0)
      .map(({ name, passes, fails }) => [name, ratio(fails, passes + fails)]),
  };
}

/** The alert, panel and runbook of each metric that crossed a threshold. */
function whereToLook({ thresholds, started, seconds }) {
  const crossed = thresholds.filter(({ ok }) => !ok).map(({ metric }) => metric.split('{')[0]);
  const from = new Date(started).getTime() - MARGIN_MS;
  const to = from + seconds * 1000 + 2 * MARGIN_MS;
  return WHERE_TO_LOOK.filter(({ metric }) => crossed.includes(metric)).map((place) => ({
    ...place,
    runbook: `docs/runbooks/${kebabCase(place.alert)}.md`,
    url: `${GRAFANA}/d/${place.dashboard}?from=${Math.floor(from)}&to=${Math.ceil(to)}`,
  }));
}

/** The name of the runbook of an alert. */
function kebabCase(alert) {
  return alert.replace(/(?!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}

function ratio(part, all) {
  if (!all) {
    return '–';
  }
  const percent = (100 * part) / all;
  const shown = percent === 0 ? '0' : percent.toFixed(percent < 0.1 ? 3 : 2);
  return `${shown} % (${part} of ${all})`;
}

function change(now, before) {
  if (!before) {
    return '';
  }
  const percent = before.p95_ms > 0 ? Math.round((100 * (now - before.p95_ms)) / before.p95_ms) : 0;
  return `${before.p95_ms.toFixed(0)} (${percent < 0 ? '' : '+'}${percent} %)`;
}

function shownValue(metric, threshold, observed) {
  if (observed === null) {
    return '–';
  }
  if (threshold.startsWith('rate')) {
    return `${(100 * observed).toFixed(2)} %`;
  }
  return metric.startsWith('http_req_duration') ? `${observed.toFixed(0)} ms` : String(Number(observed.toFixed(2)));
}

function shownTime(iso) {
  return iso.slice(0, 16).replace('T', ' ');
}
