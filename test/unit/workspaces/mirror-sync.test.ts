import { describe, expect, it } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { FilesMessage } from "../../../server/protocol/control.ts";
import type { PlannedService } from "../../../server/protocol/service.ts";
import { mirrored, MirrorRig, owner, type RigOptions } from "./mirror-rig.ts";

// Production's services that are built from the workspace, and files that are saved there.
const folder = "/workspace/app/api";
const dockerfile = `FROM node
WORKDIR /
COPY package.json /app/
RUN npm ci
COPY --chown=7 src /app/src/
CMD ["node", "/app/src/server.js"]
`;

const build = {
  ...{ image: "shop/api:1", context: "api", dockerfile: "Dockerfile", args: {}, target: null },
};

async function start(
  change: Partial<PlannedService> = {},
  options: Omit<RigOptions, "builds"> = {},
): Promise<MirrorRig & { sources: Record<string, string> }> {
  const sources: Record<string, string> = {
    [`${folder}/Dockerfile`]: dockerfile,
    [`${folder}/.dockerignore`]: "notes/\nsrc/*.md\n",
    [`${folder}/src/server.js`]: "one",
  };
  const api = mirrored("api", {}, { command: ["node", "/app/src/server.js"], ...change });
  const rig = await MirrorRig.start([api, mirrored("db")], {
    ...options,
    sources,
    builds: [build],
  });
  await rig.state("api", "running");
  await rig.state("db", "running");
  return Object.assign(rig, { sources });
}

let id = 0;
function saved(change: Partial<FilesMessage>): FilesMessage {
  const none = { changed: [], removed: [], lost: false, unwatched: null };
  return { type: "files", id: (id += 1), folder, ...none, ...change };
}

function save(rig: MirrorRig, change: Partial<FilesMessage>): void {
  rig.mirrors.filesChanged(owner.id, saved(change));
}

const reason = (rig: MirrorRig, part: string): Promise<unknown> =>
  rig.until("api", (row) => row.state === "running" && row.reason?.includes(part) === true);

