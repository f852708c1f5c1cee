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
let view = null; // its elements
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
    shown = null;
    view = null;
    section.replaceChildren(h('p', { class: 'empty' }, error.message));
  }
}

/** Shows the trace. While it grows, its elements stay the same: one that is replaced under the pointer would lose its click. */
function show() {
  const rows = tree(shown.spans);
  const request = rows.find(({ span }) => span.kind === 'server') ?? rows[0];
  if (view?.id !== shown.trace_id) {
    view = elements(shown.trace_id);
    section.replaceChildren(view.head, view.legend, view.list, view.tabs, view.panel);
  }
  view.head.replaceChildren(...head(request));
  view.legend.replaceChildren(...legend(rows));
  showWaterfall(rows);
  showTab(rows, request);
}

/** The elements of a trace. */
function elements(id) {
  const list = h('ol', { class: 'waterfall', 'aria-label': 'Waterfall of the trace' });
  arrowKeys(list, 'button');
  const buttons = Object.keys(TABS).map((name) => h('button', {
    type: 'button',
    role: 'tab',
    id: `tab-${name}`,
    'aria-controls': 'trace-panel',
    onclick: () => {
      tab = name;
      show();
    },
  }));
  const tabs = h('div', { role: 'tablist', 'aria-label': 'Of this trace' }, buttons);
  arrowKeys(tabs, 'button');
  return {
    id,
    head: h('div', { class: 'head' }),
    legend: h('p', { class: 'legend', 'aria-hidden': 'true' }),
    list,
    spans: new Map(), // the elements of each span
    tabs,
    panel: h('div', { role: 'tabpanel', id: 'trace-panel', tabIndex: 0 }),
  };
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
  return [
    h('h2', {}, request?.span.name ?? 'Trace'),
    ...(status ? [h('span', { class: state }, String(status))] : []),
    h('code', { title: shown.trace_id }, short(shown.trace_id)),
    h('span', { class: 'grow' }),
    h('small', {}, `${shown.spans.length} spans · ${shown.records.length} log records${shown.omitted ? ` · ${shown.omitted} more` : ''}`),
  ];
}

function legend(rows) {
  const used = new Set(rows.map((row) => row.component));
  const entries = Object.entries(COMPONENTS).filter(([name]) => used.has(name));
  return entries.map(([name, text]) => h('span', {}, h('i', { class: name }), text));
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

function showWaterfall(rows) {
  const x = axis(rows.map((row) => row.span));
  const items = rows.flatMap((row) => {
    const { span, parent, component } = row;
    const item = spanItem(row, [x(span.start_us), x(span.start_us + span.duration_us)]);
    const later = parent ? span.start_us - (parent.span.start_us + parent.span.duration_us) : 0;
    if (later <= 1000) return [item];
    return [h('li', { class: 'gap' }, `${duration(later)} later${component === 'worker' ? ', in the worker' : ''}`), item];
  });
  const wanted = new Set(items);
  for (const item of [...view.list.children]) if (!wanted.has(item)) item.remove();
  // What is listed already is not moved: spans are only added.
  items.forEach((item, index) => {
    const at = view.list.children[index] ?? null;
    if (at !== item) view.list.insertBefore(item, at);
  });
  if (!view.list.querySelector('[tabindex="0"]')) view.list.querySelector('button')?.setAttribute('tabindex', 0);
}

/** The item of a span, with its bar at these positions of the axis. */
function spanItem({ span, depth, component }, [from, to]) {
  if (!view.spans.has(span.span_id)) view.spans.set(span.span_id, newSpanItem(span));
  const { item, button, bar, track, about, name, took } = view.spans.get(span.span_id);
  item.className = span.failed ? 'failed' : '';
  button.setAttribute('aria-pressed', String(selectedSpan === span.span_id));
  name.style.paddingLeft = `${Math.min(depth, 8) * 12}px`;
  track.className = `bar ${component}`;
  bar.style.left = `${from * 100}%`;
  bar.style.width = `${Math.max(0, to - from) * 100}%`;
  about.textContent = `, ${COMPONENTS[component]}, level ${depth + 1}${span.failed ? ', failed' : ''}, `;
  took.firstChild.textContent = ms(span.duration_us);
  return item;
}

function newSpanItem(span) {
  const name = h('span', { class: 'name', title: span.name }, labelOf(span));
  const [bar, about] = [h('i'), h('span', { class: 'hidden' })];
  const track = h('span', {}, bar, about);
  const took = h('span', { class: 'ms' }, ms(span.duration_us), h('span', { class: 'hidden' }, ' ms'));
  const onclick = () => selectSpan(span.span_id);
  const button = h('button', { type: 'button', tabIndex: -1, 'data-span': span.span_id, onclick }, name, track, took);
  return { item: h('li', {}, button), button, bar, track, about, name, took };
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

/** The tabs: their titles, and their contents. */
const TABS = {
  log: [() => `Log ${shown.records.length}`, () => logPanel()],
  sql: [(rows) => `SQL ${statementsOf(rows).length}`, (rows) => sqlPanel(statementsOf(rows), rows)],
  attributes: [() => 'Attributes', attributesPanel],
  flame: [() => 'Flame graph', (rows, request) => flamePanel(request)],
  moved: [() => 'What moved', () => movedPanel()],
};

function statementsOf(rows) {
  return rows.filter(({ span }) => span.attributes['db.query.text']);
}

function showTab(rows, request) {
  [...view.tabs.children].forEach((button, index) => {
    const [name, [title]] = Object.entries(TABS)[index];
    button.textContent = title(rows);
    button.setAttribute('aria-selected', String(name === tab));
    button.tabIndex = name === tab ? 0 : -1;
  });
  view.panel.setAttribute('aria-labelledby', `tab-${tab}`);
  const content = TABS[tab][1](rows, request);
  if (view.panel.firstChild !== content) view.panel.replaceChildren(content);
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
