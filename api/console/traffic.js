// Traffic: the tiles at the top, and the table of endpoints. The numbers are those of /metrics over the last minute.

import { find, h, svg } from './dom.js';
import { number, percent, secondsAsMs } from './format.js';

/** The threshold of the alert HighErrorRate. */
const ERROR_THRESHOLD = 0.05;

/** Five minutes. */
const POINTS = 300;

let points = [];

/** The points of the last five minutes, when the page connects. */
export function history(earlier) {
  points = earlier;
}

/** The state of each second. */
export function update({ point, window }) {
  if (point && point.time_ms !== points.at(-1)?.time_ms) points = [...points, point].slice(-POINTS);
  if (!window) return;
  const { all } = window;
  const isFailing = (all.error_ratio ?? 0) > ERROR_THRESHOLD;
  find('tiles').replaceChildren(
    tile('rate', 'Request rate', null, [number(all.rate), ' ', unit('req/s')], [line((p) => p.rate, 'var(--accent)')]),
    tile('errors', 'Error ratio', 'threshold 5 %', [percent(all.error_ratio), ' ', unit('%')],
      [line((p) => p.error_ratio ?? 0, 'var(--ok)')],
      { isBad: isFailing, threshold: ERROR_THRESHOLD, atLeast: 2 * ERROR_THRESHOLD }),
    tile('latency', 'Latency', 'p50 / p95 / p99', latency(all),
      [line((p) => p.p99, 'var(--warn)'), line((p) => p.p95, 'var(--accent)'), line((p) => p.p50, 'var(--ok)')]),
    tile('in-flight', 'In flight', null, [String(window.in_flight)], [line((p) => p.in_flight, 'var(--dim)')], { atLeast: 4 }),
    tile('revenue', 'Orders paid', 'last minute', ['$', unit(' '), number(window.revenue_usd)], [line(revenueOfAMinute, 'var(--ok)')]),
  );
  showEndpoints(window.endpoints);
}

function latency(all) {
  const slash = () => unit(' / ');
  return [secondsAsMs(all.p50), slash(), secondsAsMs(all.p95), slash(), secondsAsMs(all.p99), ' ', unit('ms')];
}

function revenueOfAMinute(point, index) {
  return point.revenue_usd - points[Math.max(0, index - 60)].revenue_usd;
}

function unit(text) {
  return h('span', {}, text);
}

function line(value, color) {
  return { value, color };
}

function tile(id, title, hint, value, lines, { isBad = false, threshold = null, atLeast = 0 } = {}) {
  return h('div', { class: 'card tile', 'data-tile': id },
    h('h2', {}, title, hint && h('small', {}, hint)),
    h('strong', { class: isBad ? 'bad' : '' }, ...value),
    sparkline(lines, threshold, atLeast));
}

function sparkline(lines, threshold, atLeast) {
  const values = lines.map(({ value }) => points.map((point, index) => value(point, index) ?? 0));
  const top = Math.max(atLeast, 1e-9, ...values.flat()) * 1.1;
  // At the start there is less to show, and it fills the tile all the same.
  const span = Math.max(points.length, 60);
  const x = (index) => ((span - points.length + index) / (span - 1)) * 300;
  const y = (value) => 37 - (value / top) * 35;
  const graph = svg('svg', { viewBox: '0 0 300 38', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  const draw = (path, color, extra = {}) => {
    if (lines.length === 1) {
      graph.append(svg('path', { d: `${path}L300 38L${x(0).toFixed(1)} 38Z`, fill: color, 'fill-opacity': '.12', ...extra }));
    }
    graph.append(svg('path', { d: path, fill: 'none', stroke: color, 'stroke-width': '1.6', 'vector-effect': 'non-scaling-stroke', 'stroke-linejoin': 'round', ...extra }));
  };
  lines.forEach(({ color }, at) => {
    if (points.length < 2) return;
    const path = values[at].map((value, index) => `${index ? 'L' : 'M'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`).join('');
    draw(path, color);
    // What is above the threshold, in red over it.
    if (threshold && values[at].some((value) => value > threshold)) {
      const above = svg('rect', { x: 0, y: 0, width: 300, height: y(threshold).toFixed(1) });
      graph.append(svg('clipPath', { id: 'above-threshold' }, above));
      draw(path, 'var(--bad)', { class: 'above', 'clip-path': 'url(#above-threshold)' });
    }
  });
  if (threshold) {
    const d = `M0 ${y(threshold).toFixed(1)}H300`;
    graph.append(svg('path', { d, stroke: 'var(--bad)', 'stroke-dasharray': '3 3', 'vector-effect': 'non-scaling-stroke', 'stroke-opacity': '.7' }));
  }
  return graph;
}

function showEndpoints(endpoints) {
  const rows = endpoints.map((endpoint) => {
    const { method, endpoint: path, rate, error_ratio: ratio, p50, p95, p99 } = endpoint;
    return h('tr', {},
      h('td', {}, `${method} ${path}`),
      h('td', { class: 'n' }, number(rate)),
      h('td', { class: `n ${ratio > 0 ? 'bad' : ''}` }, ratio > 0 ? `${percent(ratio)} %` : '–'),
      h('td', { class: 'n wide' }, secondsAsMs(p50)),
      h('td', { class: 'n' }, secondsAsMs(p95)),
      h('td', { class: 'n' }, secondsAsMs(p99)));
  });
  find('endpoints', 'tbody').replaceChildren(...rows);
}
