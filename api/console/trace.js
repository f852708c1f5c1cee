// A trace: its waterfall across processes, and of it the log records, the SQL, attributes, a flame graph, and what moved.

import { arrowKeys, fetchJson, find, h } from './dom.js';
import { duration, ms, short } from './format.js';

/** How long a trace is read again, because its work goes on in the background: in milliseconds. */
const FOLLOW_FOR = 60_000;

const COMPONENTS = { api: 'API', db: 'database', cache: 'cache', gateway: 'payment gateway', worker: 'worker' };

/** Fields that all records of a trace have in common. */
const COMMON_FIELDS = new Set(['timestamp', 'level', 'message', 'target', 'trace_id', 'span_id', 'request_id', 'tenant_id', 'user_id', 'method', 'path']);

const section = find('trace');
let process = {};
let shown = null; // the trace
let openedAt = 0;
let selectedSpan = null;
let tab = 'log';
let flame = null; // { endpoint, element }

export function start(options) {
  ({ process } = options);
}

/** Shows a trace. */
export async function open(id, { scroll }) {
  openedAt = Date.now();
  selectedSpan = null;
  await load(id);
  if (scroll) section.scrollIntoView({ behavior: 'smooth', block: 'start' });
}

/** Reads the trace that is shown again, while more of it may come. */
export async function update() {
  if (shown && Date.now() - openedAt < FOLLOW_FOR) await load(shown.trace_id);
}

async function load(id) {
  try {
    const trace = await fetchJson(`/console/traces/${id}`);
    const isSame = shown?.trace_id === id && shown.spans.length === trace.spans.length && shown.records.length === trace.records.length;
    shown = trace;
    if (!isSame) show();
  } catch (error) {
    if (shown?.trace_id === id) return;
    section.replaceChildren(h('p', { class: 'empty' }, error.message));
  }
}

function show() {
  const rows = tree(shown.spans);
  const request = rows.find(({ span }) => span.kind === 'server') ?? rows[0];
  const focused = document.activeElement?.dataset?.span;
  section.replaceChildren(head(request), legend(rows), waterfall(rows), ...panels(rows, request));
  if (focused) section.querySelector(`[data-span="${focused}"]`)?.focus();
}

/** The spans, each after its parent, with their depth and component. */
function tree(spans) {
  const ids = new Set(spans.map((span) => span.span_id));
  const children = Map.groupBy(spans, (span) => (ids.has(span.parent_span_id) ? span.parent_span_id : null));
  const rows = [];
  const add = (parent, depth) => {
    for (const span of children.get(parent?.span.span_id ?? null) ?? []) {
      const row = { span, parent, depth, component: componentOf(span, parent) };
      rows.push(row);
      add(row, depth + 1);
    }
  };
  add(null, 0);
  return rows;
}

function componentOf(span, parent) {
  const system = span.attributes['db.system.name'];
  if (system) return system === 'redis' ? 'cache' : 'db';
  if (span.kind === 'consumer') return 'worker';
  if (span.attributes['url.template'] || (span.kind === 'server' && parent)) return 'gateway';
  return parent && parent.component !== 'db' ? parent.component : 'api';
}

function head(request) {
  const attributes = request?.span.attributes ?? {};
  const status = attributes['http.response.status_code'];
  const state = status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'ok';
  return h('div', { class: 'head' },
    h('h2', {}, request?.span.name ?? 'Trace'),
    status && h('span', { class: state }, String(status)),
    h('code', { title: shown.trace_id }, short(shown.trace_id)),
    h('span', { class: 'grow' }),
    h('small', {}, `${shown.spans.length} spans · ${shown.records.length} log records${shown.omitted ? ` · ${shown.omitted} more` : ''}`));
}

function legend(rows) {
  const used = new Set(rows.map((row) => row.component));
  const entries = Object.entries(COMPONENTS).filter(([name]) => used.has(name));
  return h('p', { class: 'legend', 'aria-hidden': 'true' }, entries.map(([name, text]) => h('span', {}, h('i', { class: name }), text)));
}

/**
 * The positions of times on the axis, from 0 to 1. Where nothing happens for long, such as between a request and what the outbox
 * did later, the axis is cut: there a gap has a fixed width.
 */
