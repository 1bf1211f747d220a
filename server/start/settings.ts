import { readSettings, type Settings } from "../util/settings.ts";
import { dockerSocketPath } from "./docker.ts";

/**
 * All settings of a start. `check-settings.js` asks for them before anything is built.
 *
 * @throws OneloopError `bad-input` that names what is wrong.
 */
export function settingsOfStart(env: Readonly<Record<string, string | undefined>>): Settings {
  const settings = readSettings(env);
  dockerSocketPath(settings.DOCKER_HOST);
  return settings;
}
