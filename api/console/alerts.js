// Alerts: the rules of a Prometheus, as it evaluates them; and the runbooks.

import { fetchJson, find, h } from './dom.js';

const EVERY = 5000;

const body = find('alerts', '.body');
let last = '';

export function start() {
  refresh();
  setInterval(refresh, EVERY);
}

async function refresh() {
  if (document.hidden) return;
  const state = await fetchJson('/console/alerts').catch((error) => ({ alerts: [], unknown: error.message }));
  // Unchanged alerts are not announced again.
  const text = JSON.stringify(state);
  if (text === last) return;
  last = text;
  find('alerts', '.head small').textContent = summary(state);
  body.replaceChildren(state.prometheus && !state.error ? rules(state.alerts) : howTo(state));
}

function summary({ alerts, prometheus, unknown }) {
  if (unknown) return 'unknown';
  if (!prometheus) return 'no Prometheus';
  const count = (state) => alerts.filter((alert) => alert.state === state).length;
  return `${count('firing')} firing · ${count('pending')} pending · ${alerts.length} rules, evaluated by Prometheus`;
}

function rules(alerts) {
  const states = { firing: 'bad', pending: 'warn', inactive: 'ok' };
  return h('ul', { class: 'alerts' }, alerts.map((alert) => h('li', {},
    h('div', { class: 'row' },
      h('span', { class: `state ${states[alert.state] ?? ''}` }, alert.state),
      h('a', { href: alert.prometheus_url, title: alert.expression, target: '_blank', rel: 'noopener' }, alert.name),
      h('small', {}, alert.severity ?? ''),
      h('span', { class: 'grow' }),
      alert.runbook && runbookLink(alert.runbook, 'runbook'),
      alert.dashboard_url && h('a', { href: alert.dashboard_url, target: '_blank', rel: 'noopener' }, 'dashboard')),
    alert.active.map((active) => h('p', {}, `${active.summary} `, h('small', {}, `${active.state} since ${new Date(active.since).toLocaleTimeString()}`))))));
}

function howTo({ prometheus, error, unknown }) {
  if (unknown) return h('p', {}, h('span', { class: 'bad' }, 'This process does not answer: '), unknown);
  if (prometheus) return h('p', {}, h('span', { class: 'bad' }, `Prometheus at ${prometheus} does not answer: `), error);
  return h('div', {},
    h('p', {}, 'The rules of deploy/prometheus/rules are evaluated by a real Prometheus, and none is configured here. Start one that scrapes this process, and this process with its address:'),
    h('code', { class: 'command' }, 'prometheus --config.file=deploy/prometheus/demo.yml --storage.tsdb.path=/tmp/prometheus\nGLASSHOUSE_PROMETHEUS_URL=http://127.0.0.1:9090 make demo'),
    h('p', {}, runbookLink('README', 'The runbooks'), ' work without it.'));
}

function runbookLink(name, text) {
  return h('a', { href: `/console/runbooks/${name}.html`, onclick: (event) => { event.preventDefault(); showRunbook(name); } }, text);
}

/** Shows a runbook in a dialog, at a heading. Its page is part of the program: nothing that a client has sent is in it. */
export async function showRunbook(name, heading = null) {
  const response = await fetch(`/console/runbooks/${name}.html`);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const [title, ...content] = page.querySelector('main').children;
  const dialog = find('runbook');
  dialog.replaceChildren(
    h('div', { class: 'head' }, h('h2', {}, title.textContent), h('span', { class: 'grow' }), h('button', { type: 'button', class: 'button', onclick: () => dialog.close() }, 'Close')),
    h('article', { onclick: followInDialog }, content));
  dialog.setAttribute('aria-label', `Runbook: ${title.textContent}`);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  if (heading) dialog.querySelector(`#${CSS.escape(heading)}`)?.scrollIntoView();
}

/** Links between runbooks stay in the dialog. */
function followInDialog(event) {
  const link = event.target.closest('a')?.getAttribute('href')?.match(/^(?:([\w-]+)\.html)?(?:#(.+))?$/);
  if (!link) return;
  event.preventDefault();
  const [, name, heading] = link;
  if (name) showRunbook(name, heading);
  else find('runbook', `#${CSS.escape(heading)}`)?.scrollIntoView();
}
