/** Choices that outlive a reload. Where a browser blocks storage they hold until the page is left. */

const kept = new Map(); // name -> value that storage did not take

export function remembered(name, where = "localStorage") {
  if (kept.has(name)) return kept.get(name);
  try {
    return window[where].getItem(`burnish-${name}`);
  } catch {
    return null;
  }
}

/** Keep a choice; null forgets it. */
export function remember(name, value, where = "localStorage") {
  try {
    if (value === null) window[where].removeItem(`burnish-${name}`);
    else window[where].setItem(`burnish-${name}`, value);
    kept.delete(name);
  } catch {
    kept.set(name, value);
  }
}
