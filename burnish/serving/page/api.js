/** The service's HTTP interface. Paths are relative, so that the page also works under a path of a proxy. */

import { remembered } from "./remember.js";

const PATIENCE = 60; // seconds that a model may take to start before its 503 is shown

/** What went wrong, as the service's problem document says it; status 0 when no answer came, or not the whole of it. */
export class Problem extends Error {
  constructor(status, detail = "", retryAfter = 0, requestId = "") {
    super(detail);
    Object.assign(this, { status, detail, retryAfter, requestId });
  }
}

/** GET a path, or POST a body to it; returns the answer's JSON and headers, throws a Problem. */
export async function call(path, body, signal) {
  const headers = { Accept: "application/json" };
  const key = remembered("key", "sessionStorage");
  if (key) headers.Authorization = `Bearer ${key}`;
  const request = { headers, signal, cache: "no-store", redirect: "error" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(request, { method: "POST", body: JSON.stringify(body) });
  }
  let answer;
  try {
    answer = await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0);
  }
  const data = await answer.json().catch(() => null);
  signal?.throwIfAborted();
  if (answer.ok && data !== null) return { data, headers: answer.headers };
  const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
  throw new Problem(answer.ok ? 0 : answer.status, data?.detail, retryAfter, answer.headers.get("X-Request-Id") ?? "");
}

/**
 * Ask a model about one input, waiting for one that is starting; `waiting` hears of each wait.
 *
 * Returns the prediction, the variant that made it, the request's id, whether a guard took something out of the input
 * (`redacted`), and times in milliseconds: whole, queue, model.
 */
export async function predict(model, input, { variant, signal, waiting = () => {} } = {}) {
  for (let waited = 0; ; ) {
    const begun = performance.now();
    try {
      const { data, headers } = await call("v1/predict", { model, inputs: [input], variant }, signal);
      const times = { whole: performance.now() - begun, ...serverTiming(headers.get("Server-Timing") ?? "") };
      const [prediction, requestId] = [data.predictions[0], headers.get("X-Request-Id")];
      return { prediction, version: data.version, variant: data.variant, requestId, redacted: isRedacted(data.guard), times };
    } catch (problem) {
      waited += problem.retryAfter ?? 0;
      if (problem.status !== 503 || !problem.retryAfter || waited > PATIENCE) throw problem;
      waiting(problem);
      await pause(problem.retryAfter, signal);
    }
  }
}

/** Whether notes of a guard tell of something that it took out; a graver finding may stand beside it. */
function isRedacted(notes = []) {
  return notes.some(({ findings }) => findings.some(({ action }) => action === "redact"));
}

/** Parts of a Server-Timing header: name -> milliseconds. */
function serverTiming(header) {
  const parts = header.matchAll(/([\w-]+)[^,]*?;\s*dur=([\d.]+)/g);
  return Object.fromEntries([...parts].map(([, name, duration]) => [name, Number(duration)]));
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
