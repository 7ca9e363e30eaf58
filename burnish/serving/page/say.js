/** Words in the chosen language. Every element remembers what it says, so that a switch says all of it anew. */

import { remember, remembered } from "./remember.js";
import { WORDS } from "./words.js";

const said = new WeakMap(); // element -> Map(attribute, or "" for its text -> [key, values])
const NAMED_IN = { "data-say": "", "data-say-label": "aria-label", "data-say-hint": "placeholder" };

let language = remembered("language");
if (!Object.hasOwn(WORDS, language)) language = navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";

export const currentLanguage = () => language;

/** The words of a key, with the values put in place of {their names}. */
export function words(key, values = {}) {
  return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Let an element, or one of its attributes, say the words of a key, now and after every switch. */
export function say(element, key, values = {}, attribute = "") {
  if (!said.has(element)) said.set(element, new Map());
  said.get(element).set(attribute, [key, values]);
  element.toggleAttribute("data-said", true);
  if (attribute) element.setAttribute(attribute, words(key, values));
  else element.textContent = words(key, values);
  return element;
}

/** Fill the elements of the page that name their words in an attribute. */
export function fill() {
  for (const [name, attribute] of Object.entries(NAMED_IN)) {
    for (const element of document.querySelectorAll(`[${name}]`)) say(element, element.getAttribute(name), {}, attribute);
  }
  document.documentElement.lang = language;
}

export function switchLanguage() {
  language = language === "en" ? "zh-CN" : "en";
  remember("language", language);
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-said]")) {
    for (const [attribute, [key, values]] of said.get(element)) say(element, key, values, attribute);
  }
}
