import type { Fact } from "../../protocol/fact.ts";
import { supervisorConfigVariable } from "../../protocol/supervisor.ts";
import type { MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";

/** Names that Kubernetes takes for environment variables. */
const envName = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
const reservedEnv = ["PROJECTS_ROOT", "PROJECT_SOURCE", supervisorConfigVariable];

/** The `env` list of a container or a command. Of two with one name the last counts, as in a pod. */
export function readEnv(self: MapCursor): Map<string, Fact<string>> {
  const env = new Map<string, Fact<string>>();
  for (const item of self.list("env")) {
    const map = item.map();
    if (map === null) continue;
    const nameAt = map.get("name");
    const name = nameAt?.string() ?? null;
    const valueAt = map.get("value");
    const value = valueAt?.string() ?? null;
    if (nameAt === null || name === null) continue;
    if (!envName.test(name) || name === "__proto__") {
      nameAt.error(
        "bad-env-name",
        `${quote(name)} is no name of a variable: use A-Z, 0-9 and "_".`,
      );
    } else if (reservedEnv.includes(name)) {
      nameAt.error("reserved-env", `${name} is set by Oneloop: remove it, or use another name.`);
    } else if (valueAt !== null && value !== null) {
      if (env.has(name)) {
        nameAt.warning("duplicate-env", `${name} is set twice, and this one counts: remove one.`);
      }
      env.set(name, valueAt.fact(value));
    }
  }
  return env;
}
