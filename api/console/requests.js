// Requests: the last few hundred, newest first, with filters. While the pointer or the keyboard is in the list, it stands still.

import { arrowKeys, find, h } from './dom.js';
import { clock, ms, short } from './format.js';

const KEPT = 500;
const SHOWN = 100;

const body = find('requests', 'tbody');
const form = find('requests', 'form');
const paused = find('requests', '.new');
let tenants = {};
let open = () => {};
let kept = []; // newest first
let waiting = 0; // requests that came while the list stands still
let selected = null;
let isHeld = false;
let isFirst = true; // the backlog is nothing new

export function start(options) {
  ({ open } = options);
  tenants = options.tenants ?? {};
  form.addEventListener('change', show);
  form.addEventListener('submit', (event) => event.preventDefault());
  arrowKeys(body, 'button');
  const hold = () => { isHeld = true; };
  const release = () => {
    if (body.matches(':hover') || body.querySelector(':focus-visible')) return;
    isHeld = false;
    show();
  };
  body.addEventListener('mouseenter', hold);
  body.addEventListener('focusin', () => { isHeld = body.matches(':hover') || body.querySelector(':focus-visible') !== null; });
  body.addEventListener('mouseleave', release);
  body.addEventListener('focusout', () => setTimeout(release));
  paused.addEventListener('click', () => {
    isHeld = false;
    show();
  });
  body.addEventListener('click', (event) => {
    const row = event.target.closest('tr');
    if (row) open(row.dataset.trace);
  });
}

/** Forgets all requests. */
export function clear() {
  kept = [];
  waiting = 0;
  isHeld = false;
  isFirst = true;
  paused.hidden = true;
  body.replaceChildren();
}

/** Completed requests, oldest first. */
export function add(completed) {
  kept = [...completed.toReversed(), ...kept].slice(0, KEPT);
  waiting += completed.length;
  if (isHeld) {
    paused.hidden = false;
    paused.textContent = `${waiting} new`;
    return;
  }
  show(completed.length);
}

export function select(traceId) {
  selected = traceId;
  for (const row of body.rows) row.setAttribute('aria-selected', row.dataset.trace === traceId);
}

function show() {
  waiting = 0;
  paused.hidden = true;
  updateOptions();
  const wanted = filter();
  const listed = kept.filter(wanted).slice(0, SHOWN);
  const numbers = new Set(listed.map(({ sequence }) => String(sequence)));
  for (const row of [...body.rows]) if (!numbers.has(row.dataset.sequence)) row.remove();
  // Rows that are shown already are not touched: a screen reader and the focus stay where they are.
  listed.forEach((request, index) => {
    const row = body.rows[index] ?? null;
    if (row?.dataset.sequence !== String(request.sequence)) body.insertBefore(rowOf(request), row);
  });
  isFirst = false;
  const stop = body.contains(document.activeElement) ? document.activeElement : body.querySelector('button');
  for (const button of body.querySelectorAll('button')) button.tabIndex = button === stop ? 0 : -1;
  find('requests', '.empty').hidden = listed.length > 0;
  find('requests', '.empty').textContent = kept.length ? 'No request matches.' : 'No request yet.';
}

function rowOf(request) {
  const { sequence, trace_id: trace, name, start_us: start, duration_us: took, attributes } = request;
  const status = attributes['http.response.status_code'] ?? '';
  const row = h('tr', { class: isFirst ? '' : 'fresh' },
    h('td', { class: 'mono' }, clock(start)),
    h('td', {}, h('button', { type: 'button', tabIndex: -1, title: name }, name)),
    h('td', { class: 'wide' }, tenantOf(request)),
    h('td', { class: `n ${stateOf(status)}` }, String(status)),
    h('td', { class: 'n' }, ms(took)));
  Object.assign(row.dataset, { trace, sequence });
  row.setAttribute('aria-selected', trace === selected);
  return row;
}

function stateOf(status) {
  return status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'ok';
}

function tenantOf({ attributes }) {
  const id = attributes['tenant.id'];
  return id ? tenants[id] ?? short(id) : '';
}

function filter() {
  const { status, slower, endpoint, tenant } = Object.fromEntries(new FormData(form));
  const classes = { failed: '5', refused: '4', ok: '2' };
  return (request) => (!status || String(request.attributes['http.response.status_code']).startsWith(classes[status]))
    && (!slower || request.duration_us > slower * 1000)
    && (!endpoint || request.name === endpoint)
    && (!tenant || tenantOf(request) === tenant);
}

/** Offers the endpoints and tenants that were seen. */
function updateOptions() {
  const offer = (name, values) => {
    const select = form.elements[name];
    const known = new Set([...select.options].map((option) => option.value));
    [...new Set(values)].filter((value) => value && !known.has(value)).sort()
      .forEach((value) => select.append(h('option', { value }, value)));
  };
  offer('endpoint', kept.map((request) => request.name));
  offer('tenant', kept.map(tenantOf));
}
