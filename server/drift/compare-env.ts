import { known } from "../protocol/fact.ts";
import type { Fact } from "../protocol/fact.ts";
import type { EnvValue } from "../protocol/service.ts";
import { addUnknown } from "./context.ts";
import type { Both, Context } from "./context.ts";
import { idOf, side, sideOf } from "./draft.ts";
import type { Reference } from "./addresses.ts";
import { compareText } from "./pair.ts";
import { hidden } from "./redact.ts";

type Env = Both["a"]["env"];

const portName = /^(.*?)_?port$/i;
/** Names of variables whose values are hosts. */
const hostName =
  /(?:^|[-_.])(?:host|hostname|addr|address|server|endpoint|broker|upstream|url|uri)s?$/i;

/** The environment: its keys, where its values lead, and what they say. */
export function compareEnv(both: Both, context: Context): void {
  const names = new Set([...Object.keys(both.a.env), ...Object.keys(both.b.env)]);
  // A port's variable may be an effect of what its host's variable says.
  const isPort = (name: string): number => (portName.test(name) ? 1 : 0);
  const inOrder = [...names].toSorted(
    (one, other) => isPort(one) - isPort(other) || compareText(one, other),
  );
  const isNamesOnly = both.a.envNamesOnly === true || both.b.envNamesOnly === true;
  const named: string[] = [];
  for (const name of inOrder) {
    const [one, other] = [valueOf(both.a.env, name), valueOf(both.b.env, name)];
    if (one !== null && other !== null && isNamesOnly) {
      // That both have it is all that can be said.
      context.draft.count(true);
      named.push(name);
    } else if (one !== null && other !== null)
      compareValue({ ...both, variable: name, one, other }, context);
    else compareKey({ ...both, variable: name }, { one, other }, context);
  }
  if (named.length > 0) addNotRead(both, named, context);
  compareElsewhere(both, context);
}

/** One cause: the values of a side are never read, however many there are. */
function addNotRead({ name, a, b }: Both, named: readonly string[], { draft }: Context): void {
  const words = `the values of ${named.length === 1 ? "1 variable" : `${named.length} variables`}`;
  const of = (service: Both["a"]) => {
    const where = service.env[named[0] ?? ""]?.where ?? service.name.where;
    return side(service.envNamesOnly === true ? `${words} (not read)` : words, where);
  };
  addUnknown(draft, { code: "env-value", service: name }, { a: of(a), b: of(b) });
}

function valueOf(env: Env, name: string): Fact<EnvValue> | null {
  const fact = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fact === undefined) return null;
  // What is not known by the value's own word is not known either.
  if (fact.known && fact.value.kind === "unknown") {
    return { known: false, why: fact.value.why, where: fact.where };
  }
  return fact;
}

interface Variable extends Both {
  readonly variable: string;
}

function show(name: string, context: Context) {
  return (value: EnvValue): string => {
    switch (value.kind) {
      case "literal":
        return value.value === "" ? "empty" : context.redactor.value(name, value.value);
      case "secretRef":
        return `key ${value.key} of secret ${value.secret}`;
      case "composed":
        return "a text with a secret in it";
      case "fromUser":
        return `asked from the user as ${value.name}`;
      case "unknown":
        return "not known";
    }
  };
}

function compareKey(
  { name, a, b, variable }: Variable,
  { one, other }: { one: Fact<EnvValue> | null; other: Fact<EnvValue> | null },
  context: Context,
): void {
  const { draft } = context;
  const missing = one === null ? a : b;
  const given = one ?? other;
  if (given === null) return;
  const shown = (fact: Fact<EnvValue> | null, at: Both["a"]) =>
    fact === null ? side(null, at.name.where) : sideOf(fact, show(variable, context));
  const sides = { a: shown(one, a), b: shown(other, b) };
  // The image sets it; no file says what it has from there.
  if (missing.imageDefaults?.env.includes(variable) === true) return;
  const has = one === null ? b : a;
  const isSet = given.known || has.envNamesOnly === true;
  // It may be among those that come from elsewhere; and a variable that nobody has set is none.
  if (missing.envElsewhere.length > 0 || !isSet) {
    addUnknown(draft, { code: "env-key", service: name, subject: variable }, sides);
    return;
  }
  draft.count(false);
  const what = `The variable ${variable} is set on one side only.`;
  if (given.known && given.value.kind === "literal") {
    const at = one === null ? "b" : "a";
    const references = context.addresses[at].references(given.value.value);
    const cause = causeOf(references, context);
    if (cause !== null) {
      draft.alsoBy(cause, { what: `${name}: ${what}`, ...sides });
      return;
    }
  }
  draft.add({ code: "env-key", service: name, subject: variable, what, ...sides });
}

