import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GrantSigner } from "../../server/auth/grants.ts";
import type { Engine } from "../../server/engine/engine.ts";
import type { Owner, SupervisorAddress } from "../../server/engine/steps.ts";
import { Supervisors } from "../../server/terminals/supervisors.ts";
import { systemClock } from "../../server/util/clock.ts";
import { randomIds } from "../../server/util/ids.ts";
import { startSupervisor } from "../../workspace-image/supervisor/server.ts";

/** A workspace without a container: a real supervisor, and what a door needs to reach it. */
export interface FarEnd extends AsyncDisposable {
  readonly owner: Owner;
  readonly supervisors: Supervisors;
  /** Where the supervisor keeps its sockets. */
  readonly runFolder: string;
  /** Where the supervisor listens. */
  readonly address: SupervisorAddress;
  /** Whose signer the supervisor believes. */
  readonly secretKey: string;
}

/** The supervisor in this process, on a free port, with a home and a run folder of its own, and `sh` as login shell. */
export async function startFarEnd(): Promise<FarEnd> {
  const owner: Owner = { kind: "workspace", id: "far-end" };
  const home = await mkdtemp(join(tmpdir(), "oneloop-home-"));
  const runFolder = await mkdtemp(join(tmpdir(), "oneloop-run-"));
  const secretKey = "s".repeat(32);
  const signer = new GrantSigner(secretKey, { clock: systemClock, ids: randomIds });
  const supervisor = await startSupervisor({
    config: {
      workspace: owner.id,
      publicKey: signer.publicKey,
      cwd: home,
      home,
      shell: null,
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", SHELL: "/bin/sh" },
      tasks: [],
      imageCommand: [],
    },
    ports: [0],
    runFolder,
    log: () => undefined,
  });
  const address = { host: "127.0.0.1", port: supervisor.port };
  // Of the engine, a door needs only to know where the supervisor listens.
  const engine: Pick<Engine, "supervisorAddress"> = { supervisorAddress: async () => address };
  return {
    owner,
    address,
    runFolder,
    secretKey,
    supervisors: new Supervisors(engine as Engine, signer),
    async [Symbol.asyncDispose]() {
      await supervisor[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
      await rm(runFolder, { recursive: true, force: true });
    },
  };
}