function axis(spans) {
  const busy = [];
  for (const { start_us: start, duration_us: took } of spans.toSorted((a, b) => a.start_us - b.start_us)) {
    const last = busy.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, start + took);
    else busy.push({ start, end: start + took });
  }
  const total = busy.reduce((sum, { start, end }) => sum + end - start, 0) || 1;
  let position = 0;
  busy.forEach((interval, index) => {
    const pause = index ? interval.start - busy[index - 1].end : 0;
    position += Math.min(pause, total * 0.06);
    interval.from = position;
    position += interval.end - interval.start;
  });
  return (time) => {
    const at = busy.findLast(({ start }) => start <= time) ?? busy[0];
    return (at.from + Math.min(time, at.end) - at.start) / (position || 1);
  };
}

function waterfall(rows) {
  const x = axis(rows.map((row) => row.span));
  const list = h('ol', { class: 'waterfall', 'aria-label': 'Waterfall of the trace' });
  for (const { span, parent, depth, component } of rows) {
    const later = parent ? span.start_us - (parent.span.start_us + parent.span.duration_us) : 0;
    if (later > 1000) {
      list.append(h('li', { class: 'gap' }, `${duration(later)} later${component === 'worker' ? ', in the worker' : ''}`));
    }
    const bar = h('i');
    const [from, to] = [x(span.start_us), x(span.start_us + span.duration_us)];
    bar.style.left = `${from * 100}%`;
    bar.style.width = `${Math.max(0, to - from) * 100}%`;
    const name = h('span', { class: 'name', title: span.name }, labelOf(span));
    name.style.paddingLeft = `${Math.min(depth, 8) * 12}px`;
    list.append(h('li', { class: span.failed ? 'failed' : '' },
      h('button', {
        type: 'button',
        tabIndex: span === rows[0].span ? 0 : -1,
        'aria-pressed': String(selectedSpan === span.span_id),
        'data-span': span.span_id,
        onclick: () => selectSpan(span.span_id),
      },
      name,
      h('span', { class: `bar ${component}` }, bar, h('span', { class: 'hidden' }, `, ${COMPONENTS[component]}, level ${depth + 1}${span.failed ? ', failed' : ''}, `)),
      h('span', { class: 'ms' }, ms(span.duration_us), h('span', { class: 'hidden' }, ' ms')))));
  }
  arrowKeys(list, 'button');
  return list;
}

/** What a span is called: a statement with its table, all others by their names. */
function labelOf(span) {
  const table = span.attributes['db.query.text']?.match(/\b(?:from|into|update|join)\s+"?(\w+)"?/i)?.[1];
  return table && !span.name.includes(table) ? `${span.name} ${table}` : span.name;
}

function selectSpan(id) {
  selectedSpan = id;
  tab = 'attributes';
  show();
}

function panels(rows, request) {
  const statements = rows.filter(({ span }) => span.attributes['db.query.text']);
  const tabs = [
    ['log', `Log ${shown.records.length}`, () => logPanel()],
    ['sql', `SQL ${statements.length}`, () => sqlPanel(statements, rows)],
    ['attributes', 'Attributes', () => attributesPanel(rows, request)],
    ['flame', 'Flame graph', () => flamePanel(request)],
    ['moved', 'What moved', () => movedPanel()],
  ];
  const [, , content] = tabs.find(([name]) => name === tab);
  const list = h('div', { role: 'tablist', 'aria-label': 'Of this trace' }, tabs.map(([name, text]) => h('button', {
    type: 'button',
    role: 'tab',
    id: `tab-${name}`,
    'aria-controls': 'trace-panel',
    'aria-selected': String(name === tab),
    tabIndex: name === tab ? 0 : -1,
    onclick: () => {
      tab = name;
      show();
      find(`tab-${name}`).focus();
    },
  }, text)));
  arrowKeys(list, 'button');
  return [list, h('div', { role: 'tabpanel', id: 'trace-panel', tabIndex: 0, 'aria-labelledby': `tab-${tab}` }, content())];
}

function logPanel() {
  const begun = shown.spans[0] ? shown.spans[0].start_us / 1000 : 0;
  const levels = { ERROR: 'bad', WARN: 'warn' };
  return h('ol', { class: 'log' }, shown.records.map((record) => {
    const fields = Object.entries(record).filter(([name]) => !COMMON_FIELDS.has(name));
    const offset = Math.max(0, Date.parse(record.timestamp) - begun);
    return h('li', {},
      h('small', {}, `+${duration(offset * 1000)} `), h('span', { class: levels[record.level] ?? '' }, `${record.level} `), h('b', {}, record.message),
      fields.map(([name, value]) => [' ', h('small', {}, `${name}=`), valueOf(value)]).flat());
  }));
}

