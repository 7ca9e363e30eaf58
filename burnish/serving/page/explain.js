/** Why the model says what it says: a score for each word, asked for when somebody wants to know. */

import { table } from "./answers.js";
import { call } from "./api.js";
import { make, shape, tell } from "./dom.js";
import { pieces } from "./entities.js";
import { figure } from "./numbers.js";
import { problemNotice } from "./problems.js";

const LISTED = 10; // weightiest words in the table
const BARS = 12; // weightiest parts that are drawn
const SLIGHT = 0.005; // of the weightiest: what is less has no bar

/** A fold with the explanation of an answer; the model is asked when it is opened. */
export function explanation(model, input, { prediction, variant }) {
  const outcome = make("div", { class: "outcome", "aria-live": "polite" });
  const place = make("div", { class: "stack" });
  const choice = choiceOf(model, prediction);
  const fold = make("details", { class: "why-fold" }, make("summary", { say: "why" }), choice.node, outcome, place);
  let asked = 0; // the number of the last question: an answer to an earlier one comes too late

  const ask = async () => {
    const number = ++asked;
    tell(outcome, "working");
    try {
      const { data } = await call("v1/explain", { model: model.name, variant, input, ...choice.value() });
      if (number !== asked) return;
      tell(outcome);
      const { grid, names } = data.explanation;
      const show = names?.length ? columnBars : grid?.length ? heatMap : shown;
      place.replaceChildren(...show(model, data.explanation, [input].flat()));
    } catch (problem) {
      if (number === asked) outcome.replaceChildren(problemNotice(problem, ask));
    }
  };
  choice.node.addEventListener("change", ask);
  fold.addEventListener("toggle", () => fold.open && !place.firstChild && ask());
  return fold;
}

/** What can be asked about: a class, or an entity; the element and value(), a part of the body of the request. */
function choiceOf(model, { labels = [], entities = [] }) {
  const options = model.task === "tag" ? entities.map(({ text, label }) => `${text} · ${label}`) : [...(model.labels ?? [])];
  const select = make("select", { translate: "no" }, ...options.map((name, index) => make("option", { value: index }, name)));
  if (model.task !== "tag") select.value = String(Math.max(options.indexOf(labels[0]), 0));
  const node = make("label", { class: "field inline", hidden: options.length < 2 }, make("span", { say: "whyWhat" }), select);
  const value = () => {
    if (!options.length) return {};
    if (model.task !== "tag") return { target: options[select.value] };
    const { start, end } = entities[select.value];
    return { at: [start, end] };
  };
  return { node, value };
}

function shown(model, { target, at, scores, value, baseline, form }, texts) {
  const most = Math.max(...scores.map(({ score }) => Math.abs(score)), Number.MIN_VALUE);
  const asked = (span) => at && !span.second && span.start >= at[0] && span.end <= at[1];
  const word = ({ text, entity: span }) => {
    if (!span) return document.createTextNode(text);
    const side = span.score < 0 ? "against" : "for";
    const element = make("span", { class: `why ${side}${asked(span) ? " asked" : ""}`, title: signed(span.score) }, text);
    element.style.setProperty("--share", `${Math.round(70 * Math.abs(span.score / most))}%`);
    return element;
  };
  const paragraphs = texts.map((text, index) => {
    const own = scores.filter(({ second }) => second === index > 0);
    return make("p", { class: "text", dir: "auto", translate: "no" }, ...pieces(text, own).map(word));
  });
  const legend = legendOf(model.task === "score" ? "" : target);
  const note = make("p", { class: "soft", say: [form === "twin" ? "whyTwin" : "whyHow", endsOf(value, baseline)] });
  return [...paragraphs, legend, note, weightiest(texts, scores)];
}

/** What the model reads, with a square on each part. */
function heatMap(model, { target, grid, picture, value, baseline, form }) {
  const [rows, columns] = [grid.length, grid[0].length];
  const most = Math.max(...grid.flat().map(Math.abs), Number.MIN_VALUE);
  const canvas = shape("svg", { class: "heat", viewBox: `0 0 ${columns} ${rows}`, role: "img", "aria-label": target });
  canvas.append(shape("image", { href: picture, width: columns, height: rows, preserveAspectRatio: "none" }));
  grid.forEach((scores, y) => {
    scores.forEach((score, x) => {
      const share = Math.abs(score) / most;
      const side = score < 0 ? "against" : "for";
      const part = shape("rect", { x, y, width: 1, height: 1, class: side, "fill-opacity": (0.65 * share).toFixed(3) });
      part.append(shape("title", {}, `${y + 1}, ${x + 1}: ${signed(score)}`));
      canvas.append(part);
    });
  });
  const note = make("p", { class: "soft", say: [form === "twin" ? "whyPartsTwin" : "whyParts", endsOf(value, baseline)] });
  const parts = grid.flatMap((scores, y) => scores.map((score, x) => [`${y + 1}, ${x + 1}`, score]));
  return [canvas, legendOf(target), note, weightTable("columnPart", parts)];
}

/** A bar for each part that has a name, the weightiest first. */
function columnBars(model, { target, grid, names, cells, value, baseline }) {
  const parts = names.map((name, index) => [`${name} = ${cells[index]}`, grid.flat()[index]]);
  parts.sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const most = Math.max(...parts.map(([, score]) => Math.abs(score)), Number.MIN_VALUE);
  const drawn = parts.filter(([, score]) => Math.abs(score) >= SLIGHT * most).slice(0, BARS);
  const rows = drawn.map(([name, score]) => {
    const bar = make("span", { class: `fill ${score < 0 ? "against" : "for"}` });
    bar.style.width = `${(100 * Math.abs(score)) / most}%`;
    const label = make("span", { class: "name", dir: "auto", translate: "no" }, name);
    return make("li", {}, label, make("span", { class: "value" }, signed(score)), make("span", { class: "track", "aria-hidden": "true" }, bar));
  });
  const note = make("p", { class: "soft", say: [baseline.kind === "prior" ? "whyInputs" : "whyColumns", endsOf(value, baseline)] });
  const legend = legendOf(model.task === "score" ? "" : target);
  return [make("ol", { class: "bars" }, ...rows), legend, note, weightTable(baseline.kind === "prior" ? "columnInput" : "columnColumn", parts)];
}

const endsOf = (value, baseline) => ({
  value: figure(value),
  baseline: baseline.value === null ? "–" : figure(baseline.value),
});

function legendOf(label) {
  return make(
    "ul",
    { class: "legend" },
    make("li", {}, make("span", { class: "why for key" }), make("span", { say: ["whyFor", { label }] })),
    make("li", {}, make("span", { class: "why against key" }), make("span", { say: ["whyAgainst", { label }] })),
  );
}

function weightiest(texts, scores) {
  const letters = texts.map((text) => [...text]);
  const words = scores.map(({ start, end, score, second }) => [letters[Number(second)].slice(start, end).join(""), score]);
  return weightTable("columnText", words);
}

function weightTable(head, weights) {
  const best = weights.sort(([, a], [, b]) => Math.abs(b) - Math.abs(a)).slice(0, LISTED);
  const rows = best.map(([name, score]) => {
    return make("tr", {}, make("th", { scope: "row", dir: "auto", translate: "no" }, name), make("td", {}, signed(score)));
  });
  return make("details", { class: "figures" }, make("summary", { say: "asTable" }), table([head, "columnWeight"], rows));
}

const signed = (score) => `${score < 0 ? "−" : "+"}${figure(Math.abs(score))}`;
