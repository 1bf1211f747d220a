import {
  supervisorConfigVariable,
  type SupervisorConfig,
} from "../../server/protocol/supervisor.ts";
import { parseJson, readConfig } from "./guards.ts";

/**
 * Takes the boot configuration out of the environment.
 *
 * @throws Refusal that says what is wrong with it.
 */
export function takeConfig(env: NodeJS.ProcessEnv): SupervisorConfig {
  const text = env[supervisorConfigVariable] ?? "";
  delete env[supervisorConfigVariable];
  return readConfig(parseJson(text));
}
