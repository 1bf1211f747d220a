import {
  supervisorConfigVariable,
  type SupervisorConfig,
} from "../../server/protocol/supervisor.ts";
import { parseJson, readConfig } from "./guards.ts";

/**
 * Takes the boot configuration out of the environment. One that enters a container has its home from
 * there: the runtime has looked it up in the container's own accounts, for the service's user.
 *
 * @throws Refusal that says what is wrong with it.
 */
export function takeConfig(env: NodeJS.ProcessEnv): SupervisorConfig {
  const text = env[supervisorConfigVariable] ?? "";
  delete env[supervisorConfigVariable];
  const config = readConfig(parseJson(text));
  return config.entered === undefined ? config : { ...config, home: env["HOME"] ?? config.home };
}
