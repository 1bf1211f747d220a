/** Powers of the suffixes that Kubernetes knows (apimachinery, `resource.Quantity`). */
const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * Parses a Kubernetes quantity such as `512Mi`, `1.5G`, `500m` or `1e3`. Null when it is none, is
 * negative, or is too large to be counted exactly.
 */
export function parseQuantity(text: string): number | null {
  const match =
    /^\+?(\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:([eE][+-]?\d{1,2})|([a-zA-Z]{0,2}))$/.exec(text);
  if (match === null) return null;
  const [, digits = "", exponent = "", suffix = ""] = match;
  const factor = Object.hasOwn(suffixes, suffix) ? suffixes[suffix] : undefined;
  if (factor === undefined) return null;
  // Dividing by a whole number rounds once, multiplying by 1e-3 twice.
  const amount = Number(`${digits}${exponent}`);
  const value = factor < 1 ? amount / Math.round(1 / factor) : amount * factor;
  return value <= Number.MAX_SAFE_INTEGER ? value : null;
}

/** Bytes, rounded up as Kubernetes does. Null when the text is no quantity. */
export function parseBytes(text: string): number | null {
  const value = parseQuantity(text);
  return value === null ? null : Math.ceil(value);
}

/** Cores, rounded up to a thousandth as Kubernetes does. Null when the text is no quantity. */
export function parseCores(text: string): number | null {
  const value = parseQuantity(text);
  // 0.1 * 1000 is a hair above 100: what is that close to a thousandth is that thousandth.
  return value === null ? null : Math.ceil(Number((value * 1000).toFixed(6))) / 1000;
}
