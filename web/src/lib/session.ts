/** Where to go on after a sign-in in this tab: kept here, because the code takes the `#`. */
const storageKey = "oneloop.after-sign-in";

/** A place on our own pages; anything else is the first page. */
export function safePlace(place: string | null): string {
  return place !== null && /^\/(?![/\\])/.test(place) ? place : "/";
}

export function rememberPlace(place: string): void {
  sessionStorage.setItem(storageKey, place);
}

/** The remembered place, once. */
export function takePlace(): string {
  const place = sessionStorage.getItem(storageKey);
  sessionStorage.removeItem(storageKey);
  return safePlace(place);
}