/** A finding about a service that the references lead to and that is one side's alone. */
function causeOf(references: readonly Reference[], { draft }: Context): string | null {
  // Of several the first by name, whichever side comes first.
  const [first] = references
    .map(({ target, host }) => idOf({ code: "missing-service", service: target?.pair ?? host }))
    .filter((id) => draft.has(id))
    .toSorted(compareText);
  return first ?? null;
}

interface Values extends Variable {
  readonly one: Fact<EnvValue>;
  readonly other: Fact<EnvValue>;
}

function compareValue(values: Values, context: Context): void {
  const { name, variable, one, other } = values;
  const { draft } = context;
  const shown = show(variable, context);
  const sidesOf = () => ({ a: sideOf(one, shown), b: sideOf(other, shown) });
  if (!one.known || !other.known) {
    if (one.known !== other.known) {
      addUnknown(draft, { code: "env-value", service: name, subject: variable }, sidesOf());
    }
    return;
  }
  const [left, right] = [one.value, other.value];
  if (isSecret(left) || isSecret(right)) {
    // Two references are the same however the secrets are called: names of two systems.
    const asks = left.kind === "fromUser" || right.kind === "fromUser";
    const same = (isSecret(left) && isSecret(right)) || asks;
    draft.count(same);
    if (same) return;
    const what = `${variable} is a text on one side, and a secret on the other.`;
    const sides = sidesOf();
    const hide = (value: EnvValue, each: typeof sides.a) =>
      value.kind === "literal" ? side(hidden, each.where) : each;
    draft.add({
      code: "secret-literal",
      service: name,
      subject: variable,
      what,
      a: hide(left, sides.a),
      b: hide(right, sides.b),
    });
  } else if (left.kind === "literal" && right.kind === "literal") {
    compareLiterals({ ...values, left: left.value, right: right.value, sidesOf }, context);
  }
}

function isSecret(value: EnvValue): boolean {
  return value.kind === "secretRef" || value.kind === "composed";
}

interface Literals extends Variable {
  readonly left: string;
  readonly right: string;
  readonly sidesOf: () => Record<"a" | "b", ReturnType<typeof side>>;
}

function compareLiterals(literals: Literals, context: Context): void {
  const { name, variable, sidesOf } = literals;
  const { draft, addresses } = context;
  const [left, right] = [addressText(literals, "a"), addressText(literals, "b")];
  const [ofA, ofB] = [addresses.a.references(left), addresses.b.references(right)];
  const deadA = deadOf({ own: ofA, others: ofB, text: left }, variable);
  const deadB = deadOf({ own: ofB, others: ofA, text: right }, variable);
  const dead = (deadA === null) !== (deadB === null);
  // Without a name of a service in it, a text means itself.
  const meaning = (at: "a" | "b", text: string, found: readonly Reference[]): string =>
    found.some(({ target }) => target !== null) ? addresses[at].meaning(text) : text;
  const means = meaning("a", left, ofA) === meaning("b", right, ofB);
  const same = !dead && (means || (left === right && literals.left === literals.right));
  draft.count(same);
  if (same) return;
  const sides = sidesOf();
  const missing = causeOf([...ofA, ...ofB], context) ?? deadHost(literals, context);
  if (missing !== null) {
    draft.alsoBy(missing, { what: `${name}: ${variable} differs.`, ...sides });
  } else if (dead) {
    const what = `${variable} names ${deadA ?? deadB}, which nobody serves there.`;
    draft.add({ code: "dead-address", service: name, subject: variable, what, ...sides });
  } else {
    const moved = movedPort(literals, { left, right }, context);
    const what =
      moved === null ? `The variable ${variable} differs.` : `${name}: ${variable} differs.`;
    if (moved !== null) draft.add({ code: "port", service: moved, what, ...sides });
    else draft.add({ code: "env-value", service: name, subject: variable, what, ...sides });
  }
}

