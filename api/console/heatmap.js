// The latency heatmap: all requests of the last five minutes by their duration, and a dot for each trace that can be opened.

import { find } from './dom.js';
import { duration } from './format.js';

/** The upper bounds of the buckets of every histogram, in milliseconds. */
const BOUNDS = [5, 10, 25, 50, 75, 100, 200, 300, 500, 750, 1000, 2500, 5000, 10_000];
const ROWS = BOUNDS.length + 1;
const LABELED = new Set([5, 25, 100, 300, 1000, 5000]);
const SECONDS = 300;
const AXIS = 52; // the width of the labels, in pixels
const MAX_DOTS = 1500;

const canvas = find('heatmap', 'canvas');
const tip = find('heatmap', '.tip');
let columns = []; // { time_ms, durations }
let dots = [];
let selected = null;
let open = () => {};

export function start(callbacks) {
  open = callbacks.open;
  canvas.addEventListener('mousemove', (event) => showTip(nearest(event)));
  canvas.addEventListener('mouseleave', () => showTip(null));
  canvas.addEventListener('click', (event) => {
    const dot = nearest(event);
    if (dot) open(dot.trace_id, { scroll: true });
  });
  new ResizeObserver(draw).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}

/** The points of the last five minutes, when the page connects. */
export function history(points) {
  dots = [];
  columns = points.map(({ time_ms, durations }) => ({ time_ms, durations }));
}

export function add(completed) {
  dots = [...dots, ...completed].slice(-MAX_DOTS);
}

export function update(point) {
  if (point && point.time_ms !== columns.at(-1)?.time_ms) {
    columns = [...columns, { time_ms: point.time_ms, durations: point.durations }].slice(-SECONDS);
  }
  draw();
}

export function select(traceId) {
  selected = traceId;
  draw();
}

/** The row of a duration: rows have equal heights, and within each the position is linear. */
function rowOf(ms) {
  const row = BOUNDS.findIndex((bound) => ms <= bound);
  if (row < 0) return ROWS - 0.5;
  const lower = row ? BOUNDS[row - 1] : 0;
  return row + (ms - lower) / (BOUNDS[row] - lower);
}

function layout() {
  const { clientWidth: width, clientHeight: height } = canvas;
  const end = columns.at(-1)?.time_ms ?? Date.now();
  const x = (time) => AXIS + ((time - end) / 1000 / SECONDS + 1) * (width - AXIS);
  const y = (row) => height - 16 - (row / ROWS) * (height - 18);
  return { width, height, end, x, y };
}

function place(dot, { x, y }) {
  return [x((dot.start_us + dot.duration_us) / 1000), y(rowOf(dot.duration_us / 1000))];
}

function draw() {
  const { width, height, x, y } = layout();
  if (!width) return;
  const ratio = devicePixelRatio;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  drawAxes(pen, { width, x, y }, color);
  const most = Math.max(4, ...columns.flatMap(({ durations }) => durations));
  const cell = (width - AXIS) / SECONDS;
  pen.fillStyle = color('--accent');
  for (const { time_ms, durations } of columns) {
    durations.forEach((count, row) => {
      if (!count) return;
      pen.globalAlpha = 0.15 + 0.6 * Math.sqrt(count / most);
      pen.fillRect(x(time_ms) - cell, y(row + 1) + 0.5, cell + 0.4, y(row) - y(row + 1) - 1);
    });
  }
  pen.globalAlpha = 1;
  for (const dot of dots) {
    const [left, top] = place(dot, { x, y });
    if (left < AXIS || left > width + 2) continue;
    const failed = dot.attributes['http.response.status_code'] >= 500;
    const isSelected = dot.trace_id === selected;
    pen.fillStyle = color(failed ? '--bad' : '--ink');
    pen.globalAlpha = failed || isSelected ? 1 : 0.42;
    pen.beginPath();
    pen.arc(left, top, failed || isSelected ? 2.4 : 1.4, 0, 7);
    pen.fill();
    if (isSelected) {
      pen.strokeStyle = color('--warn');
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(left, top, 7, 0, 7);
      pen.stroke();
    }
  }
  pen.globalAlpha = 1;
}

function drawAxes(pen, { width, x, y }, color) {
  pen.font = '11px system-ui, sans-serif';
  pen.textAlign = 'right';
  BOUNDS.forEach((bound, row) => {
    if (!LABELED.has(bound)) return;
    pen.fillStyle = color('--faint');
    pen.fillText(bound >= 1000 ? `${bound / 1000} s` : `${bound} ms`, AXIS - 8, y(row + 1) + 4);
    pen.fillStyle = color('--line');
    pen.fillRect(AXIS, y(row + 1), width - AXIS, 1);
  });
  pen.textAlign = 'center';
  pen.fillStyle = color('--faint');
  const end = columns.at(-1)?.time_ms ?? Date.now();
  for (const minutes of [4, 3, 2, 1]) pen.fillText(`−${minutes} min`, x(end - minutes * 60_000), y(0) + 14);
}

function nearest(event) {
  const at = layout();
  const best = { distance: 14, dot: null };
  for (const dot of dots) {
    const [left, top] = place(dot, at);
    const distance = Math.hypot(left - event.offsetX, top - event.offsetY);
    if (distance < best.distance) Object.assign(best, { distance, dot });
  }
  return best.dot;
}

function showTip(dot) {
  canvas.style.cursor = dot ? 'pointer' : '';
  tip.hidden = !dot;
  if (!dot) return;
  const [left, top] = place(dot, layout());
  tip.textContent = `${dot.name} · ${dot.attributes['http.response.status_code'] ?? ''} · ${duration(dot.duration_us)}`;
  tip.style.left = `${Math.min(left + 20, canvas.clientWidth - tip.offsetWidth)}px`;
  tip.style.top = `${top - 22}px`;
}
