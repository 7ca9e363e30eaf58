/** Small helpers to build elements. Text only ever enters as text nodes, never as markup. */

import { say } from "./say.js";

export const byId = (id) => document.getElementById(id);

/**
 * Make an element.
 *
 * `say` is a key of the words or [key, values], `label` the same for aria-label, `on` maps events to listeners; every
 * other option is an attribute (true: present, false or undefined: left out). Children are elements or texts.
 */
export function make(tag, { say: text, label, on = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  if (text) say(element, ...[text].flat());
  if (label) {
    const [key, values] = [label].flat();
    say(element, key, values, "aria-label");
  }
  element.append(...children);
  return element;
}

/** Make an element of an SVG. */
export function shape(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Put words into a live region; an empty key empties it. */
export function tell(region, key, values) {
  if (key) region.replaceChildren(make("p", { say: [key, values] }));
  else region.replaceChildren();
}
