/** A form with a field for each part of an input, such as the columns of a row. */

import { make } from "./dom.js";
import { filePicker } from "./files.js";
import { say } from "./say.js";

let lists = 0; // of values, each of which needs a name

/**
 * The element, value(): what was filled in, by name, or null, focus(), and close(), which turns devices off. What is left
 * empty counts as missing.
 */
export function fieldForm(fields, inner = false) {
  const parts = Object.entries(fields).map(([name, about]) => ({ name, ...MAKERS[about.type](name, about) }));
  const value = () => {
    const given = parts.map((part) => [part.name, part.value()]).filter(([, one]) => one !== null);
    return given.length ? Object.fromEntries(given) : null;
  };
  const usual = () => parts.forEach((part) => part.usual?.());
  const fill = make("button", { type: "button", class: "quiet", say: "fieldsUsual", on: { click: usual } });
  const hint = make("div", { class: "row" }, make("p", { class: "soft", say: "fieldsHint" }));
  if (parts.some((part) => part.usual)) hint.append(fill);
  const grid = make("div", { class: "fields" }, ...parts.map((part) => part.node));
  const node = inner ? grid : make("div", { class: "stack" }, grid, hint);
  const close = () => parts.forEach((part) => part.close?.());
  return { node, value, focus: () => parts[0].focus(), usual, close };
}

function cell(name, about, more = {}) {
  const box = make("input", { type: "text", autocomplete: "off", spellcheck: "false", dir: "auto", ...more });
  return {
    node: make("label", { class: "field" }, make("span", { translate: "no" }, name), box),
    value: () => box.value.trim() || null,
    focus: () => box.focus(),
    usual: () => (box.value = about.typical ?? ""),
    box,
  };
}

/** As it was written: the service reads numbers in more ways than a browser does, and says which are none. */
function numberField(name, about) {
  const part = cell(name, about, { inputmode: "decimal" });
  if (about.low !== undefined) say(part.box, "fieldRange", { low: about.low, high: about.high }, "placeholder");
  return part;
}

function categoryField(name, about) {
  const id = `values-${(lists += 1)}`;
  const part = cell(name, about, { list: id });
  part.node.append(make("datalist", { id }, ...about.values.map((value) => make("option", { value }))));
  return part;
}

function textField(name) {
  const area = make("textarea", { rows: 3, dir: "auto" });
  say(area, "textHint", {}, "placeholder");
  const node = make("label", { class: "field wide" }, make("span", { translate: "no" }, name), area);
  return { node, value: () => (area.value.trim() ? area.value : null), focus: () => area.focus() };
}

function fileField(name, about) {
  const part = filePicker(about.kind);
  part.node.classList.add("wide");
  return part;
}

function objectField(name, about) {
  const part = fieldForm(about.fields, true);
  const node = make("fieldset", { class: "wide" }, make("legend", { translate: "no" }, name), part.node);
  return { ...part, node };
}

const MAKERS = { number: numberField, category: categoryField, text: textField, file: fileField, object: objectField };
