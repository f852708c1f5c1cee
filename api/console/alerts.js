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
  const state = await fetchJson('/console/alerts').catch((error) => ({ alerts: [], error: error.message }));
  // Unchanged alerts are not announced again.
  const text = JSON.stringify(state);
  if (text === last) return;
  last = text;
  find('alerts', '.head small').textContent = summary(state);
  body.replaceChildren(state.prometheus && !state.error ? rules(state.alerts) : howTo(state));
}

function summary({ alerts, prometheus }) {
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

function howTo({ prometheus, error }) {
  if (prometheus) return h('p', {}, h('span', { class: 'bad' }, `Prometheus at ${prometheus} does not answer: `), error);
  return h('div', {},
    h('p', {}, 'The rules of deploy/prometheus/rules are evaluated by a real Prometheus, and none is configured here. Start one that scrapes this process, and this process with its address:'),
    h('code', { class: 'command' }, 'prometheus --config.file=deploy/prometheus/demo.yml --storage.tsdb.path=/tmp/prometheus\nGLASSHOUSE_PROMETHEUS_URL=http://127.0.0.1:9090 make demo'),
    h('p', {}, runbookLink('README', 'The runbooks'), ' work without it.'));
}

function runbookLink(name, text) {
  return h('a', { href: `/console/runbooks/${name}`, onclick: (event) => { event.preventDefault(); showRunbook(name); } }, text);
}

/** Shows a runbook in a dialog. */
export async function showRunbook(name) {
  const response = await fetch(`/console/runbooks/${name}`);
  if (!response.ok) return;
  const dialog = find('runbook');
  const [title, ...blocks] = blocksOf(await response.text());
  dialog.replaceChildren(
    h('div', { class: 'head' }, h('h2', {}, title.text), h('span', { class: 'grow' }), h('button', { type: 'button', class: 'button', onclick: () => dialog.close() }, 'Close')),
    h('article', {}, blocks.map(element)));
  dialog.setAttribute('aria-label', `Runbook: ${title.text}`);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

/** The blocks of a Markdown text, as far as runbooks use it: headings, code, lists, tables, and paragraphs. */
function blocksOf(markdown) {
  const blocks = [];
  let code = null;
  for (const line of markdown.split('\n')) {
    if (line.trimStart().startsWith('```')) {
      if (code) blocks.push(code);
      code = code ? null : { kind: 'code', text: '' };
    } else if (code) code.text += `${line}\n`;
    else if (line.startsWith('#')) blocks.push({ kind: 'heading', text: line.replace(/^#+ /, '') });
    else if (!line.trim()) blocks.push({ kind: 'end' });
    else if (/^(- |\d+\. )/.test(line)) blocks.push({ kind: 'item', text: line });
    else if (line.startsWith('|')) blocks.push({ kind: 'row', text: line });
    else if (['item', 'paragraph'].includes(blocks.at(-1)?.kind)) blocks.at(-1).text += ` ${line.trim()}`;
    else blocks.push({ kind: 'paragraph', text: line });
  }
  return blocks.filter(({ kind }) => kind !== 'end');
}

function element({ kind, text }) {
  if (kind === 'code') return h('pre', {}, text);
  if (kind === 'heading') return h('h3', {}, text);
  if (kind === 'row') return /^\|[ :|-]+\|$/.test(text) ? null : h('p', { class: 'mono' }, ...inline(text.replace(/^\| | \|$/g, '').replaceAll(' | ', ' — ')));
  if (kind === 'item') return h('p', {}, text.startsWith('- ') ? '• ' : `${text.match(/^\d+/)[0]}. `, ...inline(text.replace(/^(- |\d+\. )/, '')));
  return h('p', {}, ...inline(text));
}

/** Code, bold text, and links to other runbooks. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))/).map((part) => {
    if (part.startsWith('`')) return h('code', {}, part.slice(1, -1));
    if (part.startsWith('**')) return h('b', {}, ...inline(part.slice(2, -2)));
    const link = part.match(/^\[([^\]]+)\]\(([\w-]+)\.md[^)]*\)$/);
    if (link) return runbookLink(link[2], link[1]);
    return part.replace(/^\[([^\]]+)\]\([^)]+\)$/, '$1');
  });
}
