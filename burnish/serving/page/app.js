/** The page of `burnish serve`: try a model, compare its variants, correct it, watch the traffic. */

import { redactedNote, showAnswer } from "./answers.js";
import { call, predict } from "./api.js";
import { compareVariants } from "./compare.js";
import { correction } from "./correct.js";
import { byId, make, tell } from "./dom.js";
import { explanation } from "./explain.js";
import { fieldForm } from "./fields.js";
import { filePicker } from "./files.js";
import { count, figure, milliseconds } from "./numbers.js";
import { problemNotice } from "./problems.js";
import { remember, remembered } from "./remember.js";
import { currentLanguage, fill, say, switchLanguage } from "./say.js";
import { followTraffic } from "./traffic.js";
import { EXAMPLES } from "./words.js";

const STARTING = 1000; // ms between looks at a model that starts
const TASKS = { tag: "taskTag", classify: "taskClassify", pair: "taskPair", score: "taskScore", embed: "taskEmbed" };
const FILE_TASKS = {
  image: { classify: "taskClassifyImage", score: "taskScoreImage" },
  audio: { classify: "taskClassifyAudio", score: "taskScoreAudio" },
};
const ROW_TASKS = { classify: "taskClassifyRow", score: "taskScoreRow" };
const EMPTY = { audio: "emptyAudio" };
const twoTexts = () => ["pair", "embed"].includes(model.task);
const STATES = { ready: "stateReady", starting: "stateStarting", failed: "stateFailed" };
const VIEWS = ["try", "compare", "traffic"];

let models = [];
let model = null;
let picker = null; // of the file, or of the fields, that a model of no texts is asked about
let running = null; // the AbortController of the request under way

// ---- models and key

async function loadModels() {
  try {
    models = (await call("v1/models")).data.models;
  } catch (problem) {
    models = [];
    showProblem(problem, byId("notice"), loadModels);
    byId("service").hidden = true;
    return;
  } finally {
    byId("forget").hidden = !remembered("key", "sessionStorage"); // also one that is not for predict can be forgotten
  }
  byId("key-form").hidden = true;
  byId("service").hidden = !models.length;
  byId("model-field").hidden = models.length < 2;
  byId("model").replaceChildren(...models.map(({ name }) => make("option", { value: name }, name)));
  if (!models.length) return tell(byId("notice"), "noModels");
  chooseModel(models.find(({ name }) => name === model?.name) ?? models[0]);
  if (models.some(({ state }) => state === "starting")) setTimeout(loadModels, STARTING);
}

/** Show a problem in its place; a missing or wrong key brings up the field for it instead. */
function showProblem(problem, place, again) {
  if (problem.name === "AbortError") return;
  if (problem.status !== 401) return place.replaceChildren(problemNotice(problem, again));
  place.replaceChildren();
  byId("key-form").hidden = false;
  byId("forget").hidden = true;
  if (remembered("key", "sessionStorage")) tell(byId("key-status"), "keyWrong");
  remember("key", null, "sessionStorage");
  byId("key").focus();
}

