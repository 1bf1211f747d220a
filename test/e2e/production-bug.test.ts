import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DriftReport } from "../../server/protocol/drift.ts";
import type { WorkspaceDetail, WorkspaceServiceView } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { docker } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { buildGovappImages, createGovappRepository } from "../helpers/govapp.ts";
import { Installation, run } from "../helpers/installation.ts";
import { workspaceShell, type Shell } from "../helpers/workspace-shell.ts";

// GovApp with an export that spools to the disk, or keeps everything in memory where it cannot:
// right under the compose file, and killed where production's root is read-only and memory is short.

const exported = `  "GET /export": async () => {
    const { openSync, writeSync } = await import("node:fs");
    const page = Buffer.alloc(1024 * 1024, "x");
    const kept = [];
    let spool = null;
    try {
      spool = openSync("/tmp/export.csv", "w");
    } catch {
      // Then without the disk.
    }
    for (let count = 0; count < 400; count += 1) {
      if (spool === null) kept.push(Buffer.from(page));
      else writeSync(spool, page);
    }
    return { pages: 400 };
  },
`;

const imageComponent = `
  - name: back-end-image
    image:
      imageName: govapp/back-end:1.4.0
      dockerfile: { uri: back-end/Dockerfile, buildContext: back-end }
`;

const life = new Lifetime();
let folder: string;
let work: string;
let url: string;
let oneloop: Installation;
let inside: Shell;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-bug-"));
  life.defer(() => rm(folder, { recursive: true, force: true }));
  const repository = await createGovappRepository(folder);
  url = repository.url;
  work = join(folder, "work");
  await git(folder, "clone", "--quiet", repository.path, work);
  await rewrite("back-end/server.js", "const routes = {\n", `const routes = {\n${exported}`);
  await writeFile(
    join(work, "back-end/Dockerfile"),
    "FROM govapp/back-end:dev\nCOPY server.js /app/server.js\n",
  );
  await rewrite("devfile.yaml", /$/, imageComponent);
  await rewrite(
    "k8s/back-end.yaml",
    "runAsUser: 1000",
    "runAsUser: 1000\n            readOnlyRootFilesystem: true",
  );
  // As such files are: nobody set a limit on a developer's machine.
  await rewrite("compose.yaml", /( {6}retries: 12\n) {4}mem_limit: 256m\n/, "$1");
  await git(work, "add", "--all");
  await git(work, "commit", "--quiet", "--message", "An export");
  await git(work, "push", "--quiet", "origin", "main");
  await buildGovappImages(docker);
  oneloop = life.own(
    await Installation.start({
      env: { ONELOOP_IMAGE_MAP: "govapp/database:1.4.0=govapp/database:dev" },
    }),
  );
  inside = await workspaceShell(oneloop, folder);
});
afterAll(() => life[Symbol.asyncDispose]());

async function rewrite(path: string, what: string | RegExp, by: string): Promise<void> {
  const before = await readFile(join(work, path), "utf8");
  const after = before.replace(what, by);
  if (after === before) throw new Error(`${path} has no ${what}`);
  await writeFile(join(work, path), after);
}

/**
 * Runs in the dev container, whose image has Node. A program there is told nothing of another
 * service's readiness: it asks again, a few times a second, and the test's own time ends that.
 */
const asking = (path: string): string => `
const ask = (path) => fetch("http://back-end:3001" + path);
const ready = async () => {
  const { ok } = await ask("/services").catch(() => ({ ok: false }));
  if (ok) return;
  await new Promise((resolve) => setTimeout(resolve, 200));
  await ready();
};
ready()
  .then(() => ask("${path}"))
  .then((answer) => answer.text())
  .then((text) => console.log(text.trim()), () => console.log("cut off"));
`;

/** Asks the back end for its export from the dev container, once it is ready. */
async function exportIn(mirror: string): Promise<{ workspace: string; answer: string }> {
  const { name } = await oneloop.loopJson<WorkspaceDetail>("open", url, "--mirror", mirror);
  const asked = await inside(name, "node -", asking("/export"));
  return { workspace: name, answer: asked.stdout.trim() };
}

async function backEnd(workspace: string): Promise<WorkspaceServiceView | undefined> {
  const { services } = await oneloop.loopJson<WorkspaceDetail>("show", workspace);
  return services.find(({ name }) => name === "back-end");
}

it("a bug of production's settings does not show under the compose file", async () => {
  const { workspace, answer } = await exportIn("compose.yaml");
  expect(answer).toBe('{"pages":400}');
  expect(await backEnd(workspace)).toMatchObject({ state: "running", restarts: 0 });
  expect((await oneloop.loop("delete", workspace, "--force")).exitCode).toBe(0);
});

it("shows in the mirror of production, which says what became of the service", async () => {
  const { workspace, answer } = await exportIn("k8s");
  expect(answer).toBe("cut off");
  await inside(workspace, "node -", asking("/health"));
  const { events } = await oneloop.loopJson<WorkspaceDetail>("show", workspace);
  expect(await backEnd(workspace)).toMatchObject({ restarts: 1 });
  expect(events.map(({ message }) => message).join("\n")).toMatch(/back-end.*memory/);
});

it("is explained by `loop drift`, which names both causes with the lines of both sides", async () => {
  const { exitCode, stdout } = await run(
    process.execPath,
    [join(import.meta.dirname, "../../cli/bin/loop.js"), "drift", "compose.yaml", "k8s", "--json"],
    { env: oneloop.env, cwd: work },
  );
  expect(exitCode).toBe(1);
  const { findings } = JSON.parse(stdout) as DriftReport;
  const causes = findings.filter(
    ({ class: kind, service }) => kind === "breaking" && service === "back-end",
  );
  const b = (line: number) => expect.objectContaining({ file: "k8s/back-end.yaml", line });
  const a = (line: number) => expect.objectContaining({ file: "compose.yaml", line });
  expect(causes).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        id: "memory-limit:back-end",
        a: {
          value: "no limit",
          where: a(await lineOf("compose.yaml", "image: govapp/back-end:dev")),
        },
        b: { value: "256Mi", where: b(await lineOf("k8s/back-end.yaml", "limits:")) },
      }),
      expect.objectContaining({
        id: "read-only-root:back-end",
        a: { value: "writable", where: a(await lineOf("compose.yaml", "\n  back-end:\n")) },
        b: {
          value: "read-only",
          where: b(await lineOf("k8s/back-end.yaml", "readOnlyRootFilesystem")),
        },
      }),
    ]),
  );
});

/** 1-based, of the line where `text` is first; a line break before it does not count. */
async function lineOf(path: string, text: string): Promise<number> {
  const all = await readFile(join(work, path), "utf8");
  const at = all.indexOf(text) + (text.startsWith("\n") ? 1 : 0);
  return all.slice(0, at).split("\n").length;
}
