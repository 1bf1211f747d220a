import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:https";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { usualBuildLimits } from "../../../server/engine/docker/builds/limits.ts";
import { trustEnvironment } from "../../../server/engine/docker/images/trust.ts";
import type { ImageBuildRequest } from "../../../server/engine/images.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { testAuthority } from "../../helpers/certificates.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { carryAddresses, listenEverywhere } from "../../helpers/host-addresses.ts";
import { listening } from "../../helpers/listening.ts";
import { planOf, service } from "../../helpers/plans.ts";
import {
  inside,
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
  type TestEngineOptions,
} from "../../helpers/test-engine.ts";

const base = "oneloop/workspace:latest";
const metadataAddress = "169.254.169.254";
const privateAddress = "10.99.99.1";
const mebibyte = 1024 * 1024;

const lifetime = new Lifetime();
let test: TestEngine;
let owner: Owner;

beforeAll(async () => {
  test = lifetime.own(await startTestEngine());
  owner = workspaceOwner();
  const spec = { owner, name: "builds", plan: planOf([service("dev")]) };
  await test.engine.ensureStorage(spec, step());
  await test.engine.ensureSandbox(spec, step());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

type Files = Readonly<Record<string, string>>;

async function build(
  files: Files,
  more: Partial<ImageBuildRequest> & { by?: TestEngine; onLine?: (line: string) => void } = {},
) {
  const { by = test, onLine, ...asked } = more;
  const lines: string[] = [];
  const archive = pack();
  for (const [name, content] of Object.entries(files))
    archive.entry({ name, mode: 0o644 }, content);
  archive.finalize();
  const made = await by.engine.buildImage(
    {
      ...{
        owner,
        archive: Readable.from(archive),
        dockerfile: "Dockerfile",
        args: {},
        target: null,
      },
      ...asked,
    },
    {
      ...step(),
      onProgress: (line) => {
        lines.push(line);
        onLine?.(line);
      },
    },
  );
  return { ...made, lines };
}

/** A workspace of another installation, in which something can be built. */
async function opened(options: TestEngineOptions) {
  const by = await startTestEngine(options);
  const itsOwner = workspaceOwner();
  const spec = { owner: itsOwner, name: "builds", plan: planOf([service("dev")]) };
  try {
    await by.engine.ensureStorage(spec, step());
    await by.engine.ensureSandbox(spec, step());
  } catch (error) {
    await by[Symbol.asyncDispose]();
    throw error;
  }
  return { by, owner: itsOwner, [Symbol.asyncDispose]: async () => by[Symbol.asyncDispose]() };
}

/** An image that is not Oneloop's, as another tool makes it; disposing removes its name. */
async function localImage(tag: string, dockerfile: string): Promise<AsyncDisposable> {
  const archive = pack();
  archive.entry({ name: "Dockerfile" }, dockerfile);
  archive.finalize();
  const output = await docker.buildImage(Readable.from(archive), { t: tag });
  for await (const _ of output) continue;
  return {
    [Symbol.asyncDispose]: async () => {
      await docker.getImage(tag).remove({ force: true });
    },
  };
}

/** What a program prints in a container of the image, without a network. */
async function inImage(ref: string, ...command: string[]): Promise<string> {
  const [output] = await new Promise<[string]>((resolve, reject) => {
    const chunks: Buffer[] = [];
    docker
      .createContainer({
        Image: ref,
        ...(command.length === 0 ? {} : { Entrypoint: command, Cmd: [] }),
        HostConfig: { NetworkMode: "none" },
        Tty: true,
      })
      .then(async (container) => {
        const stream = await container.attach({ stream: true, stdout: true, stderr: true });
        stream.on("data", (piece: Buffer) => chunks.push(piece));
        await container.start();
        await container.wait();
        await container.remove({ force: true });
        resolve([Buffer.concat(chunks).toString("utf8").replaceAll("\r\n", "\n")]);
      })
      .catch(reject);
  });
  return output;
}

describe("a built image", () => {
  it("has what its Dockerfile says: files, programs' work, stages, arguments, settings", async () => {
    const files = {
      Dockerfile: `
ARG BASE=${base}
FROM \${BASE} AS first
USER root
ARG WHO=nobody
ARG GIVEN
ENV GREETING="hello $WHO"
WORKDIR /made
COPY in/ ./
RUN echo "$GREETING, $GIVEN, \${UNSET:-unset}" > said \\
    && ls > list
RUN ["sh", "-c", "echo vector > vector"]

FROM first AS unused
RUN exit 1

FROM ${base}
USER root
COPY --from=first /made /srv/
COPY --from=0 /made/said /again
SHELL ["/bin/bash", "-c"]
RUN <<EOF
set -e
[[ -f /again ]]
echo bash > /shell
EOF
EXPOSE 3000
LABEL org.example=yes
ENTRYPOINT ["cat"]
CMD ["/srv/said"]
`,
      "in/a.txt": "a\n",
      "in/skip.txt": "not this\n",
      ".dockerignore": "in/skip.txt\n",
    };
    const { ref, built: fresh, lines } = await build(files, { args: { GIVEN: "it's given" } });
    expect(fresh).toBe(true);
    expect(await inImage(ref)).toBe("hello nobody, it's given, unset\n");
    expect(await inImage(ref, "sh", "-c", "cd /srv; cat list vector /shell /again a.txt")).toBe(
      "a.txt\nlist\nsaid\nvector\nbash\nhello nobody, it's given, unset\na\n",
    );
    const { Config } = await docker.getImage(ref).inspect();
    expect(Config).toMatchObject({
      Entrypoint: ["cat"],
      Cmd: ["/srv/said"],
      User: "root",
      ExposedPorts: { "3000/tcp": {} },
    });
    expect(Config.Labels).toMatchObject({ "org.example": "yes" });
    // What is an argument of the build is no variable of the image.
    expect(Config.Env.join(" ")).not.toContain("GIVEN");
    expect(lines.some((line) => line.startsWith("RUN <<EOF"))).toBe(true);
  });

  it("is not built again while nothing changed, and always when something did", async () => {
    const files = {
      Dockerfile: `FROM ${base}\nARG A\nCOPY f /f\nRUN echo "$A" >/a || true\n`,
      f: "1",
    };
    const first = await build(files);
    expect(await build(files)).toMatchObject({ ref: first.ref, built: false });
    expect(await build({ ...files, "later.txt": "" })).not.toMatchObject({ ref: first.ref });
    const others = [
      await build({ ...files, f: "2" }),
      await build(files, { args: { A: "1" } }),
      await build({ ...files, Dockerfile: `${files.Dockerfile}ENV X=1\n` }),
      await build({ "d/Dockerfile": files.Dockerfile, f: "1" }, { dockerfile: "d/Dockerfile" }),
    ];
    expect(new Set([first, ...others].map(({ ref }) => ref)).size).toBe(5);
    const ignored = { ...files, ".dockerignore": "*.log\n" };
    const quiet = await build(ignored);
    expect(await build({ ...ignored, "x.log": "1" })).toMatchObject({
      ref: quiet.ref,
      built: false,
    });
  });

  it("is built again when its base is another under the same name", async () => {
    const tag = `oneloop-test/base:${owner.id.slice(0, 8)}`;
    const files = { Dockerfile: `FROM ${tag}\nRUN cp /which /built-on\n` };
    const refs: string[] = [];
    for (const which of ["one", "two"]) {
      await using _base = await localImage(
        tag,
        `FROM ${base}\nUSER root\nRUN echo ${which} > /which\n`,
      );
      const { ref } = await build(files);
      expect(await build(files)).toMatchObject({ ref, built: false });
      expect(await inImage(ref, "cat", "/built-on")).toBe(`${which}\n`);
      refs.push(ref);
    }
    expect(refs[1]).not.toBe(refs[0]);
  });

  it("that fails says where, with the program's last words, and leaves nothing behind", async () => {
    const files = { Dockerfile: `FROM ${base}\nRUN echo last words; exit 3\n` };
    await expect(build(files)).rejects.toThrow(
      /Dockerfile:2: the build's program ended with status 3\.\nlast words/,
    );
    // What a database does not keep, and what steers a terminal, is not in what is told.
    const odd = { Dockerfile: `FROM ${base}\nRUN printf 'a\\0b\\033[2Jc\\n'; exit 3\n` };
    await expect(build(odd)).rejects.toThrow(/status 3\.\nabc$/);
    await expect(build({ Dockerfile: `FROM ${base}\nCOPY nothing /x\n` })).rejects.toMatchObject({
      code: "image-unavailable",
    });
    await expect(build({ Dockerfile: "FROM a\nADD https://example.org/x /x\n" })).rejects.toThrow(
      /Dockerfile:2:1: add-url/,
    );
    await expect(build({ other: "" })).rejects.toThrow(/no Dockerfile/);
    expect(await jobsOf(owner)).toEqual([]);
  });

  it("whose base has triggers is refused: they would run unconfined", async () => {
    const tag = `oneloop-test/triggers:${owner.id.slice(0, 8)}`;
    await using _base = await localImage(tag, `FROM ${base}\nONBUILD RUN touch /x\n`);
    await expect(build({ Dockerfile: `FROM ${tag}\n` })).rejects.toThrow(/triggers/);
  });
});

describe("a build", () => {
  it("reaches neither this machine nor private addresses, and has no raw sockets", async () => {
    await using _addresses = await carryAddresses([metadataAddress, privateAddress]);
    await using listener = await listenEverywhere();
    const gateway = await gatewayOf(owner);
    const probe = (host: string): string =>
      `(timeout 5 bash -c 'cat < /dev/tcp/${host}/${listener.port}' 2>/dev/null || echo refused ${host})`;
    const hosts = [metadataAddress, privateAddress, gateway];
    const script = [...hosts.map(probe), "grep CapBnd /proc/self/status"].join("; ");
    const files = {
      Dockerfile: `FROM ${base}\nUSER root\nRUN (${script}) > /probe\nRUN echo here > /dev/null\n`,
    };
    const { ref } = await build(files);
    const said = await inImage(ref, "cat", "/probe");
    expect(said).not.toContain("reached");
    for (const host of hosts) expect(said).toContain(`refused ${host}`);
    const bounding = BigInt(`0x${/CapBnd:\s+([0-9a-f]+)/.exec(said)?.[1] ?? ""}`);
    // capabilities(7): NET_RAW is bit 13, MKNOD 27, NET_ADMIN 12.
    for (const bit of [12n, 13n, 27n]) expect((bounding >> bit) & 1n).toBe(0n);
    // It is the rules that refuse: the same probes without them.
    await using unruled = await opened({ isolation: "off" });
    const open = await build(files, unruled);
    const reached = await inImage(open.ref, "cat", "/probe");
    expect(reached).not.toContain("refused");
    expect(reached.match(/^reached$/gm)).toHaveLength(hosts.length);
  });

  it("has limits of memory, CPU and programs", async () => {
    const buildLimits = {
      ...usualBuildLimits,
      memoryBytes: 64 * mebibyte,
      cpuCores: 0.5,
      pids: 99,
    };
    await using limited = await opened({ buildLimits });
    const files = { Dockerfile: `FROM ${base}\nRUN echo begun; sleep 600\n` };
    let seen: Promise<object> | undefined;
    const ended = build(files, {
      ...limited,
      onLine: (line) => {
        if (line === "begun") seen = limitsOfJob(limited.owner);
      },
    });
    // The test ends the program when it has seen it.
    await expect(ended).rejects.toThrow(/status 137/);
    expect(await seen).toMatchObject({
      Memory: 64 * mebibyte,
      MemorySwap: 64 * mebibyte,
      CpuPeriod: 100_000,
      CpuQuota: 50_000,
      PidsLimit: 99,
    });
    const greedy = { Dockerfile: `FROM ${base}\nRUN python3 -c 'len(bytearray(200 << 20))'\n` };
    await expect(build(greedy, limited)).rejects.toThrow(/Dockerfile:2: .* status 137/);
  });

  it("may take the machine's cores, 4 GiB and half an hour, unless something else is said", () => {
    expect(usualBuildLimits).toMatchObject({
      memoryBytes: 4096 * mebibyte,
      cpuCores: availableParallelism(),
      timeoutMs: 30 * 60_000,
    });
  });

  it("that takes too long is ended, in words, and leaves nothing behind", async () => {
    const buildLimits = { ...usualBuildLimits, timeoutMs: 4000 };
    await using hasty = await opened({ buildLimits });
    const files = { Dockerfile: `FROM ${base}\nRUN echo begun; sleep 600\n` };
    const lines: string[] = [];
    const ended = build(files, { ...hasty, onLine: (line) => lines.push(line) });
    await expect(ended).rejects.toMatchObject({
      code: "deadline-exceeded",
      message: "The build of Dockerfile took longer than 4 s and was ended.",
    });
    expect(lines).toContain("begun");
    expect(await jobsOf(hasty.owner)).toEqual([]);
  });

  it("ends when it is cancelled", async () => {
    const controller = new AbortController();
    const archive = pack();
    archive.entry({ name: "Dockerfile" }, `FROM ${base}\nRUN echo begun; sleep 600\n`);
    archive.finalize();
    const building = test.engine.buildImage(
      { owner, archive: Readable.from(archive), dockerfile: "Dockerfile", args: {}, target: null },
      {
        signal: controller.signal,
        onProgress: (line) => {
          if (line === "begun") controller.abort();
        },
      },
    );
    await expect(building).rejects.toMatchObject({ code: "cancelled" });
    expect(await jobsOf(owner)).toEqual([]);
  });
});

describe("a build behind a TLS proxy with its own authority", () => {
  it("trusts it in each program, as the devfile's services do, and the image has nothing of it", async () => {
    await using folder = await temporaryFolder();
    await using _addresses = await carryAddresses([privateAddress]);
    const { caFile, tls } = await testAuthority(folder.path, privateAddress);
    await using server = await listening(
      createServer(tls, (_request, response) => response.end("fetched\n")),
      { host: privateAddress },
    );
    const url = `https://${privateAddress}:${server.port}/`;
    const allowNet = [`${privateAddress}:${server.port}`];
    // No image of Oneloop's own, which would trust it by itself.
    const tag = `oneloop-test/plain:${owner.id.slice(0, 8)}`;
    await using _plain = await localImage(tag, `FROM ${base}\nUSER root\n`);
    const byNode = `fetch("${url}").then((a) => a.text()).then((t) => fs.writeFileSync("/node", t))`;
    const curl = { Dockerfile: `FROM ${tag}\nRUN curl -sS -m 20 ${url} > /curl\n` };
    const node = { Dockerfile: `FROM ${tag}\nRUN ${JSON.stringify(["node", "-e", byNode])}\n` };
    const quiet = { Dockerfile: `FROM ${tag}\nCOPY f /f\n`, f: "1" };
    const keyOf = async (by?: Awaited<ReturnType<typeof opened>>) =>
      (await build(quiet, by)).ref.split(":")[1];
    const usualKey = await keyOf();
    {
      await using trusting = await opened({ caFile, allowNet });
      // What a program fetched by one authority is nothing for who trusts another.
      expect(await keyOf(trusting)).not.toBe(usualKey);
      const images = [await build(curl, trusting), await build(node, trusting)];
      expect(await inImage(images[0]?.ref ?? "", "cat", "/curl")).toBe("fetched\n");
      expect(await inImage(images[1]?.ref ?? "", "cat", "/node")).toBe("fetched\n");
      const { Config: before } = await docker.getImage(tag).inspect();
      for (const { ref } of images) {
        const { Config } = await docker.getImage(ref).inspect();
        expect(Config.Env).toEqual(before.Env);
        expect(Config.Volumes).toEqual(before.Volumes);
      }
      await expect(build({ Dockerfile: `FROM ${tag}\nRUN exit 5\n` }, trusting)).rejects.toThrow(
        /status 5/,
      );
      // What else a devfile runs does, too.
      const fetching = { image: tag, command: ["curl", "-sS", "-m", "20", url] };
      const plan = planOf([
        service("dev"),
        service("tools", { image: tag, command: ["sleep", "infinity"] }),
      ]);
      const { engine } = trusting.by;
      const spec = { owner: trusting.owner, name: "builds", plan };
      const once = { name: "init", service: service("once", fetching) };
      expect(await engine.runToEnd(spec, once, step())).toEqual({
        exitCode: 0,
        output: "fetched\n",
      });
      const setup = { publicKey: "key", env: {}, defaults: trustEnvironment };
      await engine.ensureMembers(spec, setup, step());
      for (const name of ["dev", "tools"]) {
        expect(await inside(trusting.owner, name, fetching.command)).toEqual({
          exitCode: 0,
          output: "fetched\n",
        });
      }
    }
    await using unknowing = await opened({ allowNet });
    expect(await keyOf(unknowing)).toBe(usualKey);
    await expect(build(curl, unknowing)).rejects.toThrow(/certificate/);
    await expect(build(node, unknowing)).rejects.toThrow(/status 1/);
  });
});

/** The limits of the program that a build runs just now, which is then ended. */
async function limitsOfJob(of: Owner): Promise<object> {
  const [id = ""] = await jobsOf(of);
  const container = docker.getContainer(id);
  const { HostConfig } = await container.inspect();
  await container.kill();
  return HostConfig;
}

async function jobsOf({ id }: Owner): Promise<string[]> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`oneloop.workspace=${id}`, "oneloop.role=job"] },
  });
  return found.map(({ Id }) => Id);
}

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "oneloop-builds-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function gatewayOf({ id }: Owner): Promise<string> {
  const [network] = await docker.listNetworks({ filters: { label: [`oneloop.workspace=${id}`] } });
  const gateway = network?.IPAM?.Config?.[0]?.["Gateway"];
  if (gateway === undefined) throw new Error("the workspace has no network");
  return gateway;
}
