import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { dirname } from "node:path";
import { defaultRoute, hostRoutes } from "../../../server/util/routes.ts";
import { createApi } from "../api.ts";
import { isLoopback } from "../config-file.ts";
import { toFailure } from "../failure.ts";
import { root } from "../root.ts";
import type { Session } from "../session.ts";
import { EngineClient, installationOf } from "./engine-client.ts";
import type {
  AuthorityFact,
  ControlPlaneFact,
  DiskFact,
  DoorFact,
  Facts,
  LeftoverFact,
  MachineFacts,
} from "./facts.ts";
import { nameServers } from "./proc.ts";

/** Longer than a busy program takes to answer. */
const patienceMs = 10_000;

/** Looks at everything; changes nothing, and goes on where something is not there. */
export async function collectFacts(session: Session): Promise<Facts> {
  const controlPlane = await lookAtControlPlane(session.url);
  const [ssh, machine] = await Promise.all([
    firstLine("ssh", ["-V"]),
    isLoopback(session.url) ? lookAtMachine(session, controlPlane) : null,
  ]);
  return { node: process.versions.node, ssh, controlPlane, machine };
}

async function lookAtControlPlane(url: string): Promise<ControlPlaneFact> {
  try {
    const { version } = await (await createApi(url, null)).config.query();
    return { url, version };
  } catch (error) {
    return { url, version: null, problem: toFailure(error, url).message };
  }
}

async function lookAtMachine(
  session: Session,
  controlPlane: ControlPlaneFact,
): Promise<MachineFacts> {
  const { readSettings } = await import("../../../server/util/settings.ts");
  const settings = readSettings(process.env);
  const dataDir = settings.ONELOOP_DATA_DIR;
  const client = new EngineClient(settings.DOCKER_HOST);
  const installation = await installationOf(dataDir);
  // First: a network that is made meanwhile is no bridge without one.
  const routes = await hostRoutes();
  const engine = await client.look(installation);
  const route = defaultRoute(routes);
  const mtu = route === null ? null : await mtuOf(route.device);
  const running = controlPlane.version !== null;
  return {
    git: await firstLine("git", ["--version"]),
    unbuilt: unbuilt(),
    ssh2Native: loads("ssh2/lib/protocol/crypto/build/Release/sshcrypto.node"),
    engine,
    route: route === null || mtu === null ? null : { device: route.device, mtu },
    builderMtu: await mtuOf("docker0"),
    resolvers: {
      own: nameServers(await read("/etc/resolv.conf")),
      upstream: nameServers(await read("/run/systemd/resolve/resolv.conf")),
    },
    inotify: await inotifyLimits(),
    authorities: await Promise.all(
      (["ONELOOP_CA_FILE", "NODE_EXTRA_CA_CERTS"] as const).flatMap((variable) => {
        const file = settings[variable];
        return file === undefined ? [] : [lookAtAuthority(variable, file)];
      }),
    ),
    disks: await lookAtDisks(dataDir, engine.kind === "answers" ? engine.root : null),
    doors: await Promise.all([
      lookAtDoor(
        { what: "the web and the API", variable: "ONELOOP_PORT" },
        settings.ONELOOP_PORT,
        running,
      ),
      lookAtDoor({ what: "SSH", variable: "ONELOOP_SSH_PORT" }, settings.ONELOOP_SSH_PORT, running),
    ]),
    range: settings.ONELOOP_SUBNETS,
    routes,
    leftovers: await lookForLeftovers(session, {
      client: engine.kind === "answers" ? client : null,
      installation,
      running,
    }),
  };
}

async function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}

/** What a program says first; null where it is not there or fails. */
function firstLine(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: patienceMs });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    }
    child.once("error", () => resolve(null));
    child.once("close", (code) => resolve(code === 0 ? (said.split("\n", 1)[0] ?? "") : null));
  });
}

