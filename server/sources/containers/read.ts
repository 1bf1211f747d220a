import { known, unknown, type Fact, type Place } from "../../protocol/fact.ts";
import type { SourceService } from "../../protocol/service.ts";
import type { LeftOut, SourceModel, SourceVolume } from "../../protocol/source-model.ts";
import { networkPolicies, publishedOf, type Attached } from "../network-policies.ts";
import { Container, Image, NetworkList, parseAnswer } from "./answers.ts";
import { readContainer } from "./container.ts";
import type { Given } from "./given.ts";
import { composeLabel, isUpState, type Selected } from "./select.ts";
import { isAnonymous } from "./machine.ts";

/** What an engine answered to the questions about a selection. */
export interface EngineAnswers {
  readonly selected: Selected;
  /** `GET /containers/<id>/json`; one that is gone meanwhile is not among them. */
  readonly containers: readonly unknown[];
  /** `GET /images/<id>/json`, by id. */
  readonly images: ReadonlyMap<string, unknown>;
  /** `GET /networks`; null: the engine does not say. */
  readonly networks: unknown;
}

export type ContainersResult =
  | {
      readonly ok: true;
      readonly model: SourceModel;
      /** What Compose made them from, where it says so: paths of that machine. */
      readonly madeFrom: readonly string[];
    }
  /** Which part of which answer is not as it must be; nothing of what it says. */
  | { readonly ok: false; readonly where: string };

/** Of one project, for a headline. */
const maxNamedFiles = 5;

/** A container of the selection, as it is read. */
interface Copy extends Given {
  readonly name: string;
  readonly number: number;
}

/**
 * What runs in an engine, as a model: containers of one service are its copies. Of variables only
 * the names are read, and nothing with a value of one in it. Never throws.
 *
 * @param environment by which name places are called: `production:shop-web-1#HostConfig.Memory`
 */
export function readContainers(answers: EngineAnswers, environment: string): ContainersResult {
  const images = new Map<string, Image>();
  for (const [id, answer] of answers.images) {
    const image = parseAnswer(Image, answer);
    if (!image.ok) return { ok: false, where: `an image: ${image.where}` };
    images.set(id, image.value);
  }
  const copies: Copy[] = [];
  for (const answer of answers.containers) {
    const container = parseAnswer(Container, answer);
    if (!container.ok) return { ok: false, where: `a container: ${container.where}` };
    copies.push(copyOf(container.value, images, environment));
  }
  const networks = parseAnswer(NetworkList, answers.networks ?? []);
  if (!networks.ok) return { ok: false, where: `the networks: ${networks.where}` };
  const internal = networks.value.filter((each) => each.Internal === true).map((each) => each.Name);
  const files = copies.flatMap(
    ({ container }) => container.Config.Labels?.[composeLabel.configFiles]?.split(",") ?? [],
  );
  return {
    ok: true,
    model: modelOf(copies, { answers, environment, internal }),
    madeFrom: [...new Set(files)].filter((each) => each !== "").slice(0, maxNamedFiles),
  };
}

