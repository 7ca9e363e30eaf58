/** Two variants of a model side by side: both answers, how long they took, and what differs. */

import { redactedNote, showAnswer } from "./answers.js";
import { predict } from "./api.js";
import { make, tell } from "./dom.js";
import { alike } from "./entities.js";
import { figure, median, milliseconds } from "./numbers.js";

const REPEATS = 5;

/** Ask both variants in turn and fill `place` with the comparison; `status` hears how far it is. */
export async function compareVariants(model, input, variants, { place, status, signal }) {
  const waiting = (problem) => tell(status, "waiting", { n: problem.retryAfter });
  const sides = variants.map((variant) => ({ variant, whole: [], model: [] }));
  const ask = (side) => predict(model.name, input, { variant: side.variant, signal, waiting });
  for (const side of sides) {
    const { prediction, redacted } = await ask(side); // also starts the variant
    Object.assign(side, { prediction, redacted });
  }
  for (let done = 1; done <= REPEATS; done += 1) {
    tell(status, "compareRun", { done, n: REPEATS });
    for (const side of done % 2 ? sides : sides.toReversed()) {
      const { times } = await ask(side);
      side.whole.push(times.whole);
      if (times.model !== undefined) side.model.push(times.model);
    }
  }
  tell(status);
  const summary = make("div", { class: "verdict" }, ...differences(model, sides), speed(sides));
  const note = sides[0].redacted ? [redactedNote(model)] : [];
  const columns = sides.map((side, index) => column(model, input, side, sides[1 - index].prediction, sides[0].prediction));
  const how = make("p", { class: "soft", say: ["compareHow", { n: REPEATS }] });
  place.replaceChildren(...note, summary, make("div", { class: "sides" }, ...columns), how);
}

function column(model, input, side, other, order) {
  const times = make("dl", { class: "times" });
  const entry = (key, value) => times.append(make("div", {}, make("dt", { say: key }), make("dd", {}, `${milliseconds(value)} ms`)));
  if (side.model.length) entry("p50Model", median(side.model));
  entry("p50Whole", median(side.whole));
  const title = make("h3", { translate: "no" }, side.variant);
  return make("section", { class: "side" }, title, times, showAnswer(model, input, side.prediction, { other, order, redacted: side.redacted }));
}

function differences(model, [{ prediction: left }, { prediction: right }]) {
  const line = (key, values) => make("p", { say: [key, values] });
  const same = line("compareSame");
  if (model.task === "tag") {
    const missing = (a, b) => a.entities.filter((entity) => !b.entities.some((known) => alike(known, entity))).length;
    const [onLeft, onRight] = [missing(left, right), missing(right, left)];
    return [onLeft + onRight ? line("compareEntities", { left: onLeft, right: onRight }) : same];
  }
  if (left.embedding) {
    const cosine = cosineOf(left.embedding, right.embedding).toFixed(4);
    return [Number(cosine) < 1 ? line("compareVectors", { cosine }) : same];
  }
  if (["score", "embed"].includes(model.task)) {
    const value = ({ value, similarity }) => value ?? similarity;
    const difference = Math.abs(value(left) - value(right));
    return [difference ? line("compareValues", { difference: figure(difference) }) : same];
  }
  const said = ({ labels }) => [...labels].sort().join(", ") || "–";
  const verdict = said(left) === said(right) ? same : line("compareClasses", { left: said(left), right: said(right) });
  const shift = (label) => Math.abs(left.probabilities[label] - right.probabilities[label]);
  const label = Object.keys(left.probabilities).reduce((a, b) => (shift(b) > shift(a) ? b : a));
  const points = (100 * shift(label)).toFixed(1);
  return points > 0 ? [verdict, line("compareShift", { points, label })] : [verdict];
}

/** How near two vectors are: 1 for those of the same direction. */
function cosineOf(a, b) {
  const product = (one, other) => one.reduce((sum, value, index) => sum + value * other[index], 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}

/** Which one is faster: by the model's own time where the service says it, else by the whole. */
function speed(sides) {
  const part = sides.every((side) => side.model.length) ? "model" : "whole";
  const [fast, slow] = sides.map((side) => [median(side[part]), side.variant]).sort((a, b) => a[0] - b[0]);
  const ratio = (slow[0] / fast[0]).toFixed(1);
  if (!(ratio > 1)) return make("p", { say: "compareAsFast" });
  return make("p", { say: ["compareSpeed", { fast: fast[1], slow: slow[1], ratio }] });
}