/** A value of a field; ids are shortened. */
function valueOf(value) {
  if (typeof value !== 'string') return JSON.stringify(typeof value === 'number' ? Math.round(value * 1000) / 1000 : value);
  return /^[0-9a-f-]{36}$/.test(value) ? h('span', { title: value }, short(value)) : value;
}

function sqlPanel(statements, rows) {
  const begun = rows[0]?.span.start_us ?? 0;
  if (!statements.length) return h('p', { class: 'empty' }, 'No statement.');
  return h('ol', { class: 'sql' }, statements.map(({ span }) => h('li', {},
    h('small', { title: `after ${duration(span.start_us - begun)}` }, duration(span.duration_us)),
    h('code', {}, highlighted(span.attributes['db.query.text'])))));
}

function highlighted(sql) {
  return sql.split(/\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|FROM|WHERE|SET|VALUES|RETURNING|JOIN|ORDER BY|LIMIT|ON CONFLICT|BEGIN|COMMIT|ROLLBACK)\b/)
    .map((part, index) => (index % 2 ? h('b', {}, part) : part));
}

function attributesPanel(rows, request) {
  const row = rows.find(({ span }) => span.span_id === selectedSpan) ?? request;
  if (!row) return h('p', { class: 'empty' }, 'No span.');
  const { span } = row;
  const facts = { span: span.name, kind: span.kind, duration: duration(span.duration_us), span_id: span.span_id, ...span.attributes };
  const events = span.events.map((event) => h('p', { class: 'mono' }, `+${duration(event.time_us - span.start_us)} ${event.name}`));
  return h('div', {},
    h('dl', { class: 'facts' }, Object.entries(facts).map(([name, value]) => [h('dt', {}, name), h('dd', {}, String(value))]).flat()),
    events);
}

function flamePanel(request) {
  const endpoint = request?.span.attributes['http.route'];
  if (!endpoint) return h('p', { class: 'empty' }, 'Only requests have an endpoint to profile.');
  if (flame?.endpoint !== endpoint) flame = { endpoint, element: flameStart(endpoint, request.span.name) };
  return flame.element;
}

function flameStart(endpoint, operation) {
  const seconds = 5;
  const url = `/debug/pprof/flamegraph?seconds=${seconds}&endpoint=${encodeURIComponent(endpoint)}`;
  const status = h('p', { role: 'status' }, `Samples the CPU for ${seconds} seconds, while requests of ${endpoint} are served.`);
  const button = h('button', { type: 'button', class: 'button' }, `Record ${seconds} s of ${endpoint}`);
  const element = h('div', { class: 'flame' }, button, ' ', h('a', { href: url, target: '_blank', rel: 'noopener' }, 'or in a tab of its own, to zoom and search'), status);
  button.onclick = async () => {
    button.disabled = true;
    status.textContent = 'recording…';
    try {
      // Without enough requests there would be no samples. Not every operation can be repeated; then the traffic has to do.
      if (process.has_demo) await fetchJson('/console/demo/repetitions', { method: 'POST', body: { operation, seconds } }).catch(() => {});
      const response = await fetch(url);
      if (!response.ok) throw new Error((await response.json()).detail);
      const picture = h('img', { src: URL.createObjectURL(await response.blob()), alt: `Flame graph of the CPU time of ${endpoint}` });
      element.querySelector('img')?.remove();
      element.append(picture);
      status.textContent = `CPU time of ${endpoint}: the endpoint at the bottom, and above it the functions.`;
    } catch (error) {
      status.textContent = error.message;
    }
    button.disabled = false;
  };
  return element;
}

function movedPanel() {
  const moves = process.moves ?? {};
  const events = shown.records.filter((record) => moves[record.message]?.length);
  if (!events.length) return h('p', { class: 'empty' }, 'No event of this trace moves a metric.');
  return h('dl', { class: 'facts' }, events.map((record) => [
    h('dt', {}, record.message),
    h('dd', {}, moves[record.message].join(', ')),
  ]).flat());
}
