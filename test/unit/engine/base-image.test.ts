import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import Docker from "dockerode";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { ensureBase, type Base } from "../../../server/engine/docker/images/base.ts";
import { systemExecer } from "../../../server/util/execer.ts";

const upstream = "debian:bookworm-slim";
const own = "oneloop/base:bookworm";

/** What the engine has, by name, and what it can pull. */
let present: Map<string, string>;
let registry: Map<string, string>;
/** What it was told that changes something. */
let told: string[];
let imported: Buffer;
let docker: Docker;
let folder: string;
let said: string[];

/** Those few answers of an engine that the base needs, in the words of its API (v1.41). */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "", "http://engine");
  const query = (name: string): string => url.searchParams.get(name) ?? "";
  const end = (status: number, body: object): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  const [, image = "", action] = /\/images\/(.+)\/(json|tag)$/.exec(decodeURI(url.pathname)) ?? [];
  const id = present.get(image);
  const body = await buffer(request);
  if (action !== undefined && id === undefined) return end(404, { message: "no such image" });
  if (action === "json") return end(200, { Id: id });
  const name = `${query("repo")}:${query("tag")}`;
  if (action === "tag") {
    told.push(`tag ${image} as ${name}`);
    present.set(name, id ?? "");
    return end(201, {});
  }
  if (query("fromSrc") === "-") {
    told.push(`import ${name} with ${url.searchParams.getAll("changes").join()}`);
    imported = body;
    present.set(name, "sha256:imported");
    return end(200, { status: "sha256:imported" });
  }
  const wanted = query("tag") === "" ? query("fromImage") : `${query("fromImage")}:${query("tag")}`;
  told.push(`pull ${wanted}`);
  const pulled = registry.get(wanted);
  if (pulled === undefined) return end(500, { message: `no way to the registry of ${wanted}` });
  present.set(wanted, pulled);
  end(200, { status: `Downloaded ${wanted}` });
}

beforeEach(async () => {
  [present, registry, told, said] = [new Map(), new Map(), [], []];
  imported = Buffer.alloc(0);
  folder = await mkdtemp(join(tmpdir(), "ol-base-"));
  const made = folder;
  const server = createServer((request, response) => void answer(request, response));
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await rm(made, { recursive: true, force: true });
  });
  const socketPath = join(folder, "engine.sock");
  await once(server.listen(socketPath), "listening");
  docker = new Docker({ socketPath });
  await mkdir(join(folder, "bin"));
});

function ensure(options: { root?: boolean; baseImage?: string } = {}): Promise<Base> {
  return ensureBase(
    {
      docker,
      signal: AbortSignal.timeout(20_000),
      onProgress: (_step, line) => said.push(line),
    },
    {
      baseImage: options.baseImage,
      execer: systemExecer,
      machine: { root: options.root ?? true, programs: join(folder, "bin") },
    },
  );
}

/** A program that notes how it was called. */
async function program(name: string, text: string, where = "bin"): Promise<void> {
  const lines = ["#!/bin/sh", `echo "${name} $*" >> ${folder}/ran`, text, ""];
  await writeFile(join(folder, where, name), lines.join("\n"), { mode: 0o755 });
}

/** A machine with apt, which has mmdebstrap. */
async function debian(): Promise<void> {
  await mkdir(join(folder, "packages"));
  const make = `for tar; do :; done; echo "a root file system" > "$tar"; echo "I: success" >&2`;
  await program("mmdebstrap", make, "packages");
  const install = `/bin/mv ${folder}/packages/* ${folder}/bin/`;
  await program("apt-get", `[ "$1" = update ] || ${install}`);
}

function ran(): string[] {
  const path = join(folder, "ran");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

test("upstream's image is pulled, and kept under a name of ours beside its own", async () => {
  await debian();
  registry.set(upstream, "sha256:upstream");
  expect(await ensure()).toEqual({ ref: own, id: "sha256:upstream" });
  expect(told).toEqual([`pull ${upstream}`, `tag ${upstream} as ${own}`]);
  expect(ran()).toEqual([]);

  // The next start finds it, and asks nobody.
  told = [];
  expect(await ensure()).toEqual({ ref: own, id: "sha256:upstream" });
  expect(told).toEqual([]);
});

test("where nothing can be pulled mmdebstrap makes one, under our name and no other", async () => {
  await debian();
  // Somebody's of that name is not taken for Debian's, and stays what it is.
  present.set(upstream, "sha256:somebodys");
  expect(await ensure()).toEqual({ ref: own, id: "sha256:imported" });
  expect(told[0]).toBe(`pull ${upstream}`);
  expect(told[1]).toMatch(new RegExp(`^import ${own} with .*LABEL oneloop.part=image`));
  expect(told).toHaveLength(2);
  expect(present.get(upstream)).toBe("sha256:somebodys");
  expect(imported.toString()).toBe("a root file system\n");

  const [update, install, made = "", ...more] = ran();
  expect([update, install, more]).toEqual([
    "apt-get update",
    "apt-get install -y --no-install-recommends mmdebstrap debian-archive-keyring",
    [],
  ]);
  expect(made).toMatch(/^mmdebstrap --variant=minbase .*bookworm \/\S+\/base\.tar$/);
  // What was imported is not kept, and what is done is said.
  expect(existsSync(made.split(" ").at(-1) ?? "")).toBe(false);
  expect(said).toContain(`pulling ${upstream}`);
  expect(said.join("\n")).toMatch(/cannot be pulled: .*no way to the registry/);
  expect(said).toContain("I: success");
});

test("mmdebstrap that is there is not installed again; one that fails is told", async () => {
  await program("apt-get", "");
  await program("mmdebstrap", `echo "E: no such mirror" >&2; exit 7`);
  await expect(ensure()).rejects.toMatchObject({
    code: "image-unavailable",
    message: expect.stringContaining("ONELOOP_BASE_IMAGE") as string,
    cause: { message: expect.stringMatching(/failed \(7\): E: no such mirror/) as string },
  });
  expect(ran()).toHaveLength(1);
  expect([...present]).toEqual([]);
});

test.each([
  ["without root", false, true],
  ["without apt", true, false],
])("%s none is made: the operator is told which setting to set", async (_name, root, apt) => {
  if (apt) await debian();
  await expect(ensure({ root })).rejects.toMatchObject({
    code: "image-unavailable",
    message: expect.stringContaining("Set ONELOOP_BASE_IMAGE") as string,
  });
  expect(ran()).toEqual([]);
});

test("the operator's image is used as it is named: found, pulled or refused, and never tagged", async () => {
  await debian();
  const baseImage = "registry.example/debian:12";
  await expect(ensure({ baseImage })).rejects.toMatchObject({
    code: "image-unavailable",
    message: expect.stringContaining(`ONELOOP_BASE_IMAGE is ${baseImage}`) as string,
  });
  registry.set(baseImage, "sha256:theirs");
  expect(await ensure({ baseImage })).toEqual({ ref: baseImage, id: "sha256:theirs" });
  expect(await ensure({ baseImage })).toEqual({ ref: baseImage, id: "sha256:theirs" });
  expect(told).toEqual(Array(2).fill(`pull ${baseImage}`));
  expect([...present.keys()]).toEqual([baseImage]);
  expect(ran()).toEqual([]);
});
