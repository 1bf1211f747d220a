import { nearNames } from "../near-names.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";

/** A schema version's major, minor and patch number. */
export type Version = readonly [number, number, number];

/** Keys of one map of the devfile schema, with the version that brought them. */
export type Keys = Readonly<Record<string, { readonly since?: Version; readonly until?: Version }>>;

const always = {};
const since21 = { since: [2, 1, 0] } as const;
const since22 = { since: [2, 2, 0] } as const;
const until21 = { until: [2, 1, 0] } as const;

/** From the JSON schemas of devfile/api at its tags v2.0.0 to v2.3.0. */
export const topKeys: Keys = {
  schemaVersion: always,
  metadata: always,
  components: always,
  commands: always,
  events: always,
  parent: always,
  projects: always,
  starterProjects: always,
  attributes: since21,
  variables: since21,
  dependentProjects: { since: [2, 2, 2] },
};

/** The kinds of a component: each has exactly one of them. */
export const componentKinds = {
  container: always,
  volume: always,
  kubernetes: always,
  openshift: always,
  plugin: until21,
  image: since22,
  custom: always,
} as const satisfies Keys;

export const componentKeys: Keys = { name: always, attributes: always, ...componentKinds };

export const containerKeys: Keys = {
  image: always,
  command: always,
  args: always,
  env: always,
  memoryLimit: always,
  memoryRequest: since21,
  cpuLimit: since21,
  cpuRequest: since21,
  mountSources: always,
  sourceMapping: always,
  dedicatedPod: always,
  volumeMounts: always,
  endpoints: always,
  annotation: since22,
};

export const volumeKeys: Keys = { size: always, ephemeral: since21 };

export const envKeys: Keys = { name: always, value: always };

export const volumeMountKeys: Keys = { name: always, path: always };

export const endpointKeys: Keys = {
  name: always,
  targetPort: always,
  exposure: always,
  protocol: always,
  secure: always,
  path: always,
  attributes: always,
  annotation: since22,
};

/** The kinds of a command: each has exactly one of them. */
export const commandKinds = {
  exec: always,
  composite: always,
  apply: always,
  vscodeTask: until21,
  vscodeLaunch: until21,
} as const satisfies Keys;

export const commandKeys: Keys = { id: always, attributes: always, ...commandKinds };

export const execKeys: Keys = {
  component: always,
  commandLine: always,
  workingDir: always,
  env: always,
  label: always,
  group: always,
  hotReloadCapable: always,
};

export const compositeKeys: Keys = {
  commands: always,
  parallel: always,
  label: always,
  group: always,
};

export const applyKeys: Keys = { component: always, label: always, group: always };

export const groupKeys: Keys = { kind: always, isDefault: always };

/** What a group may be: keys, because they too came with versions. */
export const groupKinds: Keys = {
  build: always,
  run: always,
  test: always,
  debug: always,
  deploy: since22,
};

export const eventKeys = {
  preStart: always,
  postStart: always,
  preStop: always,
  postStop: always,
} as const satisfies Keys;

/** Where a project comes from: each has exactly one of them. */
export const projectKinds = {
  git: always,
  zip: always,
  github: until21,
} as const satisfies Keys;

export const projectKeys: Keys = {
  name: always,
  attributes: always,
  clonePath: always,
  sparseCheckoutDirs: until21,
  ...projectKinds,
};

export const gitKeys: Keys = { remotes: always, checkoutFrom: always };

export const checkoutFromKeys: Keys = { remote: always, revision: always };

export const zipKeys: Keys = { location: always };

/** Whether version `a` came before `b`. */
export function before(a: Version, b: Version): boolean {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at !== -1 && (a[at] ?? 0) < (b[at] ?? 0);
}

/** Reports the keys of `map` that the schema of `version` does not have. */
export function checkKeys(map: MapCursor, keys: Keys, version: Version): void {
  for (const { name, key } of map.entries) {
    const known = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (known === undefined) unknownKey(key, name, keys);
    else if (known.since !== undefined && before(version, known.since)) {
      key.error(
        "key-of-later-version",
        `${quote(name)} came with schemaVersion ${known.since.join(".")}: raise schemaVersion.`,
      );
    } else if (known.until !== undefined && !before(version, known.until)) {
      key.error(
        "key-of-earlier-version",
        `${quote(name)} ended with schemaVersion ${known.until.join(".")}: remove it.`,
      );
    }
  }
}

function unknownKey(key: Cursor, name: string, keys: Keys): void {
  const [near] = nearNames(name, Object.keys(keys));
  const advice =
    near === undefined ? `known here: ${Object.keys(keys).join(", ")}` : `did you mean "${near}"?`;
  key.error("unknown-key", `The devfile schema has no key ${quote(name)} here; ${advice}`);
}
