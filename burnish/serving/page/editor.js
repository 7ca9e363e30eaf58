/** A text whose entities can be corrected with the mouse or the keyboard. */

import { make, tell } from "./dom.js";
import { hueOf, marks, placeCursor, selectedSpan } from "./entities.js";

/** Returns the editor's elements and `value()`, its entities as {start, end, label}. */
export function entityEditor(text, given, labels) {
  const letters = [...text];
  const said = (span) => letters.slice(span.start, span.end).join("");
  const news = make("div", { class: "soft", "aria-live": "polite" });
  // Editable, so that the browser brings cursor and selection by keyboard; no input gets through.
  const area = make("div", {
    class: "text editor",
    contenteditable: "true",
    role: "textbox",
    "aria-multiline": "true",
    label: "correctArea",
    inputmode: "none",
    spellcheck: "false",
    translate: "no",
    dir: "auto",
  });
  let entities = given.map(({ start, end, label }) => ({ start, end, label }));
  let picked = null;

  const draw = (cursor) => {
    area.replaceChildren(...marks(text, entities, labels, { focusable: false }));
    if (cursor !== undefined && area === document.activeElement) placeCursor(area, cursor);
  };

  const remove = (touched) => {
    const gone = entities.filter(touched);
    if (!gone.length) return;
    entities = entities.filter((entity) => !gone.includes(entity));
    draw(gone[0].end);
    tell(news, "spanRemoved", { label: gone[0].label, text: said(gone[0]) });
  };

  /** Note what is selected, without the spaces around it; a selection elsewhere leaves it as it was. */
  const pick = () => {
    const span = selectedSpan(area);
    if (!span) return;
    while (span.start < span.end && !letters[span.start].trim()) span.start += 1;
    while (span.end > span.start && !letters[span.end - 1].trim()) span.end -= 1;
    picked = span.start < span.end ? span : null;
  };

  const add = (label) => {
    pick(); // the event for the last change may be still to come
    if (!picked) return tell(news, "needSpan");
    const span = { ...picked, label };
    entities = entities.filter((entity) => entity.end <= span.start || entity.start >= span.end);
    entities = [...entities, span].sort((a, b) => a.start - b.start);
    picked = null;
    draw(span.end);
    tell(news, "spanAdded", { label, text: said(span) });
  };

  const watch = () => {
    if (!area.isConnected) return document.removeEventListener("selectionchange", watch);
    const before = picked;
    pick();
    if (picked && picked !== before) tell(news, "spanPicked", { text: said(picked) });
  };
  document.addEventListener("selectionchange", watch);

  area.addEventListener("beforeinput", (event) => {
    event.preventDefault();
    if (event.inputType.startsWith("delete")) {
      const span = selectedSpan(area);
      if (span) remove((entity) => entity.start <= span.end && entity.end >= span.start);
    } else if (labels[Number(event.data) - 1]) {
      add(labels[Number(event.data) - 1]);
    }
  });
  area.addEventListener("compositionend", () => draw()); // the one input that cannot be prevented
  area.addEventListener("click", (event) => {
    const start = event.target.closest("mark")?.dataset.start;
    if (start !== undefined && document.getSelection().isCollapsed) remove((entity) => entity.start === Number(start));
  });
  draw();

  const buttons = labels.map((label, index) => {
    const number = index < 9 ? [make("kbd", {}, String(index + 1)), " "] : [];
    const swatch = make("span", { class: `swatch ${hueOf(label, labels)}` });
    const button = make("button", { type: "button", class: "label", translate: "no" }, ...number, swatch, label);
    button.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the selection
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", () => add(label));
    return button;
  });
  const choice = make("div", { class: "row", role: "group", label: "correctLabels" }, ...buttons);
  const node = make("div", { class: "stack" }, make("p", { class: "soft", say: "correctSpans" }), area, choice, news);
  return { node, value: () => entities };
}
