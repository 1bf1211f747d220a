import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unknownImages } from "../../../server/engine/docker/registries.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import type { ImageReader } from "../../../server/engine/images.ts";
import type { OneloopError } from "../../../server/protocol/errors.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { importImage, registryUser, TestRegistry } from "../../helpers/registry.ts";
import {
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";

// The engine gives every image that it has to everybody: who may have one is Oneloop's to say.
const lifetime = new Lifetime();
let test: TestEngine;
let registry: TestRegistry;
let open: TestRegistry;
const known = unknownImages();

const given: string[] = [];
beforeAll(async () => {
  registry = lifetime.own(await TestRegistry.start({ isPrivate: true }));
  open = lifetime.own(await TestRegistry.start({ isPrivate: false }));
  given.push(`${registry.host}/acme/given:1`);
  test = lifetime.own(await startTestEngine({ knownImages: known, givenImages: given }));
});
afterAll(() => lifetime[Symbol.asyncDispose]());

let people = 0;
/** Somebody whom nobody has been before. */
function person(credential: typeof registryUser | null): ImageReader {
  people += 1;
  return { id: `person-${people}`, credentialFor: async () => credential };
}
const ada = (): ImageReader => person(registryUser);
const stranger = (): ImageReader => person(null);

async function refusal(
  ref: string,
  reader: ImageReader,
  engine: Engine = test.engine,
): Promise<string> {
  const thrown = await engine.ensureImage(ref, { ...step(), reader }).then(
    () => null,
    (error: OneloopError) => error,
  );
  return thrown === null ? "none" : `${thrown.code}: ${thrown.message}`;
}

describe("an image of a private registry", () => {
  it("is pulled with the person's own credential, which nothing says", async () => {
    const ref = await registry.push("acme/app:1", "of the private registry");
    const lines: string[] = [];
    const facts = await test.engine.ensureImage(ref, {
      ...step(),
      reader: ada(),
      onProgress: (line) => lines.push(line),
    });
    expect(facts.id).toMatch(/^sha256:/);
    expect(lines.join("\n")).toContain("Pulling");
    expect(lines.join("\n")).not.toContain(registryUser.password);
  });

  it("says what to do without one, with a wrong one, and where there is no such image", async () => {
    const ref = `${registry.host}/acme/other:1`;
    expect(await refusal(ref, stranger())).toBe(
      `image-denied: ${registry.host} does not let everybody read the image ${ref}, or has no such image. Store your credential for it with \`loop credentials set ${registry.host}\`.`,
    );
    const wrong = await refusal(ref, person({ ...registryUser, password: "a-guess" }));
    expect(wrong).toMatch(/^image-denied: .* with the credential that you have stored/);
    expect(wrong).not.toContain("a-guess");
    expect(await refusal(ref, ada())).toBe(
      `image-not-found: ${registry.host} has no image ${ref}. Check its name and tag.`,
    );
  });

  it("is nobody's who may not read it, because the engine has it", async () => {
    const ref = await registry.push("acme/cached:1", "brought by ada");
    await test.engine.ensureImage(ref, { ...step(), reader: ada() });
    expect(await refusal(ref, stranger())).toMatch(/^image-denied: /);
    expect(await refusal(ref, person({ ...registryUser, password: "no" }))).toMatch(
      /^image-denied: /,
    );
    expect(await refusal(ref, ada())).toBe("none");
    const { RepoDigests, Id } = await docker.getImage(ref).inspect();
    expect(await refusal(RepoDigests[0] ?? "", stranger())).toMatch(/^image-denied: /);
    // The engine would find it by the start of its id, too.
    const byId = await refusal(Id.slice("sha256:".length, "sha256:".length + 16), stranger());
    expect(byId).toMatch(/^image-(denied|not-found|unavailable): /);
  });

  it("cannot be had by a build or by a service either", async () => {
    const ref = await registry.push("acme/base:1", "a base");
    await test.engine.ensureImage(ref, { ...step(), reader: ada() });
    const owner = workspaceOwner();
    const spec = { owner, name: "reader", plan: planOf([service("dev")]) };
    await test.engine.ensureStorage(spec, step());
    await test.engine.ensureSandbox(spec, step());
    try {
      const archive = pack();
      archive.entry({ name: "Dockerfile" }, `FROM ${ref}\nENV A=1\n`);
      archive.finalize();
      const request = { owner, archive: Readable.from(archive), dockerfile: "Dockerfile" };
      const more = { args: {}, target: null, reader: stranger() };
      const building = test.engine.buildImage({ ...request, ...more }, step());
      await expect(building).rejects.toMatchObject({ code: "image-denied" });
      const plan = planOf([service("dev", { image: ref })]);
      const members = test.engine.ensureMembers(
        { ...spec, plan, reader: stranger() },
        { publicKey: "key", env: {} },
        step(),
      );
      await expect(members).rejects.toMatchObject({ code: "image-denied" });
    } finally {
      await test.engine.remove(owner, { ...step(), storage: true });
    }
  });

  it("stays so for the next control plane, and while the registry is away", async () => {
    const ref = await registry.push("acme/kept:1", "kept");
    const reader = ada();
    await test.engine.ensureImage(ref, { ...step(), reader });
    await registry.stop();
    try {
      const next = await test.another();
      const away = await refusal(ref, ada(), next);
      expect(away).toMatch(
        /^image-unavailable: .* is private, and its registry .* does not answer/,
      );
      expect(await refusal(ref, reader)).toBe("none");
    } finally {
      await registry.resume();
    }
  });

  it("is everybody's where the operator gives it to them", async () => {
    const [ref = ""] = given;
    await registry.push("acme/given:1", "given");
    await test.engine.ensureImage(ref, { ...step(), reader: ada() });
    expect(await refusal(ref, stranger())).toBe("none");
  });
});

describe("an image that everybody may read", () => {
  it("is there for all while its registry is away, whoever brought it", async () => {
    const ref = await open.push("acme/public:1", "public");
    await test.engine.ensureImage(ref, { ...step(), reader: ada() });
    await open.stop();
    try {
      expect(await refusal(ref, stranger(), await test.another())).toBe("none");
    } finally {
      await open.resume();
    }
  });

  it("that was there before Oneloop is asked about with its registry, and had without", async () => {
    const ref = await open.push("acme/before:1", "before");
    await docker.pull(ref).then(async (stream: NodeJS.ReadableStream) => {
      for await (const _ of stream);
    });
    await open.stop();
    expect(await refusal(ref, stranger())).toBe("none");
    await open.resume();
    const next = await test.another();
    expect(await refusal(ref, stranger(), next)).toBe("none");
    expect(open.requests.some((line) => line.includes("/v2/acme/before/manifests/"))).toBe(true);
  });
});

it("an image that was made here is nobody's business, whatever it is called", async () => {
  const ref = `${registry.host}/acme/made-here:1`;
  await importImage(ref, "made here");
  try {
    expect(await refusal(ref, stranger())).toBe("none");
    expect(registry.requests.filter((line) => line.includes("made-here"))).toEqual([]);
  } finally {
    await registry.forget(ref);
  }
});
