/** Problems in plain words, with the way out; what the service itself says of them comes second. */

import { make } from "./dom.js";
import { WORDS } from "./words.js";

/** Show a problem; with `again`, offer a button that calls it. */
export function problemNotice(problem, again) {
  const known = `problem${problem.status ?? "Other"}`;
  const key = known in WORDS.en ? known : "problemOther";
  const notice = make("div", { class: "notice fail", role: "alert" });
  notice.append(make("p", { say: [key, { status: problem.status ?? problem.message }] }));
  if (problem.retryAfter) notice.append(make("p", { say: ["retryIn", { n: problem.retryAfter }] }));
  if (problem.detail) notice.append(make("p", { class: "soft", lang: "en" }, problem.detail));
  if (problem.requestId) notice.append(make("p", { class: "soft", say: ["requestId", { id: problem.requestId }] }));
  if (again) notice.append(make("button", { type: "button", say: "tryAgain", on: { click: again } }));
  return notice;
}
