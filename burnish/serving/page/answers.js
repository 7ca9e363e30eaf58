/** Answers of a model as elements, by task. `other` is the answer they are compared with, if there is one. */

import { make, shape } from "./dom.js";
import { alike, hueOf, marks } from "./entities.js";
import { figure, percent, roof, tick } from "./numbers.js";

const SHOWN = 5; // classes before "show all"
const EARLIER = 20; // values of a model that its scale remembers
const seen = new Map(); // model name -> values it gave on this page

/**
 * Show a prediction. `order` is the prediction whose classes give the order of the bars; of a text that was `redacted`
 * entities have no places to be marked in.
 */
export function showAnswer(model, text, prediction, { other, order, redacted = false } = {}) {
  if (model.task === "tag") return tagAnswer(model, redacted ? null : text, prediction, other);
  if (model.task === "score") return scaleAnswer(model, prediction.value, other);
  if (prediction.embedding) {
    const first = prediction.embedding.slice(0, 8).map(figure).join("  ");
    return make("p", { class: "answer", translate: "no" }, `${prediction.embedding.length}: ${first} …`);
  }
  if (model.task === "embed") return scaleAnswer(model, prediction.similarity, other && { value: other.similarity });
  return classAnswer(prediction, other, order ?? prediction);
}

/** What there is to know about an answer to a text that a guard took something out of. */
export function redactedNote(model) {
  return make("p", { class: "notice", say: model.task === "tag" ? "redactedPlaces" : "redacted" });
}

/** Entities over their text and as a table; as a table alone where `text` is null. */
function tagAnswer(model, text, { entities }, other) {
  const differs = (entity) => Boolean(other) && !other.entities.some((known) => alike(known, entity));
  const found = make("div", { class: "answer" });
  if (text !== null) {
    const words = marks(text, entities, model.labels, { differs });
    found.append(make("p", { class: "text", dir: "auto", translate: "no" }, ...words));
  }
  if (!entities.length) {
    found.append(make("p", { class: "soft", say: "noEntities" }));
    return found;
  }
  const legend = make("ul", { class: "legend", label: "legend", translate: "no" });
  for (const label of model.labels) {
    const number = entities.filter((entity) => entity.label === label).length;
    const entry = [make("span", { class: `swatch ${hueOf(label, model.labels)}` }), `${label} `, make("b", {}, String(number))];
    if (number) legend.append(make("li", {}, ...entry));
  }
  found.append(legend, entityTable(entities, differs, text === null));
  return found;
}

function entityTable(entities, differs, open) {
  const head = ["columnText", "columnLabel", "columnScore", "columnPlace"];
  const rows = entities.map((entity) => {
    const only = differs(entity) ? [" ", make("small", { class: "badge", say: "onlyHere" })] : [];
    const words = make("th", { scope: "row", dir: "auto", translate: "no" }, entity.text, ...only);
    const place = make("td", {}, `${entity.start}–${entity.end}`);
    return make("tr", {}, words, make("td", {}, entity.label), make("td", {}, percent(entity.score)), place);
  });
  return make(
    "details",
    { class: "figures", open },
    make("summary", { say: "asTable" }),
    table(head, rows),
  );
}

/** A table that scrolls in a box of its own: keys of the head's words, rows. */
export function table(head, rows) {
  const cells = head.map((key) => make("th", { scope: "col", say: key }));
  const whole = make("table", {}, make("thead", {}, make("tr", {}, ...cells)), make("tbody", {}, ...rows));
  return make("div", { class: "scroll", tabindex: 0, role: "region", label: "figures" }, whole);
}

function classAnswer(prediction, other, order) {
  const chosen = new Set(prediction.labels);
  const others = new Set(other?.labels);
  const names = Object.keys(prediction.probabilities);
  names.sort((a, b) => (order.probabilities[b] ?? 0) - (order.probabilities[a] ?? 0));
  const bars = names.map((name, index) => {
    const share = prediction.probabilities[name];
    const differs = other && chosen.has(name) !== others.has(name);
    const kind = `${chosen.has(name) ? "chosen" : ""}${differs ? " differs" : ""}`;
    const row = make("li", { class: kind, hidden: index >= SHOWN && !chosen.has(name) });
    const label = make("span", { class: "name", dir: "auto", translate: "no" }, name);
    if (chosen.has(name)) label.append(" ", make("small", { class: "badge", say: "chosen" }));
    const bar = make("span", { class: "fill" });
    bar.style.width = `${100 * share}%`;
    row.append(label, make("span", { class: "value" }, percent(share)), make("span", { class: "track", "aria-hidden": "true" }, bar));
    return row;
  });
  const found = make("div", { class: "answer" });
  if (!chosen.size) found.append(make("p", { class: "soft", say: "noClass" }));
  found.append(make("ol", { class: "bars" }, ...bars));
  const folded = bars.filter((bar) => bar.hidden);
  if (folded.length) found.append(unfold(folded, bars.length));
  return found;
}

function unfold(folded, number) {
  const draw = (open) => {
    for (const bar of folded) bar.hidden = !open;
    const words = [open ? "fewer" : "more", { n: number }];
    const button = make("button", { type: "button", class: "quiet", say: words, "aria-expanded": String(open) });
    button.addEventListener("click", () => {
      const next = draw(!open);
      button.replaceWith(next);
      next.focus();
    });
    return button;
  };
  return draw(false);
}

function scaleAnswer(model, value, other) {
  const values = seen.get(model.name) ?? [];
  const all = [...values, value, ...(other ? [other.value] : [])];
  const high = roof(Math.max(...all.map(Math.abs)));
  const [low, parts] = Math.min(...all) < 0 ? [-high, 4] : [0, 5];
  const [left, width] = [16, 388];
  const x = (at) => left + (width * (at - low)) / (high - low);
  const line = shape("line", { x1: x(low), x2: x(high), y1: 22, y2: 22, class: "axis" });
  const picture = shape("svg", { viewBox: "0 0 420 52", class: "scale", "aria-hidden": "true" }, line);
  for (let step = 0; step <= parts; step += 1) {
    const at = low + ((high - low) * step) / parts;
    picture.append(shape("line", { x1: x(at), x2: x(at), y1: 18, y2: 26, class: "axis" }));
    picture.append(shape("text", { x: x(at), y: 46, "text-anchor": "middle" }, tick(at)));
  }
  for (const earlier of values) picture.append(shape("circle", { cx: x(earlier), cy: 22, r: 3.5, class: "earlier" }));
  picture.append(shape("circle", { cx: x(value), cy: 22, r: 8, class: "here" }));
  if (!other) seen.set(model.name, [...values, value].slice(-EARLIER));
  const said = { value: figure(value), low: tick(low), high: tick(high) };
  const found = make("div", { class: "answer" }, make("p", { class: "big" }, figure(value)), picture);
  found.append(make("p", { class: "unseen", say: ["scaleOf", said] }));
  if (values.length && !other) found.append(make("p", { class: "soft", say: "earlier" }));
  return found;
}
