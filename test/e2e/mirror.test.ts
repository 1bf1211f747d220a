import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {
  ServiceSetting,
  WorkspaceDetail,
  WorkspaceServiceView,
} from "../../server/protocol/workspace.ts";
import { docker, objectsWith } from "../helpers/engine-objects.ts";
import { buildGovappImages, createGovappRepository } from "../helpers/govapp.ts";
import { Installation } from "../helpers/installation.ts";

// GovApp as production runs it: the front end is developed, the back end and the database are
// production's own, from its Kubernetes objects.
let folder: string;
let url: string;
let oneloop: Installation;
let token: string;
let ws: WorkspaceDetail;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-mirror-"));
  ({ url } = await createGovappRepository(folder));
  await buildGovappImages(docker);
  oneloop = await Installation.start({
    env: {
      // No registry has production's images here: the ones that were built stand in for them.
      ONELOOP_IMAGE_MAP: ["back-end", "database"]
        .map((name) => `govapp/${name}:1.4.0=govapp/${name}:dev`)
        .join(","),
    },
  });
  token = await newToken();
});

afterAll(async () => {
  await oneloop?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function services(): Promise<ReadonlyMap<string, WorkspaceServiceView>> {
  const { services: all } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
  return new Map(all.map((one) => [one.name, one]));
}

/** Waits, by the subscription that a page holds, until a service is as wanted. */
async function until(
  name: string,
  wanted: (service: WorkspaceServiceView) => boolean,
): Promise<WorkspaceServiceView> {
  const input = encodeURIComponent(JSON.stringify({ workspace: ws.id, afterEvent: 1e9 }));
  const response = await fetch(
    `http://127.0.0.1:${oneloop.port}/trpc/workspaces.watch?input=${input}`,
    {
      headers: { accept: "text/event-stream", authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(120_000),
    },
  );
  let last: WorkspaceServiceView | undefined;
  let text = "";
  try {
    for await (const piece of response.body ?? []) {
      text += Buffer.from(piece).toString();
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = /^data: (\{.*)$/m.exec(block)?.[1] ?? "{}";
        const { workspace } = JSON.parse(data) as { workspace?: WorkspaceDetail };
        last = workspace?.services.find((one) => one.name === name) ?? last;
        if (last !== undefined && wanted(last)) return last;
      }
    }
  } catch (error) {
    const { stdout, stderr } = await oneloop.loop("logs", ws.name, name);
    const logs = `${stdout}\n${stderr}\n${oneloop.log()}`;
    throw new Error(`${name} is still ${JSON.stringify(last)}\n${logs}`, { cause: error });
  }
  throw new Error(`${name} is not told of any more: ${JSON.stringify(last)}`);
}

/** Of the installation's owner. */
async function newToken(): Promise<string> {
  const code = new URL(oneloop.signInLink).hash.slice(1);
  const response = await fetch(`http://127.0.0.1:${oneloop.port}/trpc/auth.exchange`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code, kind: "token", name: "test" }),
  });
  const { result } = (await response.json()) as { result: { data: { token: string } } };
  return result.data.token;
}

const isReady = ({ state, health }: WorkspaceServiceView): boolean =>
  state === "running" && health === "ready";

