import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { unsaidService } from "../../protocol/service.ts";
import type { EnvValue, SourceService } from "../../protocol/service.ts";
import type { LeftOut } from "../../protocol/source-model.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { addonKinds } from "./platform.ts";
import type { AddonKind } from "./platform.ts";

export interface Addon {
  readonly service: SourceService;
  /** What it sets in every process. */
  readonly variables: readonly (readonly [string, Fact<EnvValue>])[];
}

/** The add-ons of app.json: a service each; its image is known where anybody can run its program. */
export function readAddons(
  top: MapCursor,
  { taken, leftOut }: { taken: Set<string>; leftOut: LeftOut[] },
): Addon[] {
  return top.list("addons").flatMap((item) => {
    const addon = readAddon(item, leftOut);
    if (addon === null) return [];
    const name = freeName(addon.as ?? addon.slug, taken);
    taken.add(name);
    return [{ service: serviceOf(name, addon), variables: variablesOf(addon) }];
  });
}

interface Read {
  readonly at: Cursor;
  /** Before the colon of the plan. */
  readonly slug: string;
  readonly plan: string;
  readonly as: string | null;
  readonly version: { readonly text: string; readonly at: Cursor } | null;
}

function readAddon(item: Cursor, leftOut: LeftOut[]): Read | null {
  const map = item.plain === null ? item.map() : null;
  const planAt = map === null ? item : map.required("plan", '"heroku-postgresql"');
  const plan = item.plain === null && map === null ? null : (planAt?.string() ?? null);
  if (plan === null) return null;
  const slug = /^([a-z0-9][a-z0-9-]*)(?::[\w-]+)?$/i.exec(plan)?.[1];
  if (slug === undefined) {
    const message = `${quote(plan)} is no plan: write one such as heroku-postgresql:mini.`;
    planAt?.error("bad-plan", message);
    return null;
  }
  for (const { name, key } of map?.entries ?? []) {
    if (["plan", "as", "options"].includes(name)) continue;
    const what = `${quote(name)} of add-on ${quote(plan)}`;
    leftOut.push({ what, why: "Oneloop does not know it.", where: key.where });
  }
  const options = map?.get("options")?.map() ?? null;
  for (const { name, key } of options?.entries ?? []) {
    if (name === "version") continue;
    const what = `option ${quote(name)} of add-on ${quote(plan)}`;
    leftOut.push({ what, why: "Only the version is read.", where: key.where });
  }
  const as = map?.get("as")?.string() ?? null;
  return { at: item, slug: slug.toLowerCase(), plan, as, version: readVersion(options) };
}

function readVersion(options: MapCursor | null): Read["version"] {
  const at = options?.get("version") ?? null;
  if (at === null) return null;
  const { node } = at;
  // People write 15 as often as "15", and both are "15" to Heroku.
  const text = node.kind === "scalar" ? node.raw : "";
  if (/^\d{1,4}(?:\.\d{1,4}){0,3}$/.test(text)) return { text, at };
  at.error("bad-version", `${quote(text)} is no version: write one such as "15".`);
  return null;
}

/** As a host name has it. */
function freeName(wish: string, taken: ReadonlySet<string>): string {
  const name = wish.toLowerCase().replaceAll(/[^a-z0-9-]+/g, "-");
  if (!taken.has(name)) return name;
  for (let at = 2; ; at += 1) if (!taken.has(`${name}-${at}`)) return `${name}-${at}`;
}

function serviceOf(name: string, { at, slug, plan, version }: Read): SourceService {
  const { where } = at;
  const kind = addonKinds.get(slug);
  const unsaid = unsaidService(where);
  const why = `The add-on ${slug} is a service that only Heroku's market has.`;
  return {
    ...unsaid,
    name: known(name, where),
    workload: known(`add-on ${plan}`, where),
    names: [known({ name, ports: [] }, where)],
    image:
      kind === undefined
        ? unknown(why, where)
        : known(
            version === null ? kind.image : imageOf(kind, version.text),
            (version?.at ?? at).where,
          ),
    memoryLimitBytes: unknown("It belongs to the plan.", where),
    endpoints: kind === undefined ? [] : [known(endpointOf(kind), where)],
  };
}

/** Since version 8 Heroku's Redis is Valkey. */
function imageOf({ image }: AddonKind, version: string): string {
  const isValkey = image === "redis" && Number.parseInt(version, 10) >= 8;
  return `${isValkey ? "valkey/valkey" : image}:${version}`;
}

function endpointOf({ port }: AddonKind) {
  return {
    name: `port-${port}`,
    targetPort: port,
    exposure: "internal" as const,
    protocol: "tcp" as const,
    secure: false,
    path: null,
  };
}

/** `as: MONGO` names the variable `MONGO_URL`. */
function variablesOf({ at, slug, as }: Read): Addon["variables"] {
  const kind = addonKinds.get(slug);
  const name = as === null ? kind?.variable : `${as.toUpperCase().replaceAll("-", "_")}_URL`;
  if (name === undefined || !/^[A-Z_][A-Z0-9_]*$/.test(name)) return [];
  return [[name, at.fact({ kind: "unknown", why: `The add-on ${slug} sets it.` })]];
}
