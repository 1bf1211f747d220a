import { hkdfSync } from "node:crypto";
import { request, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import type { Owner, SupervisorAddress, WorkspaceSpec } from "../../../server/engine/steps.ts";
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

const secretKey = "what-the-control-plane-alone-has";
/** Looks for texts, given in hexadecimal, in all the memory of a process; prints which were there. */
const scan = `
import sys
pid, needles = sys.argv[1], [bytes.fromhex(each) for each in sys.argv[2:]]
found = set()
with open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in open(f"/proc/{pid}/maps"):
        span, rights = line.split()[:2]
        at, end = (int(each, 16) for each in span.split("-"))
        if not rights.startswith("r"): continue
        before = b""
        while at < end:
            try:
                memory.seek(at)
                piece = memory.read(min(1 << 22, end - at))
            except (OSError, ValueError, OverflowError):
                break
            if not piece: break
            whole = before + piece
            found.update(index for index, needle in enumerate(needles) if needle in whole)
            before, at = whole[-128:], at + len(piece)
print(*sorted(found))
`;
/** PTRACE_ATTACH, and at once PTRACE_DETACH; prints the error's number, or 0. */
const trace = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
pid = int(sys.argv[1])
failed = libc.ptrace(16, pid, None, None) == -1
print(ctypes.get_errno() if failed else 0)
if not failed:
    os.waitpid(pid, 0)
    libc.ptrace(17, pid, None, None)
`;
/** EPERM. */
const refused = "1";

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

  it("its memory, descriptors and folders are closed to root, who cannot trace it either", async () => {
    for (const part of ["mem", "maps", "cwd/.", "root/.", "exe", "syscall", "environ"]) {
      const read = await shell("0:0", `cat /proc/${supervisorPid}/${part} | head -c 1 | wc -c`);
      expect(read.output, part).toMatch(/(Permission denied|Operation not permitted)\n0\n$/);
    }
    // Their numbers are no secret; what they are, and what they give, is.
    const each = `for f in /proc/${supervisorPid}/fd/*; do readlink $f || : < $f && echo taken; done`;
    const descriptors = await shell("0:0", `${each} 2>&1 | sort | uniq -c`);
    expect(descriptors.output).not.toMatch(/taken|socket:|pipe:|ptmx|oneloop/);
    expect(descriptors.output).toMatch(/Permission denied/);
    const traced = await shell("0:0", `python3 -c '${trace}' ${supervisorPid}`);
    expect(traced.output.trim()).toBe(refused);
    expect(await hello(address)).toMatchObject({ boot });
  });

  it("its own user may read its memory, as of every program of theirs, and finds no key there", async () => {
    // It has done what it does with keys: taken a signed request, and refused a forged one.
    const wanted = { workspace: owner.id, boot, actor: "ada", action: "terminal", readOnly: false };
    expect(await ask(signer.sign({ ...wanted, action: "terminal" }))).toBe(200);
    expect(await ask(`Oneloop ${"x".repeat(40)}.y`)).toBe(401);
    const seed = Buffer.from(hkdfSync("sha256", secretKey, "", "oneloop grants v1", 32));
    const publicKey = Buffer.from(signer.publicKey, "base64").subarray(-32);
    const forms = (bytes: Buffer): string[] => [
      bytes.toString("hex"),
      Buffer.from(bytes.toString("base64").slice(0, 40)).toString("hex"),
      Buffer.from(bytes.toString("hex")).toString("hex"),
    ];
    const needles = [
      Buffer.from(signer.publicKey).toString("hex"),
      publicKey.toString("hex"),
      ...forms(seed),
      ...forms(Buffer.from(secretKey)),
    ];
    const { exitCode, output } = await shell(
      "1000:1000",
      `python3 -c '${scan}' ${supervisorPid} ${needles.join(" ")}`,
    );
    expect(exitCode, output).toBe(0);
    // The public key is: so the search finds what is there.
    expect(output.trim().split(" ")).toContain("0");
    expect(
      output
        .trim()
        .split(" ")
        .filter((index) => Number(index) > 1),
    ).toEqual([]);
    expect(await hello(address)).toMatchObject({ boot });
  });

  it("its own user may stop it by a tracer, and gets no other right by that: it is a program of theirs", async () => {
    const { output } = await shell("1000:1000", `python3 -c '${trace}' ${supervisorPid}`);
    // Yama's ptrace_scope forbids it on some machines.
    expect(["0", refused]).toContain(output.trim());
    const status = await shell("1000:1000", `cat /proc/${supervisorPid}/status`);
    expect(status.output).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
    // No capability, and none to be had: a tracer would have it too.
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) {
      expect(status.output).toMatch(new RegExp(`^${set}:\\t0+$`, "m"));
    }
    expect(await hello(address)).toMatchObject({ boot });
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