describe("a file that is saved", () => {
  it("has its context watched from the beginning, without what a build leaves out", async () => {
    await using rig = await start();
    expect(rig.watched.map(({ path }) => path)).toEqual([folder]);
    const isSkipped = (path: string): boolean =>
      rig.watched.some(({ skip }) => skip.some((source) => new RegExp(source).test(path)));
    expect(isSkipped("notes/x")).toBe(true);
    expect(isSkipped("src/node_modules/x")).toBe(true);
    expect(isSkipped("src/notes.js")).toBe(false);
  });

  it("comes into the container where its Dockerfile puts it, and the command starts again", async () => {
    await using rig = await start();
    save(rig, { changed: ["src/server.js"] });
    await reason(rig, "server.js changed: its command was started again.");
    expect(rig.engine.changesOf(owner, "api")).toEqual([
      {
        removed: [],
        files: [
          {
            ...{ path: "/app/src/server.js", root: "/app/src", mode: 0o644, modifiedMs: 1000 },
            ...{ uid: 1000, gid: 1000 },
            content: { kind: "bytes", bytes: Buffer.from("one") },
          },
        ],
      },
    ]);
    expect((await rig.until("api", () => true)).restarts).toBe(0);
    expect(rig.engine.changesOf(owner, "db")).toEqual([]);
    expect(rig.engine.calls.filter((call) => call === "buildImage")).toHaveLength(1);
  });

  it("is in a service that runs again by one step of the engine, and ends as any other", async () => {
    await using rig = await start();
    const before = rig.engine.calls.length;
    save(rig, { changed: ["src/server.js"] });
    await reason(rig, "server.js changed: its command was started again.");
    // The first is the number of whoever its Dockerfile gives the file to.
    const calls = rig.engine.calls.slice(before).filter((call) => call !== "observeService");
    expect(calls).toEqual(["ensureImage", "renewService"]);
    rig.engine.end(owner, "api", { exitCode: 3 });
    const ended = await rig.state("api", "backing-off");
    expect(ended).toMatchObject({ restarts: 0 });
    expect(ended.reason).toContain("status 3");
    await rig.timers.pass(1000);
    expect((await rig.state("api", "running")).restarts).toBe(1);
  });

  it("is in a service whose network has to be made sure of first, too", async () => {
    await using rig = await start();
    rig.engine.loseSandbox(owner);
    const before = rig.engine.calls.length;
    save(rig, { changed: ["src/server.js"] });
    await reason(rig, "server.js changed: its command was started again.");
    const calls = rig.engine.calls.slice(before);
    expect(calls.indexOf("ensureService")).toBeGreaterThan(calls.indexOf("renewService"));
    expect(rig.engine.changesOf(owner, "api")).toHaveLength(1);
    expect(await rig.running()).toContain("api");
  });

  it("only comes into the container where the program looks by itself", async () => {
    await using rig = await start({ command: ["nodemon", "src/server.js"] });
    const starts = rig.engine.calls.filter((call) => call === "ensureService").length;
    save(rig, { changed: ["src/server.js"] });
    await reason(rig, "server.js put in place; nodemon takes it up.");
    expect(rig.engine.calls.filter((call) => call === "ensureService")).toHaveLength(starts);
    expect(rig.engine.calls).not.toContain("stopService");
  });

  it("is removed in the container, too", async () => {
    await using rig = await start();
    save(rig, { removed: ["src/old/", "src/a.js"] });
    await reason(rig, "old and a.js changed");
    expect(rig.engine.changesOf(owner, "api")).toEqual([
      { files: [], removed: ["/app/src/old", "/app/src/a.js"] },
    ]);
  });

  it("that a program of the build uses has the image built anew, once it is quiet", async () => {
    await using rig = await start();
    save(rig, { changed: ["package.json"] });
    await rig.timers.slept(300);
    save(rig, { changed: ["src/server.js"] });
    await rig.timers.pass(300);
    await reason(rig, "package.json and server.js changed: its image was built anew.");
    expect(rig.engine.calls.filter((call) => call === "buildImage")).toHaveLength(2);
    expect(rig.engine.changesOf(owner, "api")).toEqual([]);
    const said = rig.events.find(({ code }) => code === "service-rebuilt");
    expect(said?.message).toBe(
      "api: package.json and server.js changed, and Dockerfile:3 takes it, and a program of the build may work on it: its image is built anew from the workspace's files.",
    );
  });

  it("that nothing of the image comes from, or that its context leaves out, changes nothing", async () => {
    await using rig = await start();
    const before = rig.engine.calls.length;
    save(rig, { changed: ["README.md", "src/notes.md", "notes/x"] });
    save(rig, { changed: ["src/server.js"] });
    await reason(rig, "server.js changed");
    expect(rig.engine.changesOf(owner, "api").flatMap(({ files }) => files)).toHaveLength(1);
    expect(rig.engine.calls.slice(before)).not.toContain("buildImage");
  });

  it("of which nobody kept the name has the image built anew", async () => {
    await using rig = await start();
    save(rig, { lost: true });
    await rig.timers.pass(300);
    await reason(rig, "Many files changed: its image was built anew.");
  });

  it("leaves what runs where the build fails, and says so", async () => {
    await using rig = await start();
    const container = (await rig.running()).includes("api");
    rig.engine.failNext("buildImage", new OneloopError("devfile-invalid", "Dockerfile:1: no."));
    save(rig, { changed: ["Dockerfile"] });
    await rig.timers.pass(300);
    const said = await reason(rig, "It could not be built from the workspace's files");
    expect(said).toMatchObject({ state: "running" });
    expect(container && (await rig.running()).includes("api")).toBe(true);
    expect(rig.events.find(({ level }) => level === "error")?.message).toContain(
      "Dockerfile:1: no.",
    );
  });

  it("starts a service at once that ended because of what was there before", async () => {
    await using rig = await start();
    rig.engine.end(owner, "api", { exitCode: 1 });
    await rig.state("api", "backing-off");
    save(rig, { changed: ["src/server.js"] });
    const up = await rig.until(
      "api",
      ({ state, reason: why }) =>
        state === "running" && why?.startsWith("server.js changed") === true,
    );
    expect(up.restarts).toBe(0);
  });

  it("waits for a service that is only about to start", async () => {
    await using rig = await start();
    const starts = (): number => rig.engine.calls.filter((one) => one === "ensureService").length;
    const before = starts();
    rig.engine.hangNext("ensureService");
    rig.mirrors.restart(rig.row, "api");
    await rig.state("api", "starting");
    while (starts() === before) await new Promise(setImmediate);
    save(rig, { changed: ["src/server.js"] });
    // What it could do now, it has done after these.
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(rig.engine.changesOf(owner, "api")).toEqual([]);
    rig.mirrors.restart(rig.row, "api");
    await reason(rig, "server.js changed");
    expect(rig.engine.changesOf(owner, "api")).toHaveLength(1);
  });

  it("is built where it cannot be put in place", async () => {
    await using rig = await start();
    rig.engine.failNext("renewService", new OneloopError("bad-input", "It is read-only."));
    save(rig, { changed: ["src/server.js"] });
    await rig.timers.pass(300);
    await reason(rig, "server.js changed: its image was built anew.");
    expect(rig.events.find(({ code }) => code === "service-rebuilt")?.message).toContain(
      "it could not be put in place (It is read-only.)",
    );
  });

  it("is said not to be seen where the folder is too large to watch, once", async () => {
    await using rig = await start();
    save(rig, { unwatched: "it has over 4000 folders" });
    save(rig, { unwatched: "it has over 4000 folders" });
    save(rig, { changed: ["src/server.js"] });
    await reason(rig, "server.js changed");
    expect(rig.events.filter(({ code }) => code === "files-unwatched")).toHaveLength(1);
  });

  it("is watched no more when the workspace ends", async () => {
    const rig = await start();
    await rig[Symbol.asyncDispose]();
    expect(rig.watched).toEqual([]);
  });
});

describe("what a service shows of it", () => {
  it("is each line of its Dockerfile, and what follows", async () => {
    await using rig = await start();
    expect(rig.mirrors.synced(rig.row, "api")).toEqual([
      { what: "api/package.json", how: "its image is built anew", where: "api/Dockerfile:3" },
      {
        what: "api/src",
        how: "put into /app/src; its command is started again",
        where: "api/Dockerfile:5",
      },
    ]);
  });
});
