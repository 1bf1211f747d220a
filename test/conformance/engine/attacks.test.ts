import { request, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import type { Owner, SupervisorAddress, WorkspaceSpec } from "../../../server/engine/engine.ts";
import {
  supervisorConfigVariable,
  SupervisorConfig,
  supervisorPort,
} from "../../../server/protocol/supervisor.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { planOf, service } from "../../helpers/plans.ts";
import {
  containerOf,
  hello,
  insideAs,
  startTestEngine,
  step,
  workspaceOwner,
  type InsideResult,
  type TestEngine,
} from "../../helpers/test-engine.ts";

/** Who attacks: the user that the supervisor runs as, and root of the container. */
const attackers = [
  ["the supervisor's own user", "1000:1000"],
  ["root", "0:0"],
] as const;

const secretKey = "s".repeat(32);
/** In a shell of the dev service: the supervisor is the only child of its init. */
const supervisorPid = "$(tr -d ' ' < /proc/1/task/1/children)";

describe("an attack on the supervisor from inside its workspace", () => {
  const lifetime = new Lifetime();
  const owner: Owner = workspaceOwner();
  const signer = new GrantSigner(secretKey, { clock: systemClock, ids: randomIds });
  let test: TestEngine;
  let spec: WorkspaceSpec;
  let address: SupervisorAddress;
  let boot: string;

  const start = async (): Promise<void> => {
    await test.engine.ensureStorage(spec, step());
    await test.engine.ensureSandbox(spec, step());
    const setup = { publicKey: signer.publicKey, env: { OF_THE_PLAN: "known" } };
    ({ address, boot } = await test.engine.ensureMembers(spec, setup, step()));
  };

  beforeAll(async () => {
    test = lifetime.own(await startTestEngine());
    const image = test.images.workspace;
    const plan = planOf([
      service("dev", { image }),
      service("web", { image, command: ["sleep", "infinity"] }),
    ]);
    spec = { owner, name: "attacked", plan };
    await start();
  });
  afterAll(() => lifetime[Symbol.asyncDispose]());

  const shell = (user: string, script: string, name = "dev"): Promise<InsideResult> =>
    insideAs(user, { owner, service: name }, ["sh", "-c", script]);

  const ask = async (authorization: string, host = "supervisor"): Promise<number> => {
    const asked = request({
      ...address,
      agent: false,
      path: "/terminals",
      headers: { host, authorization },
    }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    await text(response);
    return response.statusCode ?? 0;
  };

  it.each(attackers)(
    "its files cannot be changed, hidden or mounted over by %s",
    async (_n, user) => {
      const attempts = [
        "touch /.oneloop/f",
        "echo x >> /.oneloop/lib/supervisor/supervisor.js",
        "rm -f /.oneloop/bin/node",
        "mv /.oneloop /elsewhere",
        "chmod 777 /.oneloop/lib",
        "mount -o remount,rw /.oneloop",
        "umount -l /.oneloop",
        "mount --bind /tmp /.oneloop",
        "mount -t tmpfs none /.oneloop/lib",
        "unshare --mount true",
      ];
      const tried = attempts.map(
        (attempt) => `if (${attempt}) 2>/dev/null; then echo '${attempt}'; fi`,
      );
      const { output } = await shell(user, tried.join("\n"));
      expect(output).toBe("");
      expect(await hello(address)).toMatchObject({ boot });
    },
  );

  it("its folder of sockets is closed to every other user", async () => {
    const listed = await shell("1234:1234", "ls /.oneloop/run");
    expect(listed.exitCode).not.toBe(0);
    expect(listed.output).toMatch(/Permission denied/);
  });

  it("its environment is closed to root, and tells its own user nothing that they may not know", async () => {
    const reading = `tr '\\0' '\\n' < /proc/${supervisorPid}/environ`;
    // It would need CAP_SYS_PTRACE, which no service has.
    expect((await shell("0:0", reading)).output).toMatch(/Permission denied/);
    const read = await shell("1000:1000", reading);
    expect(read.exitCode, read.output).toBe(0);
    expect(read.output).not.toContain(secretKey);
    const found = new Map(
      read.output
        .trim()
        .split("\n")
        .map((line): [string, string] => {
          const equals = line.indexOf("=");
          return [line.slice(0, equals), line.slice(equals + 1)];
        }),
    );
    const config = JSON.parse(found.get(supervisorConfigVariable) ?? "null") as object;
    // What the control plane puts there is this, and the key in it is the public one.
    expect(Object.keys(SupervisorConfig.strict().parse(config))).toContain("publicKey");
    expect(config).toMatchObject({ publicKey: signer.publicKey });
    found.delete(supervisorConfigVariable);
    const ofTheImage = (await docker.getImage(test.images.workspace).inspect()).Config.Env;
    const harmless = new Set(ofTheImage.map((line) => line.split("=")[0]));
    for (const name of ["HOME", "HOSTNAME", "PATH", "PWD", "LD_PRELOAD", "NODE_OPTIONS"]) {
      harmless.add(name);
    }
    expect([...found.keys()].filter((name) => !harmless.has(name))).toEqual([]);
  });

  it.each(attackers)("its port is closed to %s, from every service", async (_n, user) => {
    for (const name of ["dev", "web"]) {
      for (const host of ["127.0.0.1", "localhost", "::1", address.host, "dev"]) {
        const dial = `timeout 5 bash -c 'exec 3<>/dev/tcp/${host}/${supervisorPort}'`;
        const { exitCode, output } = await shell(user, dial, name);
        expect(exitCode, `${name} → ${host}`).not.toBe(0);
        expect(output, `${name} → ${host}`).toMatch(/refused/i);
      }
    }
  });

  it("a grant that was seen does not work again, nor one of an own key", async () => {
    const wanted = { workspace: owner.id, boot, actor: "ada", action: "terminal", readOnly: false };
    const grant = signer.sign({ ...wanted, action: "terminal" });
    expect(await ask(grant)).toBe(200);
    expect(await ask(grant)).toBe(401);
    const forger = new GrantSigner("f".repeat(32), { clock: systemClock, ids: randomIds });
    expect(await ask(forger.sign({ ...wanted, action: "terminal" }))).toBe(401);
    expect(await ask("")).toBe(401);
  });

  it("what takes its port while it is away is not taken for it", async () => {
    await docker.getContainer(await containerOf(owner, "dev")).kill();
    const impostor = `python3 -m http.server ${supervisorPort} > /dev/null 2>&1 &`;
    await shell("0:0", `trap '' HUP\n${impostor}`, "web");
    expect(await test.engine.supervisorAddress(owner)).toBeNull();
    // Nor is the workspace started beside it: its supervisor cannot listen, and says so.
    await expect(start()).rejects.toMatchObject({ code: "container-exited" });
    await docker.getContainer(await containerOf(owner, "web")).restart({ t: 0 });
    await start();
    expect(await hello(address)).toMatchObject({ boot, workspace: owner.id });
  });

  it("one that its user has stopped is ended all the same, and starts again", async () => {
    await shell("1000:1000", `kill -STOP ${supervisorPid}`);
    await test.engine.stop(owner, { signal: AbortSignal.timeout(20_000), graceMs: 1000 });
    expect((await test.engine.observe(owner)).sandbox).toBe("exited");
    await start();
    expect(await hello(address)).toMatchObject({ boot });
  });
});
