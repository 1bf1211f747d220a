import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { Images } from "../../../server/engine/docker/image-facts.ts";
import { Names } from "../../../server/engine/docker/names.ts";
import { Registries, unknownImages } from "../../../server/engine/docker/registries.ts";

/** What an engine without any image was asked. */
const asked: string[] = [];
const engine = createServer(({ method, url }, response) => {
  asked.push(`${method} ${url}`);
  response.writeHead(404, { "content-type": "application/json" });
  response.end('{"message":"no such image"}');
});
let folder: string;
let images: Images;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-engine-"));
  const socket = join(folder, "engine.sock");
  engine.listen(socket);
  await once(engine, "listening");
  const docker = new Docker({ socketPath: socket });
  const registries = new Registries(docker, { known: unknownImages(), given: [] });
  const names = new Names("abcdefgh");
  images = new Images({ docker, names, registries, defaultRef: "oneloop/workspace:0123" });
});
beforeEach(() => {
  asked.length = 0;
});
afterAll(async () => {
  engine.closeAllConnections();
  engine.close();
  await once(engine, "close");
  await rm(folder, { recursive: true });
});

const ensure = (image: string): Promise<unknown> =>
  images.ensure(image, { user: null }, { signal: AbortSignal.timeout(10_000) });

it.each(["get?names=oneloop/workspace:latest&x=", "../version?x=", "a/../../info", "A", ""])(
  "%j never gets into a URL of the engine, wherever it comes from",
  async (image) => {
    await expect(ensure(image)).rejects.toMatchObject({ code: "image-unavailable" });
    expect(asked).toEqual([]);
  },
);

it.each(["oneloop/helper:0123", "docker.io/oneloop/helper:0123", "index.docker.io/oneloop/helper"])(
  "%s is Oneloop's own, and never asked of a registry",
  async (image) => {
    await expect(ensure(image)).rejects.toMatchObject({ code: "image-unavailable" });
    expect(asked).toEqual([`GET /images/${image}/json`]);
  },
);

it("another image that is not there is asked of its registry", async () => {
  await expect(ensure("ghcr.io/oneloop/helper:1")).rejects.toMatchObject({
    code: "image-not-found",
  });
  expect(asked).toEqual([
    "GET /images/ghcr.io/oneloop/helper:1/json",
    "POST /images/create?fromImage=ghcr.io%2Foneloop%2Fhelper&tag=1",
  ]);
});
