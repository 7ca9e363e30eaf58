/** The form that sends a correction of an answer to the service. */

import { call } from "./api.js";
import { make, tell } from "./dom.js";
import { entityEditor } from "./editor.js";
import { problemNotice } from "./problems.js";

const MANY = 12; // classes from which on they can be filtered

/** A form that is folded away until it is wanted. */
export function correction(model, input, { prediction, version, requestId }) {
  const fields = fieldsOf(model, input, prediction);
  const comment = make("input", { type: "text", maxlength: 1000, autocomplete: "off" });
  const outcome = make("div", { "aria-live": "polite", class: "outcome" });
  const button = make("button", { class: "main", say: "send" });
  const form = make(
    "form",
    { class: "stack", novalidate: true },
    fields.node,
    make("label", { class: "field" }, make("span", { say: "correctComment" }), comment),
    make("div", { class: "row" }, button, outcome),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const label = fields.value();
    if (label === null) return tell(outcome, fields.missing);
    button.disabled = true;
    try {
      const body = { model: model.name, version, input, label, prediction, request_id: requestId ?? undefined };
      const { data } = await call("v1/feedback", { ...body, comment: comment.value.trim() || undefined });
      tell(outcome, "sent", { id: data.id });
    } catch (problem) {
      const notice = problemNotice(problem);
      if (problem.status === 0) notice.append(make("p", { say: "sentPerhaps" }));
      outcome.replaceChildren(notice);
      button.disabled = false;
    }
  });
  return make("details", { class: "correction" }, make("summary", { say: "correct" }), form);
}

/** Fields for the right answer of a task: their element, value() or null, and what to say when it is missing. */
function fieldsOf(model, input, prediction) {
  if (model.task === "tag") return entityEditor(input, prediction.entities, model.labels);
  if (model.task === "score") return numberField(prediction);
  return classFields(model, prediction);
}

function numberField({ value }) {
  const box = make("input", { type: "number", step: "any", value: Number(value.toPrecision(4)) });
  return {
    node: make("label", { class: "field short" }, make("span", { say: "correctNumber" }), box),
    value: () => (Number.isFinite(box.valueAsNumber) ? box.valueAsNumber : null),
    missing: "needNumber",
  };
}

function classFields({ labels, multi_label: several }, prediction) {
  const names = [...labels].sort((a, b) => (prediction.probabilities[b] ?? 0) - (prediction.probabilities[a] ?? 0));
  const boxes = names.map((name) => {
    const box = make("input", { type: several ? "checkbox" : "radio", name: "label", value: name });
    box.checked = prediction.labels.includes(name);
    return box;
  });
  const rows = boxes.map((box) => make("label", { class: "choice", translate: "no" }, box, make("span", { dir: "auto" }, box.value)));
  const node = make("fieldset", {}, make("legend", { say: several ? "correctClasses" : "correctClass" }));
  if (names.length > MANY) {
    const filter = make("input", { type: "search", label: "correctFilter", autocomplete: "off" });
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      rows.forEach((row, index) => (row.hidden = !names[index].toLowerCase().includes(wanted)));
    });
    node.append(make("label", { class: "field" }, make("span", { say: "correctFilter" }), filter));
  }
  node.append(make("div", { class: "choices" }, ...rows));
  const value = () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    if (several) return chosen;
    return chosen[0] ?? null;
  };
  return { node, value, missing: "needClass" };
}
