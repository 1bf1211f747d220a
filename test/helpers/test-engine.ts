import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import type { BuildLimits } from "../../server/engine/docker/builds/limits.ts";
import type { Patience } from "../../server/engine/docker/client.ts";
import { createDockerEngine } from "../../server/engine/docker/index.ts";
import type { Images } from "../../server/engine/docker/images/index.ts";
import type { Engine } from "../../server/engine/engine.ts";
import type { KnownImages } from "../../server/engine/images.ts";
import type { Owner, StepOptions, SupervisorAddress } from "../../server/engine/steps.ts";
import { Hello } from "../../server/protocol/supervisor.ts";
import { randomIds } from "../../server/util/ids.ts";
import { createLog } from "../../server/util/log.ts";
import { docker, removeInstallation, removeTrusting } from "./engine-objects.ts";
import { ensureTestImages } from "./images.ts";

/** Apart from a real installation's range, and from the other tests' on this engine. */
export const testSubnets = "10.214.0.0/20";

export interface TestEngine extends AsyncDisposable {
  readonly engine: Engine;
  readonly installation: string;
  readonly images: Images;
  /** Another control plane of the same installation, as after a kill. */
  another(): Promise<Engine>;
}

export interface TestEngineOptions {
  readonly allowNet?: readonly string[];
  readonly isolation?: "on" | "off";
  readonly helperImage?: string;
  /** PEM certificates that its images trust beside this machine's own. */
  readonly caFile?: string;
  readonly buildLimits?: BuildLimits;
  /** Instead of the machine's own list of name servers. */
  readonly resolvConf?: string;
  /** Another way to the same engine. */
  readonly dockerHost?: string;
  readonly patience?: Patience;
  readonly knownImages?: KnownImages;
  readonly givenImages?: readonly string[];
}

/** A Docker engine for an installation of the test's own; disposing leaves nothing of it. */
export async function startTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const installation = randomIds.id().slice(0, 8);
  const images = await ensureTestImages(installation, options.caFile);
  const connect = (): Promise<Engine> =>
    createDockerEngine({
      dockerHost: options.dockerHost ?? process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock",
      ...(options.patience === undefined ? {} : { patience: options.patience }),
      ...(options.knownImages === undefined ? {} : { knownImages: options.knownImages }),
      ...(options.givenImages === undefined ? {} : { givenImages: options.givenImages }),
      installation,
      images: { ...images, helper: options.helperImage ?? images.helper },
      subnets: testSubnets,
      allowNet: options.allowNet ?? [],
      isolation: options.isolation ?? "on",
      ...(options.buildLimits === undefined ? {} : { buildLimits: options.buildLimits }),
      ...(options.resolvConf === undefined ? {} : { resolvConf: options.resolvConf }),
      log: createLog({ level: "silent" }),
    });
  const engine = await connect();
  const more: Engine[] = [];
  return {
    engine,
    installation,
    images,
    another: async () => {
      const other = await connect();
      more.push(other);
      return other;
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of [...more, engine]) await each[Symbol.asyncDispose]();
      await removeInstallation(installation);
      if (images.trustId !== null) await removeTrusting(images.trustId);
    },
  };
}

/** Long enough for a loaded machine; no step of a test may hang for ever. */
export function step(): StepOptions {
  return { signal: AbortSignal.timeout(60_000) };
}

export function workspaceOwner(): Owner {
  return { kind: "workspace", id: randomIds.id() };
}

/** What the supervisor at an address says of itself, over a connection of its own. */
export async function hello(address: SupervisorAddress): Promise<Hello> {
  const request = get({
    ...address,
    path: "/hello",
    agent: false,
    headers: { host: "supervisor" },
  });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return Hello.parse(await json(response));
}

export interface InsideResult {
  readonly exitCode: number;
  readonly output: string;
}

/** Runs a command as root in a service's container, beside the engine under test. */
export function inside(
  owner: Owner,
  service: string,
  command: readonly string[],
): Promise<InsideResult> {
  return insideAs("0:0", { owner, service }, command);
}

/** The same as another user, `uid:gid`. */
export async function insideAs(
  user: string,
  { owner, service }: { owner: Owner; service: string },
  command: readonly string[],
): Promise<InsideResult> {
  const exec = await docker.getContainer(await containerOf(owner, service)).exec({
    Cmd: [...command],
    User: user,
    AttachStdout: true,
    AttachStderr: true,
    Tty: true,
  });
  const stream = await exec.start({ Tty: true });
  let output = "";
  for await (const chunk of stream) output += String(chunk);
  const { ExitCode } = await exec.inspect();
  return { exitCode: ExitCode ?? -1, output: output.replaceAll("\r\n", "\n") };
}

/** The ids of an owner's sandboxes that run. */
export async function sandboxesOf(owner: Owner): Promise<string[]> {
  const label = [`oneloop.workspace=${owner.id}`, "oneloop.role=sandbox"];
  const filters = { label, status: ["running"] };
  const found = await docker.listContainers({ filters });
  return found.map(({ Id }) => Id).sort();
}

/** The engine's id of the container that runs a service. */
export async function containerOf(owner: Owner, service: string): Promise<string> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`oneloop.${owner.kind}=${owner.id}`, `oneloop.service=${service}`] },
  });
  const id = found[0]?.Id;
  if (id === undefined) throw new Error(`no container runs ${service}`);
  return id;
}
