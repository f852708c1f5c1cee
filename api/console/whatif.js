// "What if": a switch for each fault, with the alert that it raises. The state of the switches is that of the process.

import { fetchJson, find, h } from './dom.js';
import { countdown } from './format.js';

/** How long a switch shows why it could not be flipped, in milliseconds. */
const NOTED_FOR = 10_000;

/** How many switches are shown at first. */
const FEW = 4;

const list = find('what-if', 'ul');
const more = find('what-if', '.chip');
let experiments = [];
let items = new Map(); // the elements of each switch
let state = { faults: {}, gateway: null };
let showsAll = false;
let showRunbook = () => {};

export function start(options) {
  experiments = options.experiments ?? [];
  ({ showRunbook } = options);
  items = new Map(experiments.map((experiment) => [experiment.id, elements(experiment)]));
  list.append(...[...items.values()].map(({ item }) => item));
  find('what-if').hidden = !experiments.length;
  more.onclick = () => {
    showsAll = !showsAll;
    render();
  };
  render();
}

/** The state of each second. */
export function update({ faults, gateway }) {
  state = { faults, gateway };
  render();
}

/** The seconds that are left of a fault; 0 if it is not active, `Infinity` if it does not end by itself. */
function secondsLeft({ faults, gateway }) {
  if (faults) {
    const [name] = Object.keys(faults);
    return state.faults[name]?.seconds_left ?? 0;
  }
  const isSet = Object.entries(gateway).every(([name, value]) => name === 'seconds' || state.gateway?.[name] === value);
  return isSet ? state.gateway.seconds ?? Infinity : 0;
}

/** Shows the state. The switches stay the same elements: one that is replaced under the pointer would lose its click. */
function render() {
  let hidden = 0;
  experiments.forEach((experiment, index) => {
    const left = secondsLeft(experiment);
    const { item, button, prefix, ending } = items.get(experiment.id);
    item.hidden = !showsAll && index >= FEW && left === 0;
    hidden += item.hidden;
    item.className = left > 0 ? 'on' : '';
    button.setAttribute('aria-checked', left > 0);
    prefix.className = left > 0 ? 'bad' : '';
    prefix.textContent = left > 0 ? 'on, raises ' : 'would raise ';
    ending.textContent = left > 0 && Number.isFinite(left) ? `; ends in ${countdown(left)}` : '';
  });
  more.hidden = !hidden && !showsAll;
  more.textContent = showsAll ? 'fewer' : `${hidden} more`;
  more.setAttribute('aria-expanded', showsAll);
}

/** The elements of a switch. */
function elements(experiment) {
  const { id, title, watch, alert, runbook } = experiment;
  const note = h('span', { class: 'bad' });
  const link = h('a', { href: `/console/runbooks/${runbook}.html` }, alert);
  link.onclick = (event) => {
    event.preventDefault();
    showRunbook(runbook);
  };
  const button = h('button', { type: 'button', role: 'switch', 'aria-checked': 'false', 'data-fault': id }, h('i'), h('span', {}, title));
  button.onclick = () => flip(experiment, button.getAttribute('aria-checked') !== 'true').catch((error) => {
    note.textContent = ` Not changed: ${error.message}.`;
    setTimeout(() => { note.textContent = ''; }, NOTED_FOR);
  });
  const [prefix, ending] = [h('span'), h('span')];
  const item = h('li', {}, button, h('p', {}, prefix, link, ending, `. Watch ${watch}.`, note));
  return { item, button, prefix, ending };
}

async function flip({ faults, gateway }, on) {
  if (gateway) {
    await fetchJson('/console/gateway', on ? { method: 'PUT', body: gateway } : { method: 'DELETE' });
    state.gateway = await fetchJson('/console/gateway');
  } else {
    // PUT replaces all faults: the others keep the time that is left.
    const plan = {};
    for (const [name, { seconds_left: left, ...settings }] of Object.entries(state.faults)) plan[name] = { ...settings, seconds: Math.max(1, left) };
    if (on) Object.assign(plan, faults);
    else delete plan[Object.keys(faults)[0]];
    state.faults = (await fetchJson('/faults', { method: 'PUT', body: plan })).faults;
  }
  render();
}