function useKey(event) {
  event.preventDefault();
  const key = byId("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(key)) return tell(byId("key-status"), "keyWrong"); // no header can carry it
  tell(byId("key-status"));
  remember("key", key, "sessionStorage");
  byId("key").value = "";
  loadModels();
}

function forgetKey() {
  remember("key", null, "sessionStorage");
  tell(byId("key-status"));
  loadModels();
}

/** Show a model; one that is shown already keeps its texts and answers. One that is not ready has no task to show. */
function chooseModel(chosen) {
  const anew = chosen.name !== model?.name || !model.task;
  if (anew) picker?.close();
  model = chosen;
  tell(byId("notice"), { starting: "modelStarting", failed: "modelFailed" }[model.state]);
  byId("model").value = model.name;
  byId("name").textContent = model.name;
  showFacts();
  showView();
  if (!anew || !model.task) return;
  running?.abort();
  showTexts();
  showExamples();
  showVariants();
  tell(byId("answer"), "answerEmpty");
  tell(byId("comparison"), "compareEmpty");
  tell(byId("status"));
  byId("after").replaceChildren();
}

function showFacts() {
  const facts = [make("span", { class: `badge ${model.state}`, say: STATES[model.state] })];
  if (model.task) facts.push(...factsOfTask());
  byId("facts").replaceChildren(...facts.map((fact) => make("li", {}, fact)));
}

function factsOfTask() {
  const tasks = model.task === "embed" ? TASKS : hasFields() ? ROW_TASKS : (FILE_TASKS[model.inputs] ?? TASKS);
  const facts = [make("span", { say: tasks[model.task] })];
  for (const [name, value] of Object.entries(model.metrics ?? {}).slice(0, 1)) {
    facts.push(make("span", { translate: "no" }, `${name} `, make("b", {}, figure(value))));
  }
  facts.push(make("span", { say: ["factVariant", { variant: model.variant }] }));
  facts.push(make("span", { say: ["factVersion", { version: model.version }] }));
  if (!readsFiles()) facts.push(make("span", { say: ["factTokens", { n: count(model.max_tokens) }] }));
  return facts;
}

// ---- input

const readsFiles = () => (model.inputs ?? "text") !== "text";
const hasFields = () => Object.keys(model.fields ?? {}).length > 0;

function showTexts() {
  picker = null;
  if (readsFiles()) picker = hasFields() ? fieldForm(model.fields) : filePicker(model.inputs);
  byId("examples-of").hidden = readsFiles();
  if (picker) return byId("texts").replaceChildren(picker.node);
  const keys = { pair: ["textA", "textB"], embed: ["textA", "textB"], score: ["text", "textBMaybe"] }[model.task] ?? ["text"];
  const field = (key) => {
    const area = make("textarea", { rows: keys.length > 1 ? 3 : 4, dir: "auto" });
    say(area, "textHint", {}, "placeholder");
    return make("label", { class: "field" }, make("span", { say: key }), area);
  };
  byId("texts").replaceChildren(...keys.map(field));
}

const areas = () => [...byId("texts").querySelectorAll("textarea")];

/** What the model is asked, or null when there is nothing to ask; the cursor then goes where it is missing. */
function inputOf() {
  if (picker) {
    const given = picker.value();
    if (given) return given;
    tell(byId("status"), hasFields() ? "emptyFields" : (EMPTY[model.inputs] ?? "emptyImage"));
    picker.focus();
    return null;
  }
  const given = areas().map((area) => area.value);
  const needed = twoTexts() ? 2 : 1;
  const empty = given.slice(0, needed).findIndex((text) => !text.trim());
  if (empty >= 0) {
    tell(byId("status"), "emptyText");
    areas()[empty].focus();
    return null;
  }
  return twoTexts() || given[1]?.trim() ? given : given[0];
}

function showExamples() {
  if (picker) return;
  const buttons = EXAMPLES[currentLanguage()][twoTexts() ? "pair" : model.task].map((example) => {
    const texts = [example].flat();
    const use = () => {
      areas().forEach((area, index) => (area.value = texts[index] ?? ""));
      ask();
    };
    return make("li", {}, make("button", { type: "button", class: "example", on: { click: use } }, texts.join(" / ")));
  });
  byId("examples").replaceChildren(...buttons);
}

function showVariants() {
  const sides = [byId("left"), byId("right")];
  for (const side of sides) side.replaceChildren(...model.variants.map((name) => make("option", { value: name }, name)));
  sides[0].value = model.variants.find((name) => name !== model.variant) ?? model.variant;
  sides[1].value = model.variant;
  showView();
}

// ---- answers

async function ask() {
  const input = alone() ? null : inputOf();
  if (input === null) return;
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const comparing = view() === "compare";
  tell(byId("status"), "working");
  try {
    await (comparing ? compare(input, signal) : answer(input, signal));
    tell(byId("status"));
  } catch (problem) {
    if (signal.aborted) return;
    tell(byId("status"));
    if (!comparing) byId("after").replaceChildren();
    showProblem(problem, byId(comparing ? "comparison" : "answer"));
  }
}

function compare(input, signal) {
  const variants = [byId("left").value, byId("right").value];
  return compareVariants(model, input, variants, { place: byId("comparison"), status: byId("status"), signal });
}

async function answer(input, signal) {
  const waiting = ({ retryAfter }) => tell(byId("status"), "waiting", { n: retryAfter });
  const found = await predict(model.name, input, { signal, waiting });
  const { prediction, redacted } = found;
  const note = redacted ? [redactedNote(model)] : [];
  byId("answer").replaceChildren(...note, showAnswer(model, input, prediction, { redacted }));
  const whole = model.task !== "embed" && !redacted; // the page does not have the text that a redacted answer is about
  const folds = whole ? [explanation(model, input, found), correction(model, input, found)] : [];
  byId("after").replaceChildren(timeline(found.times), copyButton(prediction), ...folds);
}

/** Where the time went: in words and as one bar. */
function timeline({ whole, queue = 0, model: inModel = 0 }) {
  const parts = { Queue: queue, Model: inModel, Rest: Math.max(whole - queue - inModel, 0) };
  const bar = make("div", { class: "timeline", "aria-hidden": "true" });
  const list = make("ul", { class: "legend" }, make("li", {}, make("b", { say: ["timeWhole", { ms: milliseconds(whole) }] })));
  for (const [name, duration] of Object.entries(parts)) {
    const part = make("span", { class: `part-${name.toLowerCase()}` });
    part.style.flexGrow = duration / whole;
    bar.append(part);
    const swatch = make("span", { class: `swatch part-${name.toLowerCase()}` });
    list.append(make("li", {}, swatch, make("span", { say: [`time${name}`, { ms: milliseconds(duration) }] })));
  }
  return make("div", { class: "times-taken" }, bar, list);
}

function copyButton(prediction) {
  if (!window.isSecureContext) return make("p", { class: "soft", say: "copyInsecure" });
  const outcome = make("div", { class: "outcome", "aria-live": "polite" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(JSON.stringify(prediction, null, 2));
      tell(outcome, "copied");
    } catch {
      tell(outcome, "copyFailed");
    }
  };
  return make("div", { class: "row" }, make("button", { type: "button", say: "copy", on: { click: copy } }), outcome);
}

// ---- the page itself

const view = () => (VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "try");

/** Whether there is nothing to compare with. */
const alone = () => view() === "compare" && model?.task !== undefined && model.variants.length < 2;

function showView() {
  for (const element of document.querySelectorAll("[data-views]")) {
    element.hidden = !model?.task || !element.dataset.views.split(" ").includes(view());
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view()}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  byId("one-variant").hidden = !alone();
  for (const id of ["variants", "asking"]) byId(id).hidden ||= alone();
  tell(byId("status"));
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function showTheme(theme = remembered("theme")) {
  if (theme) document.documentElement.dataset.theme = theme;
  byId("theme").setAttribute("aria-pressed", String(theme ? theme === "dark" : prefersDark.matches));
}

function switchTheme() {
  const theme = byId("theme").getAttribute("aria-pressed") === "true" ? "light" : "dark";
  remember("theme", theme);
  showTheme(theme);
}

function otherLanguage() {
  switchLanguage();
  byId("language").lang = currentLanguage() === "en" ? "zh-CN" : "en";
  if (model?.task) showExamples();
}

fill();
showTheme();
showView();
byId("language").lang = currentLanguage() === "en" ? "zh-CN" : "en";
byId("language").addEventListener("click", otherLanguage);
byId("theme").addEventListener("click", switchTheme);
prefersDark.addEventListener("change", () => showTheme());
byId("key-form").addEventListener("submit", useKey);
byId("forget").addEventListener("click", forgetKey);
byId("model").addEventListener("change", (event) => chooseModel(models.find(({ name }) => name === event.target.value)));
byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
byId("ask").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  ask();
});
window.addEventListener("hashchange", () => {
  running?.abort();
  showView();
});
tell(byId("notice"), "loading");
await loadModels();
followTraffic(() => model?.name, () => models.length > 0);
