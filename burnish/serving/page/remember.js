/** Choices that outlive a reload. A browser that blocks storage forgets them, and the page still works. */

export function remembered(name, where = "localStorage") {
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
  } catch {
    // Nothing to do: the choice holds until the page is left.
  }
}
