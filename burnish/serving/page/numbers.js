/** Numbers as they are shown: the same in both languages. */

const NOTHING = "–";

const fixed = (digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [whole, one, two] = [0, 1, 2].map(fixed);
const free = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const finite = (value) => typeof value === "number" && Number.isFinite(value);

export const count = (value) => (finite(value) ? whole.format(value) : NOTHING);
export const milliseconds = (value) => (finite(value) ? (value < 10 ? one : whole).format(value) : NOTHING);
export const percent = (share) => (finite(share) ? `${one.format(100 * share)} %` : NOTHING);
export const figure = (value) => (finite(value) ? (Math.abs(value) < 100 ? two : whole).format(value) : NOTHING);
export const tick = (value) => free.format(value);

/** The middle of some numbers. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The smallest of 1, 2, 5, 10, 20, 50, ... that is not under a value; with other steps, of those in place of 1, 2, 5. */
export function roof(value, steps = [1, 2, 5]) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [...steps, 10].map((step) => step * power).find((step) => step >= value * (1 - 1e-9));
}
