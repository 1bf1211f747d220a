import { Readable } from "node:stream";
import { beforeAll, describe, expect, it } from "vitest";
import { createDockerEngine } from "../../../server/engine/docker/index.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import type { ServiceFile } from "../../../server/engine/services.ts";
import { type PlannedService } from "../../../server/protocol/service.ts";
import { createLog } from "../../../server/util/log.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { service } from "../../helpers/plans.ts";
import { containerOf, step } from "../../helpers/test-engine.ts";
import { mirrored, noFiles, textFile } from "./mirrored.ts";
import { waiting } from "./suite.ts";
import {
  lifetime,
  test,
  image,
  open,
  specOf,
  bring,
  imagesOf,
  shell,
  tarOf,
  buildTestImage,
} from "./mirror-rig.ts";

describe("the files of production", () => {
  const files = [
    textFile("/etc/app/app.conf", "conf\n", 0o640),
    textFile("/new/deep/below.txt", "deep\n"),
    textFile("/state/seed.txt", "seed\n"),
  ];
  const web = (change: Partial<PlannedService> = {}): PlannedService =>
    mirrored("web", {
      image,
      command: waiting,
      mounts: [{ volume: "state", path: "/state" }],
      ...change,
      mirror: { files: files.map(({ planned }) => planned) },
    });
  const put: ServiceFile[] = files.map((file) => file.put);
  const list =
    "stat -c '%a %u %n' /etc/app/app.conf /new /new/deep; cat /etc/app/app.conf /new/deep/below.txt /state/seed.txt";
  const expected = ["640 0 /etc/app/app.conf", "755 0 /new", "755 0 /new/deep"];
  expected.push("conf", "deep", "seed");

  it.each([false, true])(
    "are there before it starts (read-only root: %s)",
    async (readOnlyRoot) => {
      await using world = await open([web({ readOnlyRoot })], { volumes: ["state"] });
      const reads: string[] = [];
      const start = (filesKey: string, again = false) =>
        world.start({
          service: "web",
          filesKey,
          again,
          readFiles: () => {
            reads.push(filesKey);
            return Promise.resolve(put);
          },
        });
      const spec = world.spec.plan.services.find(({ name }) => name === "web");
      expect(await start("a")).toEqual({ started: true });
      expect((await shell(world.owner, "web", list)).split("\n")).toEqual(expected);
      const [first, before] = [await containerOf(world.owner, "web"), reads.length];

      // The same again: the container is left alone, and nobody reads the files.
      expect(await start("a")).toEqual({ started: false });
      expect(await start("a", true)).toEqual({ started: true });
      expect([await containerOf(world.owner, "web"), reads.length]).toEqual([first, before]);
      expect(await imagesOf(world.owner)).toHaveLength(readOnlyRoot ? 1 : 0);

      expect(await start("b")).toEqual({ started: true });
      expect(await containerOf(world.owner, "web")).not.toBe(first);
      expect((await shell(world.owner, "web", list)).split("\n")).toEqual(expected);
      const { members, volumes, leftovers } = await test.engine.observe(world.owner);
      expect(members.find((one) => one.service === "web")?.runs).toMatchObject({
        image: spec?.image,
        readOnlyRoot,
        mounts: [{ volume: "state", path: "/state" }],
      });
      expect(volumes).toEqual(["home", "source", "state"]);
      expect(leftovers).toEqual([]);
      // Of the two that were made, the older is in nobody's use any more.
      await start("c");
      expect(await imagesOf(world.owner)).toHaveLength(readOnlyRoot ? 1 : 0);
    },
  );

  it.each([false, true])(
    "are put again after a killed start (read-only root: %s)",
    async (root) => {
      await using world = await open([web({ readOnlyRoot: root })], { volumes: ["state"] });
      const killed = world.start({
        service: "web",
        readFiles: () => Promise.reject(new Error("killed here")),
      });
      await expect(killed).rejects.toMatchObject({ code: "engine-failed" });
      await world.start({ service: "web", readFiles: () => Promise.resolve(put) });
      expect((await shell(world.owner, "web", list)).split("\n")).toEqual(expected);
    },
  );

  it("stay in the container, whatever links the image and the archive have", async () => {
    const linked = lifetime.own(
      await buildTestImage({
        Dockerfile: `FROM ${test.images.helper}\nCOPY root/ /\n`,
        "root/up": { link: "../../../../../../srv" },
        "root/way": { link: "/srv" },
        "root/to-oneloop": { link: "/.oneloop/bin" },
        "root/file": { link: "/etc/hostname-of-image" },
      }),
    );
    const at = (path: string): ServiceFile => textFile(path, "put\n").put;
    const one = (file: ServiceFile): PlannedService =>
      mirrored(`at-${files.length}`, {
        image: linked.image,
        command: waiting,
        mirror: { files: [textFile(file.path, "").planned] },
      });
    const plain = { ...one(at("/way/in/x")), name: "plain" };
    await using world = await open([
      plain,
      { ...one(at("/up/x")), name: "up" },
      { ...one(at("/to-oneloop/node")), name: "oneloop" },
    ]);
    const archive = Readable.from(
      await tarOf({
        "in/inner.txt": "inner\n",
        "in/out": { link: "/etc" },
        "../../up.txt": "up\n",
      }),
    );
    const folder: ServiceFile = {
      path: "/folder",
      mode: 0o755,
      content: { kind: "folder", archive },
    };
    const all = [at("/way/in/x"), at("/file"), at("/folder/../a/b"), folder];
    await world.start({ service: "plain", readFiles: () => Promise.resolve(all) });
    const seen = await shell(
      world.owner,
      "plain",
      "cat /srv/in/x /a/b /folder/in/inner.txt /folder/up.txt; readlink /way /folder/in/out; ls -l /file | cut -c1; ls /etc/hostname-of-image 2>&1 | tail -c 10",
    );
    expect(seen.split("\n")).toEqual([
      "put",
      "put",
      "inner",
      "up",
      "/srv",
      "/etc",
      "-",
      "directory",
    ]);
    // Nothing of this machine, and nothing of the supervisor that all workspaces share.
    await world.start({ service: "up", readFiles: () => Promise.resolve([at("/up/x")]) });
    expect(await shell(world.owner, "up", "cat /srv/x")).toBe("put");
    const through = {
      service: "oneloop",
      readFiles: () => Promise.resolve([at("/to-oneloop/node")]),
    };
    await expect(world.start(through)).rejects.toMatchObject({ code: "engine-failed" });
    expect(await shell(world.owner, "plain", "head -c 4 /.oneloop/bin/node | tail -c 3")).toBe(
      "ELF",
    );
  });

  it.each([
    ["/.oneloop/bin/node", /\.oneloop is not the image's/],
    ["/proc/1/environ", /\/proc is not the image's/],
    ["relative", /no path of a file/],
    ["/scratch/x", /in memory and empty/],
  ])("are refused at %s", async (path, message) => {
    const file = textFile(path, "x");
    const tmpfs = [{ path: "/scratch", sizeBytes: null }];
    await using world = await open([
      mirrored("web", { image, command: waiting, mirror: { files: [file.planned], tmpfs } }),
    ]);
    const start = world.start({ service: "web", readFiles: () => Promise.resolve([file.put]) });
    await expect(start).rejects.toMatchObject({ code: "bad-input", message });
  });

  it("are in no image that a plan can name", async () => {
    await using world = await open([web({ readOnlyRoot: true })], { volumes: ["state"] });
    await world.start({ service: "web", readFiles: () => Promise.resolve(put) });
    const [ref = ""] = await imagesOf(world.owner);
    expect(ref).toMatch(/^oneloop-files\//);
    for (const name of [ref, `docker.io/${ref}`]) {
      await expect(test.engine.ensureImage(name, step())).rejects.toMatchObject({
        code: "image-unavailable",
      });
    }
  });
});

describe("volumes of production", () => {
  let database: { image: string };
  beforeAll(async () => {
    database = lifetime.own(
      await buildTestImage({
        Dockerfile: `FROM ${test.images.helper}\nCOPY seed /var/lib/db/seed\nVOLUME /var/lib/db/ /other\n`,
        seed: "seed\n",
      }),
    );
  });

  it("keep what an image declares as a volume, over another supervisor and another image", async () => {
    const db = mirrored("db", { image: database.image, command: waiting });
    const own = service("own", { image: database.image, command: waiting });
    await using world = await open([db, own]);
    const { owner } = world;
    await world.start({ service: "db" });
    for (const name of ["db", "own"]) {
      expect(await shell(owner, name, "cat /var/lib/db/seed; echo kept > /var/lib/db/f")).toBe(
        "seed",
      );
    }
    const first = await containerOf(owner, "db");
    expect((await test.engine.observe(owner)).volumes).toEqual(["home", "source"]);

    // As a new release does it: the supervisor's volume has another name.
    await using upgraded = await upgradedEngine();
    await bring(world.spec, upgraded);
    const again = { ...noFiles, service: "db" };
    expect(await upgraded.engine.ensureService(world.spec, again, step())).toEqual({
      started: true,
    });
    expect(await containerOf(owner, "db")).not.toBe(first);
    for (const name of ["db", "own"]) {
      expect(await shell(owner, name, "cat /var/lib/db/seed /var/lib/db/f")).toBe("seed\nkept");
    }
    // No volume without a name, which nobody would find again.
    const { Mounts } = await docker.getContainer(await containerOf(owner, "db")).inspect();
    expect(Mounts.map(({ Destination }) => Destination).sort()).toEqual([
      "/.oneloop",
      "/other",
      "/var/lib/db",
    ]);
    for (const { Name } of Mounts) expect(Name).toMatch(/^oneloop-/);
    await test.engine.remove(owner, { ...step(), storage: false });
    await bring(world.spec);
    await world.start({ service: "db" });
    expect(await shell(owner, "db", "cat /var/lib/db/f")).toBe("kept");
  });

  it("are in memory where production says so, whatever the image declares", async () => {
    await using world = await open([
      mirrored("db", {
        image: database.image,
        command: waiting,
        mirror: { tmpfs: [{ path: "/var/lib/db", sizeBytes: 4096 }] },
      }),
    ]);
    await world.start({ service: "db" });
    expect(await shell(world.owner, "db", "stat -f -c %T /var/lib/db /other")).toMatch(
      /^tmpfs\next/,
    );
  });

  it("are read-only where production says so, and only the folder that it says", async () => {
    const folder = { volume: "data", subPath: "a/b" };
    await using world = await open(
      [
        mirrored("writer", {
          image,
          command: waiting,
          mounts: [
            { ...folder, path: "/w" },
            { volume: "data", subPath: "c", path: "/c" },
          ],
        }),
        mirrored("reader", {
          image,
          command: waiting,
          mounts: [{ volume: "data", subPath: "/a/b/", path: "/r", readOnly: true }],
        }),
      ],
      { volumes: ["data"] },
    );
    for (const name of ["writer", "reader"]) await world.start({ service: name });
    await shell(world.owner, "writer", "echo x > /w/f; ls /c");
    expect(await shell(world.owner, "reader", "cat /r/f; touch /r/g 2>&1 || true")).toMatch(
      /^x\n.*Read-only file system$/,
    );
    const { members, volumes } = await test.engine.observe(world.owner);
    expect(volumes).toEqual(["data", "home", "source"]);
    expect(members.find((one) => one.service === "reader")?.runs.mounts).toEqual([
      { volume: "data", path: "/r" },
    ]);

    const whole = mirrored("whole", {
      image,
      command: waiting,
      mounts: [{ volume: "data", path: "/all" }],
    });
    const around = specOf(world.owner, [...world.spec.plan.services.slice(1), whole], {
      volumes: ["data"],
    });
    await test.engine.ensureSandbox(around, step());
    await expect(world.start({ service: "writer" }, around)).rejects.toMatchObject({
      code: "plan-impossible",
      message: expect.stringMatching(/^writer wants only the folder a\/b .* whole has all of it/),
    });
  });
});

/** Of the same installation, with another supervisor. */
async function upgradedEngine(): Promise<{ engine: Engine } & AsyncDisposable> {
  const { installation, images } = test;
  const supervisorVolume = `oneloop-${installation}-supervisor-next`;
  const labels = { "oneloop.installation": installation, "oneloop.part": "supervisor" };
  await docker.createVolume({ Name: supervisorVolume, Labels: labels });
  const filler = await docker.createContainer({
    Image: images.supervisorImage,
    Cmd: ["/.oneloop/bin/init"],
    Labels: labels,
    HostConfig: { Mounts: [{ Type: "volume", Source: supervisorVolume, Target: "/.oneloop" }] },
  });
  await filler.remove();
  const engine = await createDockerEngine({
    dockerHost: process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock",
    installation,
    images: { ...images, supervisorVolume },
    subnets: "10.214.0.0/20",
    allowNet: [],
    isolation: "on",
    log: createLog({ level: "silent" }),
  });
  return { engine, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}
