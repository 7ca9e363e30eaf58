/**
 * Entities over a text. Places are counted in code points, as the service counts them, and not in UTF-16 units as
 * JavaScript does: an emoji or a rare character is one place, not two.
 */

import { make } from "./dom.js";
import { percent } from "./numbers.js";

const HUES = 8;

export const hueOf = (label, labels) => `hue-${Math.max(labels.indexOf(label), 0) % HUES}`;

/** Cut a text at its entities: pieces in order, {text, entity?}. What overlaps an earlier entity is left out. */
export function pieces(text, entities) {
  const letters = [...text];
  const found = [];
  let at = 0;
  for (const entity of [...entities].sort((a, b) => a.start - b.start)) {
    if (entity.start < at || entity.end <= entity.start || entity.end > letters.length) continue;
    if (entity.start > at) found.push({ text: letters.slice(at, entity.start).join("") });
    found.push({ text: letters.slice(entity.start, entity.end).join(""), entity });
    at = entity.end;
  }
  if (at < letters.length) found.push({ text: letters.slice(at).join("") });
  return found;
}

/**
 * Texts and marks for a text with entities. Label and score stand in attributes that the style sheet shows, so that
 * the marks hold the text and nothing else: it can be copied, and places in it can be counted.
 */
export function marks(text, entities, labels, { differs = () => false, focusable = true } = {}) {
  return pieces(text, entities).map(({ text: words, entity }) => {
    if (!entity) return document.createTextNode(words);
    const options = {
      class: `${hueOf(entity.label, labels)}${differs(entity) ? " differs" : ""}`,
      "data-label": entity.label,
      "data-score": entity.score === undefined ? undefined : percent(entity.score),
      "data-start": entity.start,
      tabindex: focusable ? 0 : undefined,
    };
    return make("mark", options, words);
  });
}

/** Whether two entities are the same claim. */
export const alike = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label;

/** The selection within an element as code points {start, end}, or null when it lies elsewhere. */
export function selectedSpan(area) {
  const selection = document.getSelection();
  if (!selection.rangeCount || !area.contains(selection.anchorNode) || !area.contains(selection.focusNode)) return null;
  const range = selection.getRangeAt(0);
  const before = document.createRange();
  before.setStart(area, 0);
  before.setEnd(range.startContainer, range.startOffset);
  const start = [...before.toString()].length;
  return { start, end: start + [...range.toString()].length };
}

/** Put the cursor behind a number of code points of an element. */
export function placeCursor(area, place) {
  const walker = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
  let left = [...area.textContent].slice(0, place).join("").length;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (left <= node.length) return document.getSelection().collapse(node, left);
    left -= node.length;
  }
}
