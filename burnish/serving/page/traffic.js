/** What the service is doing: figures asked for each second while the page is seen. */

import { call } from "./api.js";
import { table } from "./answers.js";
import { drawChart } from "./chart.js";
import { byId, make, tell } from "./dom.js";
import { count, milliseconds } from "./numbers.js";
import { currentLanguage, say, words } from "./say.js";

const EVERY = 1000; // ms
const AFTER_FAILURE = 5000; // ms
const RECENT = 10; // seconds that "requests/s now" averages over

/** Follow the model that `current()` names; does not ask while `allowed()` says no. */
export function followTraffic(current, allowed) {
  let timer;
  const poll = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    let wait = EVERY;
    if (allowed()) {
      try {
        const { data } = await call("v1/stats");
        tell(byId("traffic-status"));
        show(data, data.models[current()]);
      } catch {
        tell(byId("traffic-status"), "trafficLost");
        wait = AFTER_FAILURE;
      }
    }
    clearTimeout(timer);
    timer = setTimeout(poll, wait);
  };
  document.addEventListener("visibilitychange", poll);
  window.addEventListener("hashchange", poll);
  poll();
}

function show({ uptime, rejected }, stats) {
  byId("traffic-figures").hidden = !stats;
  if (!stats) {
    byId("live").replaceChildren();
    return tell(byId("traffic-status"), "noStats");
  }
  const { seconds } = stats;
  const recent = seconds.slice(-RECENT);
  const rate = recent.reduce((sum, second) => sum + second.requests, 0) / RECENT;
  const tempo = { requests: rate.toFixed(1), p50: milliseconds(stats.p50_ms) };
  byId("live").replaceChildren(make("span", { say: ["now", tempo] }));
  if (!byId("traffic").checkVisibility()) return;
  const most = (name) => Math.max(0, ...seconds.map((second) => second[name] ?? 0));
  say(byId("since"), "sinceStart", { time: uptimeWords(uptime) });
  numbers(stats, stats.rejected + rejected);
  drawChart(byId("chart-requests"), seconds, {
    bars: { requests: "bar", errors: "alert" },
    said: ["chartRequestsSaid", { most: most("requests"), last: seconds.at(-1)?.requests ?? 0 }],
  });
  drawChart(byId("chart-latency"), seconds, {
    lines: { p99_ms: "rest", p50_ms: "main" },
    said: ["chartLatencySaid", { p50: milliseconds(most("p50_ms")), p99: milliseconds(most("p99_ms")) }],
  });
  if (byId("traffic-table").open) fillTable(seconds);
}

function uptimeWords(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? words("minutes", { minutes }) : words("hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** `rejected` counts those too that were turned away before their model was known. */
function numbers(stats, rejected) {
  const tile = (name, value, kind = "") => make("div", { class: kind }, make("dt", { say: name }), make("dd", {}, value));
  byId("tiles").replaceChildren(
    tile("requests", count(stats.requests)),
    tile("rows", count(stats.rows)),
    tile("errors", count(stats.errors), stats.errors ? "fail" : ""),
    tile("rejected", count(rejected), rejected ? "fail" : ""),
  );
  byId("queued").textContent = count(stats.queued);
  for (const name of ["p50_ms", "p95_ms", "p99_ms"]) byId(name).textContent = milliseconds(stats[name]);
}

function fillTable(seconds) {
  const clock = new Intl.DateTimeFormat(currentLanguage(), { timeStyle: "medium", hourCycle: "h23" });
  const rows = seconds.toReversed().map((second) => {
    const counts = [second.requests, second.rows, second.errors].map(count);
    const values = [...counts, milliseconds(second.p50_ms), milliseconds(second.p99_ms)];
    const time = make("th", { scope: "row" }, clock.format(1000 * second.t));
    return make("tr", {}, time, ...values.map((value) => make("td", {}, value)));
  });
  const place = byId("traffic-rows");
  const body = place.querySelector("tbody");
  // Only the rows change, so that scrolling and focus stay.
  if (body) body.replaceChildren(...rows);
  else place.replaceChildren(table(["columnTime", "requests", "rows", "errors", "p50", "p99"], rows));
}
