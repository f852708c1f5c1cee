// "Try it": requests of the demo's users, with the command that sends the same one, and the trace that each leaves.

import { fetchJson, find, h } from './dom.js';

const TRIALS = [
  ['place_order', 'Place an order'],
  ['owner_lists_users', 'Log in as owner'],
  ['admin_lists_users', 'as admin'],
  ['member_lists_users', 'as member: 403'],
  ['other_tenant', 'Read it as another tenant: 404'],
  ['wrong_password', 'Mistype the password'],
];

const output = find('try', '.exchanges');
let open = () => {};

export function start(options) {
  ({ open } = options);
  find('try').hidden = false;
  find('try', '.trials').replaceChildren(...TRIALS.map(([trial, text]) => {
    const button = h('button', { type: 'button', class: 'button', 'data-trial': trial }, text);
    button.onclick = () => attempt(trial, button);
    return button;
  }));
  output.replaceChildren(h('p', { class: 'note' }, 'Each button sends real requests as a user of the demo. The matching curl appears beside the response.'));
}

async function attempt(trial, button) {
  button.disabled = true;
  try {
    const { exchanges } = await fetchJson('/console/demo/trials', { method: 'POST', body: { trial } });
    output.replaceChildren(...exchanges.map(exchange).reverse());
  } catch (error) {
    output.replaceChildren(h('p', { class: 'bad' }, error.message));
  }
  button.disabled = false;
}

function exchange({ method, path, curl, status, body, trace_id: trace }) {
  const state = status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'ok';
  const copy = h('button', { type: 'button', class: 'chip' }, 'copy');
  const command = h('pre', { tabIndex: 0 }, curl);
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(curl);
      copy.textContent = 'copied';
    } catch {
      // A page of another machine without TLS has no clipboard.
      getSelection().selectAllChildren(command);
      copy.textContent = 'selected';
    }
  };
  return h('div', { class: 'exchange' },
    h('div', { class: 'row' },
      h('b', { class: state }, String(status)), h('span', { class: 'what', title: path }, `${method} ${path}`),
      copy, trace && h('button', { type: 'button', class: 'chip', onclick: () => open(trace) }, 'open its trace')),
    command,
    h('pre', { tabIndex: 0 }, JSON.stringify(body, null, 2)));
}
