// Small helpers for the DOM. Text always becomes text nodes: nothing that a client has sent is ever parsed as HTML.

/**
 * An element with properties and children. `class` and names with a dash are attributes; `on…` are listeners; `null` and
 * `false` children are left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (name.includes('-') || name === 'role') element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The element with this id, or the first one below it that a selector matches. */
export function find(id, selector) {
  const element = document.getElementById(id);
  return selector ? element.querySelector(selector) : element;
}

/** Fetches JSON. A problem document (RFC 9457) becomes an error with its detail. */
export async function fetchJson(path, { method = 'GET', body } = {}) {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  const value = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Error(value?.detail ?? value?.error ?? `${response.status} ${response.statusText}`);
  return value;
}

/** Moves focus between the buttons of a list with the arrow keys; only one of them is a stop of the Tab key. */
export function arrowKeys(list, selector) {
  list.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const items = [...list.querySelectorAll(selector)];
    const index = items.indexOf(document.activeElement);
    const next = event.key === 'Home' ? items[0] : event.key === 'End' ? items.at(-1) : items[index + step];
    if (index < 0 || !next) return;
    event.preventDefault();
    items.forEach((item) => { item.tabIndex = -1; });
    next.tabIndex = 0;
    next.focus();
  });
}
