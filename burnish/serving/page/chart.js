/** Charts of the last minute, as own SVG: bars and lines over seconds. Drawn at the size they are shown at. */

import { shape } from "./dom.js";
import { roof, tick } from "./numbers.js";
import { say } from "./say.js";

const SPAN = 60; // seconds
const HEIGHT = 190;
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 8, 10, 26];

/**
 * Draw a chart into `place`.
 *
 * Args: `seconds`, each with t in Unix seconds; `bars` and `lines` as {name: class}, where the name is a field of a
 * second; `said` is [key, values] of what the picture says to those who cannot see it.
 */
export function drawChart(place, seconds, { bars = {}, lines = {}, said }) {
  const width = Math.max(place.clientWidth, 240);
  const last = seconds.length ? seconds.at(-1).t : 0;
  const names = [...Object.keys(bars), ...Object.keys(lines)];
  const top = roof(Math.max(2, ...seconds.flatMap((second) => names.map((name) => second[name] ?? 0))), [1, 2, 4, 6, 8]);
  const slot = (width - LEFT - RIGHT) / SPAN;
  const x = (t) => width - RIGHT - (last - t + 1) * slot; // the left edge of a second
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / top;
  const picture = shape("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", class: "chart" });
  say(picture, ...said, "aria-label");
  for (const value of [0, top / 2, top]) {
    picture.append(shape("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: value ? "grid" : "axis" }));
    picture.append(shape("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, tick(value)));
  }
  picture.append(say(shape("text", { x: LEFT, y: HEIGHT - 6 }), "secondsAgo"));
  picture.append(say(shape("text", { x: width - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }), "rightNow"));
  const shown = seconds.filter((second) => last - second.t < SPAN);
  for (const [name, kind] of Object.entries(bars)) {
    for (const second of shown.filter((second) => second[name] > 0)) {
      const size = { x: x(second.t) + slot * 0.1, width: slot * 0.8, y: y(second[name]), height: y(0) - y(second[name]) };
      picture.append(shape("rect", { ...size, rx: 1, class: kind }));
    }
  }
  for (const [name, kind] of Object.entries(lines)) {
    for (const run of runs(shown, name)) {
      const points = run.map((second) => `${x(second.t) + slot / 2},${y(second[name])}`);
      if (points.length > 1) picture.append(shape("polyline", { points: points.join(" "), class: `line ${kind}` }));
      else picture.append(shape("circle", { cx: x(run[0].t) + slot / 2, cy: y(run[0][name]), r: 2.5, class: kind }));
    }
  }
  place.replaceChildren(picture);
}

/** Seconds in a row that have a value: a second without one breaks the line. */
function runs(seconds, name) {
  const found = [];
  let before = null;
  for (const second of seconds) {
    if (typeof second[name] !== "number") continue;
    if (before === second.t - 1) found.at(-1).push(second);
    else found.push([second]);
    before = second.t;
  }
  return found;
}
