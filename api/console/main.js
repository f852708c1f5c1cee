// The console: one stream of events, and a module for each part of the page.

import { fetchJson, find, h } from './dom.js';
import * as alerts from './alerts.js';
import * as heatmap from './heatmap.js';
import * as requests from './requests.js';
import * as trace from './trace.js';
import * as traffic from './traffic.js';
import * as tryIt from './tryit.js';
import * as whatIf from './whatif.js';

/** In milliseconds, as browsers do. */
const RECONNECT_AFTER = 3000;

const process = await fetchJson('/console/process');

showLinks();
requests.start({ tenants: process.tenants, open });
heatmap.start({ open });
trace.start({ process });
whatIf.start({ experiments: process.experiments, showRunbook: alerts.showRunbook });
alerts.start();
if (process.has_demo) tryIt.start({ open: (id) => open(id, { scroll: true }) });
listen();

/** Opens a trace, and marks it where it is listed. */
function open(id, { scroll = false } = {}) {
  requests.select(id);
  heatmap.select(id);
  trace.open(id, { scroll: scroll || window.innerWidth <= 1000 });
}

function listen() {
  const stream = new EventSource('/console/events');
  const on = (name, handle) => stream.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  // The first event of a connection. After another one, of this process or of its successor, everything comes again.
  on('history', (points) => {
    requests.clear();
    traffic.history(points);
    heatmap.history(points);
  });
  on('requests', (completed) => {
    requests.add(completed);
    heatmap.add(completed);
  });
  on('tick', (state) => {
    showHealth(state.health);
    showDemoTraffic(state.demo_traffic);
    traffic.update(state);
    heatmap.update(state.point);
    whatIf.update(state);
    trace.update();
  });
  // The browser reconnects by itself, unless the response was an error, such as that of a proxy.
  stream.onerror = () => {
    setHealth('unready', 'connection lost; trying again…');
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, RECONNECT_AFTER);
  };
}

function showHealth(checks) {
  const failing = Object.entries(checks).filter(([, verdict]) => verdict !== 'ok');
  const parts = Object.entries(checks).map(([name, verdict]) => `${name} ${verdict}`);
  setHealth(failing.length ? 'unready' : 'ready', [failing.length ? 'not ready' : 'ready', ...parts].join(' · '));
}

function setHealth(state, text) {
  const element = find('health');
  element.className = state;
  // Unchanged text is not set again: a screen reader would read it every second.
  if (element.lastChild.textContent !== text) element.lastChild.textContent = text;
}

function showDemoTraffic(on) {
  if (on === null) return;
  find('demo-traffic').hidden = false;
  const button = find('demo-traffic', 'button');
  const label = button.querySelector('span');
  label.textContent = 'demo traffic';
  button.setAttribute('aria-checked', on);
  button.onclick = () => fetchJson('/console/demo/traffic', { method: 'PUT', body: { on: !on } })
    .catch((error) => { label.textContent = `demo traffic: ${error.message}`; });
}

function showLinks() {
  const link = (text, href) => h('a', { href }, text);
  const runbooks = link('Runbooks', '/console/runbooks/README');
  runbooks.onclick = (event) => {
    event.preventDefault();
    alerts.showRunbook('README');
  };
  find('links').append(
    ...(process.links.api ? [link('API', `${process.links.api}/docs/`)] : []),
    link('Metrics', '/metrics'),
    runbooks,
    ...(process.prometheus ? [link('Prometheus', process.prometheus)] : []),
  );
}
