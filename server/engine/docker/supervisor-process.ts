import {
  supervisorConfigVariable,
  supervisorMount,
  type SupervisorConfig,
} from "../../protocol/supervisor.ts";

/** In the volume that every member mounts: it needs nothing of the image. */
export const supervisorProgram = [
  `${supervisorMount}/bin/node`,
  `${supervisorMount}/lib/supervisor/supervisor.js`,
];

/** The supervisor's own variables; an image's would reach its node and loader and could end it. */
const hostileVariables = /^(LD_|NODE_|OPENSSL_|SSL_CERT_|GCONV_PATH$|MALLOC_)/;

/**
 * What the supervisor's own process is started with, beside what the engine gives it.
 *
 * @param given what the engine gives it.
 */
export function supervisorEnvironment(
  config: SupervisorConfig,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const blank = ["LD_PRELOAD", "NODE_OPTIONS", ...Object.keys(given)].filter((name) =>
    hostileVariables.test(name),
  );
  return {
    ...Object.fromEntries(blank.map((name) => [name, ""])),
    [supervisorConfigVariable]: JSON.stringify(config),
  };
}