function copyOf(
  container: Container,
  images: ReadonlyMap<string, Image>,
  environment: string,
): Copy {
  const labels = container.Config.Labels ?? {};
  const name = container.Name.replace(/^\//, "");
  return {
    container,
    image: images.get(container.Image) ?? null,
    service: labels[composeLabel.service] ?? name,
    name,
    number: Number(labels[composeLabel.number] ?? 1),
    at: (path) => ({ engine: environment, object: `${name}#${path}` }),
  };
}

interface Around {
  readonly answers: EngineAnswers;
  readonly environment: string;
  readonly internal: readonly string[];
}

function modelOf(copies: readonly Copy[], { answers, environment, internal }: Around): SourceModel {
  const { selected } = answers;
  const leftOut: LeftOut[] = selected.loose.map((name) => ({
    what: `container ${name}`,
    why: `It belongs to no Compose project, and ${selected.project} is compared.`,
    where: { engine: environment, object: name },
  }));
  const services: SourceService[] = [];
  const attached: Attached[] = [];
  const volumes = new Map<string, SourceVolume>();
  const byId = new Map(copies.map((each) => [each.container.Id, each]));
  for (const [name, all] of byService(copies)) {
    const there = all.filter(isThere);
    for (const each of all.filter((one) => !isThere(one) && !(there.length > 0 && isDone(one)))) {
      leftOut.push(notRunning(each));
    }
    const [first] = there;
    if (first === undefined) continue;
    const up = there.filter(isUp);
    const service = together(
      (up.length > 0 ? up : [first]).map((each) => readContainer(each)),
      leftOut,
    );
    services.push({
      ...service,
      ...partOf(first, byId),
      ...(up.length === 0 ? { role: known("job" as const, first.at("State.Status")) } : {}),
      replicas: known(Math.max(1, up.length), first.at("State.Status")),
      names: namesOf(name, there),
    });
    if (isOnNetworks(first)) attached.push(attachedOf(name, first, service));
    for (const volume of volumesOf(first, service)) volumes.set(volume[0], volume[1]);
  }
  const project = { engine: environment, object: selected.project ?? "containers" };
  return {
    format: "containers",
    name: known(selected.project ?? environment, project),
    services,
    volumes: [...volumes.values()],
    tasks: [],
    projects: [],
    routes: [],
    policies: networkPolicies(attached, { isInternal: (name) => internal.includes(name) }),
    leftOut,
  };
}

/** By the services' names, and the copies of each by their numbers. */
function byService(copies: readonly Copy[]): [string, Copy[]][] {
  const found = new Map<string, Copy[]>();
  for (const copy of copies.toSorted((one, other) => one.number - other.number)) {
    const same = found.get(copy.service);
    if (same === undefined) found.set(copy.service, [copy]);
    else same.push(copy);
  }
  return [...found].toSorted(([one], [other]) => (one < other ? -1 : 1));
}

function isUp({ container }: Copy): boolean {
  return isUpState(container.State?.Status);
}

/** A job of a project that did what it is for. */
function isDone({ container }: Copy): boolean {
  return container.State?.Status === "exited" && container.State.ExitCode === 0;
}

function isThere(copy: Copy): boolean {
  return isUp(copy) || isDone(copy);
}

function notRunning({ container, name, at }: Copy): LeftOut {
  const { Status: status, ExitCode: code } = container.State ?? {};
  const ended = status === "exited" ? `It ended with status ${code ?? "unknown"}.` : null;
  return {
    what: `container ${name}`,
    why: ended ?? "It does not run.",
    where: at("State.Status"),
  };
}

/** Facts of which the copies say the same; what they do not agree on is not known. */
function together(copies: readonly SourceService[], leftOut: LeftOut[]): SourceService {
  const [first, ...others] = copies;
  if (first === undefined) throw new Error("a service without containers");
  if (others.length === 0) return first;
  const merged: Record<string, unknown> = { ...first };
  for (const [key, value] of Object.entries(first)) {
    const said = others.map((other) => (other as Record<string, unknown>)[key]);
    if (said.every((each) => meaning(each) === meaning(value))) continue;
    if (isFact(value)) {
      merged[key] = unknown(`its ${copies.length} copies differ in this`, value.where);
    } else {
      leftOut.push({
        what: `${key} of the other copies of ${first.name.known ? first.name.value : ""}`,
        why: `Its ${copies.length} copies differ in this, and the first is compared.`,
        where: first.name.where,
      });
    }
  }
  return merged as SourceService;
}

function isFact(value: unknown): value is Fact<unknown> {
  return typeof value === "object" && value !== null && "known" in value && "where" in value;
}

/** What is said, without where. */
function meaning(value: unknown): string {
  return JSON.stringify(value, (key, each: unknown) => (key === "where" ? undefined : each));
}

function namesOf(service: string, copies: readonly Copy[]): SourceService["names"] {
  const names = new Map<string, Place>();
  for (const { container, name, at } of copies) {
    const networks = Object.entries(container.NetworkSettings?.Networks ?? {});
    names.set(service, names.get(service) ?? at("Name"));
    names.set(name, names.get(name) ?? at("Name"));
    for (const [network, attachment] of networks) {
      for (const alias of attachment?.Aliases ?? []) {
        // Every container has its own id for a name, too.
        if (container.Id.startsWith(alias) || names.has(alias)) continue;
        names.set(alias, at(`NetworkSettings.Networks[${network}].Aliases`));
      }
    }
  }
  return Array.from(names, ([name, where]) => known({ name, ports: [] }, where));
}

/** In the network of another container: Compose's `network_mode: service:…`. */
function partOf(
  { container, at }: Copy,
  byId: ReadonlyMap<string, Copy>,
): Partial<Pick<SourceService, "role" | "partOf">> {
  const id = /^container:(.+)$/.exec(container.HostConfig.NetworkMode ?? "")?.[1];
  const other = id === undefined ? undefined : byId.get(id);
  if (other === undefined) return {};
  const where = at("HostConfig.NetworkMode");
  return { role: known("sidecar", where), partOf: known(other.service, where) };
}

/** The host's network and another container's are none of the engine's networks. */
function isOnNetworks({ container }: Copy): boolean {
  return !/^(?:host$|container:)/.test(container.HostConfig.NetworkMode ?? "");
}

function attachedOf(name: string, { container, at }: Copy, service: SourceService): Attached {
  const networks = Object.keys(container.NetworkSettings?.Networks ?? {});
  return {
    name,
    networks: networks.filter((each) => each !== "none").toSorted(),
    published: publishedOf(service),
    where: at("NetworkSettings.Networks"),
  };
}

function volumesOf({ container }: Copy, service: SourceService): [string, SourceVolume][] {
  const anonymous = new Set(
    (container.Mounts ?? [])
      .filter(({ Name: volume }) => volume !== null && volume !== undefined && isAnonymous(volume))
      .map(({ Destination: path }) => path),
  );
  return service.mounts.flatMap((mount): [string, SourceVolume][] => {
    if (!mount.known) return [];
    const { value, where } = mount;
    const volume: SourceVolume = {
      name: known(value.volume, where),
      sizeBytes: known(null, where),
      ephemeral: known(anonymous.has(value.path), where),
    };
    return [[value.volume, volume]];
  });
}
