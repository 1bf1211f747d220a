import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ImageBuildRequest, Owner } from "../../../server/engine/engine.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { carryAddresses, listenEverywhere } from "../../helpers/host-addresses.ts";
import { planOf, service } from "../../helpers/plans.ts";
import {
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";

const base = "oneloop/workspace:latest";
const metadataAddress = "169.254.169.254";
const privateAddress = "10.99.99.1";

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

async function build(files: Files, more: Partial<ImageBuildRequest> = {}) {
  const lines: string[] = [];
  const archive = pack();
  for (const [name, content] of Object.entries(files))
    archive.entry({ name, mode: 0o644 }, content);
  archive.finalize();
  const made = await test.engine.buildImage(
    {
      ...{
        owner,
        archive: Readable.from(archive),
        dockerfile: "Dockerfile",
        args: {},
        target: null,
      },
      ...more,
    },
    { ...step(), onProgress: (line) => lines.push(line) },
  );
  return { ...made, lines };
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
    const left = await docker.listContainers({
      all: true,
      filters: { label: [`oneloop.workspace=${owner.id}`, "oneloop.role=job"] },
    });
    expect(left).toEqual([]);
  });

  it("whose base has triggers is refused: they would run unconfined", async () => {
    const tag = `oneloop-test/triggers:${owner.id.slice(0, 8)}`;
    const archive = pack();
    archive.entry({ name: "Dockerfile" }, `FROM ${base}\nONBUILD RUN touch /x\n`);
    archive.finalize();
    const output = await docker.buildImage(Readable.from(archive), { t: tag });
    for await (const _ of output) continue;
    try {
      await expect(build({ Dockerfile: `FROM ${tag}\n` })).rejects.toThrow(/triggers/);
    } finally {
      await docker.getImage(tag).remove({ force: true });
    }
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
    const { ref } = await build({
      Dockerfile: `FROM ${base}\nUSER root\nRUN (${script}) > /probe\nRUN echo here > /dev/null\n`,
    });
    const said = await inImage(ref, "cat", "/probe");
    expect(said).not.toContain("reached");
    for (const host of hosts) expect(said).toContain(`refused ${host}`);
    const bounding = BigInt(`0x${/CapBnd:\s+([0-9a-f]+)/.exec(said)?.[1] ?? ""}`);
    // capabilities(7): NET_RAW is bit 13, MKNOD 27, NET_ADMIN 12.
    for (const bit of [12n, 13n, 27n]) expect((bounding >> bit) & 1n).toBe(0n);
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
    const left = await docker.listContainers({
      all: true,
      filters: { label: [`oneloop.workspace=${owner.id}`, "oneloop.role=job"] },
    });
    expect(left).toEqual([]);
  });
});

async function gatewayOf({ id }: Owner): Promise<string> {
  const [network] = await docker.listNetworks({ filters: { label: [`oneloop.workspace=${id}`] } });
  const gateway = network?.IPAM?.Config?.[0]?.["Gateway"];
  if (gateway === undefined) throw new Error("the workspace has no network");
  return gateway;
}