/** `db:5432` for the variable DB_PORT beside DB_HOST; else the value as it is. */
function addressText({ variable, left, right, ...both }: Literals, at: "a" | "b"): string {
  const value = at === "a" ? left : right;
  const host = hostBeside(variable, both[at].env);
  if (host === null || !/^\d{1,5}$/.test(value)) return value;
  return `${host.value}:${value}`;
}

/** The variable that names the host for a port's: DB_HOST for DB_PORT. */
function hostBeside(variable: string, env: Env): { name: string; value: string } | null {
  const prefix = portName.exec(variable)?.[1];
  if (prefix === undefined || prefix === "") return null;
  for (const word of ["HOST", "HOSTNAME", "ADDR", "ADDRESS", "SERVER"]) {
    for (const name of [
      `${prefix}_${word}`,
      `${prefix}${word}`,
      `${prefix}_${word.toLowerCase()}`,
    ]) {
      const fact = valueOf(env, name);
      if (fact?.known !== true || fact.value.kind !== "literal") continue;
      if (/^[\w.-]+$/.test(fact.value.value)) return { name, value: fact.value.value };
    }
  }
  return null;
}

/** The finding that the host beside a port's variable is nobody's. */
function deadHost({ name, variable, a, b }: Literals, { draft }: Context): string | null {
  for (const env of [a.env, b.env]) {
    const host = hostBeside(variable, env);
    const id = idOf({ code: "dead-address", service: name, subject: host?.name ?? "" });
    if (host !== null && draft.has(id)) return id;
  }
  return null;
}

/** What of a value nobody serves: a name that nobody has, or a port to which it does not lead. */
function deadOf(
  { own, others, text }: { own: readonly Reference[]; others: readonly Reference[]; text: string },
  variable: string,
): string | null {
  const dead = own.find(({ target }) => target === null || target.refused);
  if (dead !== undefined) return dead.port === null ? dead.host : `${dead.host}:${dead.port}`;
  // A word alone is a host where the variable says so, and the other side's leads to a service.
  const word = /^[a-z][a-z0-9-]*$/i.test(text) && !/^localhost$/i.test(text);
  const led = others.length === 1 && others[0]?.target !== null;
  return own.length === 0 && word && led && hostName.test(variable) ? text : null;
}

/** The service whose port is all that differs here; null: something else does, too. */
function movedPort(
  { name, variable, a, b, left: valueA, right: valueB }: Literals,
  { left, right }: { left: string; right: string },
  { addresses, pairs }: Context,
): string | null {
  const targets = addresses.a.references(left).flatMap(({ target }) => target?.pair ?? []);
  if (
    targets[0] !== undefined &&
    addresses.a.meaning(left, false).replaceAll(/:\d+/g, "") ===
      addresses.b.meaning(right, false).replaceAll(/:\d+/g, "")
  ) {
    return targets[0];
  }
  const numbers = [valueA, valueB].every((value) => /^\d{1,5}$/.test(value));
  const word = numbers ? portName.exec(variable)?.[1] : undefined;
  if (word === undefined) return null;
  // `AD_PORT` is of the service `ad`; `PORT` and `HTTP_PORT` are the service's own.
  const plain = (text: string) =>
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, "")
      .replace(/service$/, "");
  const named = pairs.find((each) => plain(each.name) === plain(word))?.name;
  if (named !== undefined) return named;
  const listens = [[a, valueA] as const, [b, valueB] as const].every(([service, value]) =>
    service.endpoints.some((each) => each.known && each.value.targetPort === Number(value)),
  );
  return listens || /^(?:http|server|listen|app|web)?$/i.test(word) ? name : null;
}

/** Whole maps that are not there: what they set is not known. */
function compareElsewhere({ name, a, b }: Both, { draft }: Context): void {
  const [one, other] = [a.envElsewhere[0], b.envElsewhere[0]];
  const said = (fact: Fact<string> | undefined, at: Both["a"]) =>
    fact === undefined ? known("nothing from elsewhere", at.name.where) : fact;
  if ((one === undefined) === (other === undefined)) return;
  const sides = {
    a: sideOf(said(one, a), (text) => text),
    b: sideOf(said(other, b), (text) => text),
  };
  addUnknown(draft, { code: "env-key", service: name, subject: "from elsewhere" }, sides);
}
