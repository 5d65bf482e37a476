/** The code in the page's address. It stands behind the #, which browsers don't send, and goes as soon as it is read. */

/** Takes the fragment out of the address and out of the history; empty where there was none. */
export function takeFragment(): string {
  const fragment = location.hash.slice(1);
  if (fragment !== "") history.replaceState(null, "", `${location.pathname}${location.search}`);
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