function unbuilt(): string[] {
  const parts = ["dist/server/main.js", "dist/supervisor", "dist/web/index.html"];
  return parts.filter((part) => !existsSync(new URL(part, root)));
}

function loads(path: string): boolean {
  try {
    createRequire(new URL("package.json", root))(path);
    return true;
  } catch {
    return false;
  }
}

async function mtuOf(device: string): Promise<number | null> {
  return Number.parseInt(await read(`/sys/class/net/${device}/mtu`), 10) || null;
}

async function inotifyLimits(): Promise<MachineFacts["inotify"]> {
  const folder = "/proc/sys/fs/inotify";
  const [instances, watches] = await Promise.all(
    ["max_user_instances", "max_user_watches"].map((name) => read(`${folder}/${name}`)),
  );
  if (!instances || !watches) return null;
  return { instances: Number(instances), watches: Number(watches) };
}

async function lookAtAuthority(variable: string, file: string): Promise<AuthorityFact> {
  try {
    const text = await readFile(file, "latin1");
    const state = text.includes("-----BEGIN CERTIFICATE-----") ? "good" : "no-certificate";
    return { variable, file, state };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { variable, file, state: code === "ENOENT" ? "absent" : "unreadable" };
  }
}

async function lookAtDisks(dataDir: string, engineRoot: string | null): Promise<DiskFact[]> {
  const disks = await Promise.all([
    lookAtDisk("the data folder", dataDir),
    ...(engineRoot === null ? [] : [lookAtDisk("Docker", engineRoot)]),
  ]);
  return disks.flatMap((disk) => disk ?? []);
}

/** Of the nearest folder that is there: the data folder is made at the first start. */
async function lookAtDisk(what: string, path: string): Promise<DiskFact | null> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      return { what, path: folder, freeBytes: bavail * bsize };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== "ENOENT" && code !== "EACCES") || folder === dirname(folder)) return null;
    }
  }
}

/** A port that something listens on is ours while the control plane answers. */
async function lookAtDoor(
  door: Pick<DoorFact, "what" | "variable">,
  port: number,
  running: boolean,
): Promise<DoorFact> {
  const listening = await new Promise<boolean>((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: patienceMs });
    socket.once("connect", () => resolve(true));
    socket.once("timeout", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
    socket.once("timeout", () => socket.destroy());
  });
  return { ...door, port, state: listening ? (running ? "ours" : "taken") : "free" };
}

/**
 * Volumes whose workspace is gone. Only the control plane knows all workspaces, and it tells each
 * person their own: where others have some too, nothing is said of anybody's.
 */
async function lookForLeftovers(
  session: Session,
  {
    client,
    installation,
    running,
  }: { client: EngineClient | null; installation: string | null; running: boolean },
): Promise<LeftoverFact> {
  const unknown = (why: string): LeftoverFact => ({ kind: "unknown", why });
  if (client === null) return unknown("Docker does not answer");
  if (installation === null) return unknown("no control plane ever started here");
  if (!running) return unknown("the control plane, which knows the workspaces, is not running");
  try {
    const volumes = await client.volumes(installation);
    const { workspaces, people, me } = await session.run(async (api) => {
      const me = await api.auth.me.query();
      return {
        me,
        workspaces: await api.workspaces.list.query(),
        people: me.role === "owner" ? await api.people.list.query() : null,
      };
    });
    if (people === null) return unknown("only the owner can tell");
    const others = people.filter((person) => person.id !== me.id && person.workspaces > 0);
    if (others.length > 0) return unknown("other people have workspaces too");
    const known = new Set([
      ...workspaces.map(({ id }) => id),
      ...(await client.inUse(installation)),
    ]);
    const names = volumes.filter(({ workspace }) => !known.has(workspace)).map(({ name }) => name);
    return { kind: "volumes", names: names.sort() };
  } catch (error) {
    return unknown(toFailure(error, session.url).message);
  }
}
