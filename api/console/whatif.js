// "What if": a switch for each fault, with the alert that it raises. The state of the switches is that of the process.

import { fetchJson, find, h } from './dom.js';
import { countdown } from './format.js';

/** How many switches are shown at first. */
const FEW = 4;

const list = find('what-if', 'ul');
const more = find('what-if', '.chip');
let experiments = [];
let state = { faults: {}, gateway: null };
let showsAll = false;
let showRunbook = () => {};

export function start(options) {
  experiments = options.experiments ?? [];
  ({ showRunbook } = options);
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

function render() {
  const isShown = (experiment, index) => showsAll || index < FEW || secondsLeft(experiment) > 0;
  const items = experiments.filter(isShown).map(item);
  const hidden = experiments.length - items.length;
  more.hidden = !hidden && !showsAll;
  more.textContent = showsAll ? 'fewer' : `${hidden} more`;
  more.setAttribute('aria-expanded', showsAll);
  const focused = document.activeElement?.dataset?.fault;
  list.replaceChildren(...items);
  if (focused) list.querySelector(`[data-fault="${focused}"]`)?.focus();
}

function item(experiment) {
  const { id, title, watch, alert, runbook } = experiment;
  const left = secondsLeft(experiment);
  const isOn = left > 0;
  const link = h('a', { href: `/console/runbooks/${runbook}`, onclick: (event) => { event.preventDefault(); showRunbook(runbook); } }, alert);
  const ends = Number.isFinite(left) ? `; ends in ${countdown(left)}` : '';
  return h('li', { class: isOn ? 'on' : '' },
    h('button', { type: 'button', role: 'switch', 'aria-checked': String(isOn), 'data-fault': id, onclick: () => flip(experiment, !isOn) },
      h('i'), h('span', {}, title)),
    h('p', {}, isOn ? h('span', { class: 'bad' }, 'on, raises ') : 'would raise ', link, isOn ? ends : '', '. Watch ', watch, '.'));
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