/** A page of the front end, through its port, as its owner's program asks for it. */
function page(path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const host = `3000-${ws.name}.localhost:${oneloop.port}`;
    const asked = request({ host: "127.0.0.1", port: oneloop.port, path, headers: { host } });
    asked.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

async function containerOf(service: string): Promise<string> {
  const filters = { label: [`oneloop.workspace=${ws.id}`, `oneloop.service=${service}`] };
  const [found] = await docker.listContainers({ all: true, filters });
  if (found === undefined) throw new Error(`no container runs ${service}`);
  return found.Id;
}

async function kill(service: string): Promise<void> {
  await docker.getContainer(await containerOf(service)).kill({ signal: "SIGKILL" });
}

describe("`loop open --mirror`", () => {
  it("offers what could be mirrored, and says what would run, before anything starts", async () => {
    const plain = await oneloop.loopJson<{ offered: string[] }>("plan", url);
    expect(plain.offered).toEqual(["k8s/", "compose.yaml"]);
    const planned = await oneloop.loopJson<{
      offered: string[];
      plan: { mirror: { source: string; develops: string[] } };
      leftOut: { what: string; where: string }[];
    }>("plan", url, "--mirror", "k8s");
    expect(planned.plan.mirror).toMatchObject({ source: "k8s/", develops: ["front-end"] });
    expect(planned.leftOut).toContainEqual(
      expect.objectContaining({
        what: "replicas of service back-end",
        where: expect.stringMatching(/^k8s\/back-end\.yaml:7:/) as string,
      }),
    );
  });

  it("says mistakes of what it is given", async () => {
    const wrong = await oneloop.loop("open", url, "--mirror", "k9s");
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain("There is no k9s that could be mirrored");
    const none = await oneloop.loop("open", url, "--mirror", "k8s", "--develop", "frontend");
    expect(none.stderr).toContain("no service frontend to develop");
  });

  it("runs production's services beside the one that is developed", async () => {
    ws = await oneloop.loopJson<WorkspaceDetail>("open", url, "--mirror", "k8s");
    expect(ws.state).toBe("running");
    expect(ws.services.map(({ name, mirrored }) => [name, mirrored])).toEqual([
      ["front-end", false],
      ["back-end", true],
      ["database", true],
    ]);
    await until("database", isReady);
    const backEnd = await until("back-end", isReady);
    expect(backEnd).toMatchObject({ restarts: 0, reason: null, image: "govapp/back-end:dev" });
    const listed = await oneloop.loop("services", ws.name);
    expect(listed.exitCode, listed.stderr).toBe(0);
    expect(listed.stdout).toMatch(/back-end .*ready/);
  });

  it("with production's limits and user, and values of the workspace's own for its secrets", async () => {
    const { HostConfig, Config } = await docker
      .getContainer(await containerOf("back-end"))
      .inspect();
    expect(HostConfig).toMatchObject({
      Memory: 256 * 1024 ** 2,
      CpuQuota: (HostConfig.CpuPeriod ?? 0) / 2,
      CapDrop: expect.arrayContaining(["ALL"]) as string[],
    });
    expect(Config.User).toBe("1000");
    const env = new Map(
      Config.Env?.map((one) => one.split(/=(.*)/s).slice(0, 2) as [string, string]),
    );
    expect(env.get("DATABASE_URL")).toMatch(/^postgres:\/\/govapp:[A-Za-z0-9]{24}@database:5432/);
    const made = ws.events.find(({ code }) => code === "secrets-made");
    expect(made?.message).toContain("DATABASE_PASSWORD");
  });

  it("the front end's page works with production's back end and database", async () => {
    await oneloop.loop("ports", ws.name, "--set", "3000=public");
    const { status, body } = await page("/");
    expect(status, body).toBe(200);
    expect(body).toContain("Apply for a passport");
  });

  it("shows every setting with the line that asks for it, and no secret", async () => {
    const { settings } = await oneloop.loopJson<{ settings: ServiceSetting[] }>(
      ...["services", ws.name, "back-end"],
    );
    const of = (name: string) => settings.find((one) => one.name === name);
    expect(of("memory limit")).toMatchObject({
      value: "256 MiB",
      where: [expect.stringMatching(/^k8s\/back-end\.yaml:\d+:\d+$/)],
    });
    expect(of("env DATABASE_URL")?.value).toContain("(a secret:");
    expect(of("liveness probe")?.value).toContain("tcp port 3001");
  });

  it("starts a program that ends again, and says why", async () => {
    await kill("back-end");
    const again = await until("back-end", (one) => one.restarts === 1 && isReady(one));
    expect(again.reason).toBe("It was ended by SIGKILL.");
    expect((await page("/")).status).toBe(200);
    const { events } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
    expect(events).toContainEqual(
      expect.objectContaining({
        code: "container-exited",
        message: expect.stringContaining("back-end: It was ended by SIGKILL.") as string,
      }),
    );
  });

  it("starts one again on a person's word", async () => {
    const before = await services();
    const asked = await oneloop.loop("restart", ws.name, "back-end");
    expect(asked.exitCode, asked.stderr).toBe(0);
    await until("back-end", (one) => one.restarts === 2 && isReady(one));
    expect((await services()).get("database")).toEqual(before.get("database"));
  });

  it("gives a service its network back, and the workspace goes on meanwhile", async () => {
    const filters = { label: [`oneloop.workspace=${ws.id}`, "oneloop.role=sandbox"] };
    const sandboxes = await docker.listContainers({ filters });
    const own = sandboxes.find(({ Names: [name] }) => name?.endsWith("-back-end_sandbox"));
    await docker.getContainer(own?.Id ?? "").kill();
    const again = await until("back-end", (one) => one.restarts === 3 && isReady(one));
    expect(again.reason).toBe("Its network was lost.");
    expect((await page("/")).status).toBe(200);
    const { state, events } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
    expect(state).toBe("running");
    expect(events.map(({ code }) => code)).not.toContain("engine-restarted");
  });

  it("goes on after the control plane was killed, and leaves what runs alone", async () => {
    const id = await containerOf("database");
    const startedAt = (await docker.getContainer(id).inspect()).State.StartedAt;
    await oneloop.kill();
    await kill("back-end");
    await oneloop.start();
    await until("back-end", (one) => one.restarts === 4 && isReady(one));
    expect((await docker.getContainer(id).inspect()).State.StartedAt).toBe(startedAt);
  });

  it("refuses another mirror for a workspace that is there, and changes nothing of it", async () => {
    const other = await oneloop.loop("open", url, "--mirror", "compose.yaml");
    expect(other.exitCode).toBe(2);
    expect(other.stderr).toContain(`You have ${ws.name} of this already, with k8s/ mirrored`);
    const same = await oneloop.loopJson<WorkspaceDetail>("open", url, "--mirror", "./k8s/");
    expect(same.id).toBe(ws.id);
  });

  it("stops and starts all of it, and its deletion leaves nothing", async () => {
    await oneloop.loopJson("stop", ws.name);
    expect((await services()).get("database")).toMatchObject({ state: "missing", restarts: 0 });
    await oneloop.loopJson("start", ws.name);
    await until("back-end", isReady);
    expect((await page("/")).status).toBe(200);
    const deleted = await oneloop.loop("delete", ws.name, "--force");
    expect(deleted.exitCode, deleted.stderr).toBe(0);
    const { containers, volumes, networks } = await objectsWith(`oneloop.workspace=${ws.id}`);
    expect({ containers, volumes, networks }).toEqual({
      containers: [],
      volumes: [],
      networks: [],
    });
  });
});
