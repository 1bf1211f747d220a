import { createHash } from "node:crypto";
import type { Owner } from "../steps.ts";

/** What a container is for; `observe` and the sweep tell them apart by this label. */
export type Role = "sandbox" | "dev" | "service" | "holder" | "job" | "image-facts";

export const label = {
  installation: "oneloop.installation",
  workspace: "oneloop.workspace",
  part: "oneloop.part",
  role: "oneloop.role",
  service: "oneloop.service",
  volume: "oneloop.volume",
  /** SHA-256 of what a container was created from: another one means another container. */
  spec: "oneloop.spec",
  /** Which run of a control plane started a job: those of a killed run are removed. */
  run: "oneloop.run",
  /** What the files in a mirrored service are known by. */
  files: "oneloop.files",
  /** The plan's reference of a mirrored service's image, and the engine's id of it. */
  image: "oneloop.image",
  imageId: "oneloop.image-id",
  /** On a volume: the service whose read-only root has it, with files that can be changed. */
  changing: "oneloop.changing",
  /** How long a mirrored service has to end itself, in seconds, where production says. */
  grace: "oneloop.grace",
} as const;

/** Of images with the files of a mirrored service; the installation follows. */
export const filesRepositoryPrefix = "oneloop-files/";

/** Names and labels of one installation's objects, all from ids: no name comes from a user. */
export class Names {
  readonly installation: string;

  constructor(installation: string) {
    this.installation = installation;
  }

  network(owner: Owner): string {
    return this.#prefix(owner);
  }

  /** Whose network this is by its name; `null` for another installation's and for other networks. */
  ownerOfNetwork(name: string): Owner | null {
    const prefix = `oneloop-${this.installation}-`;
    const id = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    if (id === "") return null;
    return id === "cache" ? { kind: "part", id } : { kind: "workspace", id };
  }

  /** Of the sandboxes that no owner's network knows yet. */
  waitingNetwork(): string {
    return `oneloop-${this.installation}_waiting`;
  }

  /** Of a network. Interface names have at most 15 characters (IFNAMSIZ): 12 of a hash are 48 bits. */
  bridge(network: string): string {
    return `ws-${shortHash(network)}`;
  }

  sandbox(owner: Owner, pod: string | null): string {
    return `${this.#prefix(owner)}${pod === null ? "" : `-${pod}`}_sandbox`;
  }

  /** The pod that a sandbox's name says; `null` for the one of all that do not stand alone. */
  podOfSandbox(owner: Owner, name: string): string | null {
    const prefix = `${this.#prefix(owner)}-`;
    return name.startsWith(prefix) ? name.slice(prefix.length).replace(/_sandbox$/, "") : null;
  }

  /** Nothing that ends with `_` is a sandbox, whatever production calls its services. */
  member(owner: Owner, service: string): string {
    return `${this.#prefix(owner)}-${service}${service.includes("_") ? "_" : ""}`;
  }

  job(owner: Owner, name: string, unique: string): string {
    return `${this.#prefix(owner)}_${name}-${unique}`;
  }

  volume(owner: Owner, volume: string): string {
    return `${this.#prefix(owner)}-${volume}`;
  }

  /** A folder of a volume, which is a volume of its own. */
  volumePart(owner: Owner, volume: string, subPath: string): string {
    return `${this.volume(owner, volume)}_part-${shortHash(subPath)}`;
  }

  /** The plan's name of a volume, or of the one that it is a folder of; null for any other. */
  plannedVolume(owner: Owner, name: string): string | null {
    const prefix = this.volume(owner, "");
    return name.startsWith(prefix)
      ? name.slice(prefix.length).replace(/_part-[0-9a-f]{12}$/, "")
      : null;
  }

  /** What an image declares as a volume at a path, and the plan does not. */
  anonymousVolume(owner: Owner, service: string, path: string): string {
    return `${this.#prefix(owner)}_anonymous-${shortHash(service)}-${shortHash(path)}`;
  }

  /** A folder of an image whose files are changed while its root is read-only. */
  changingVolume(owner: Owner, service: string, of: { imageId: string; path: string }): string {
    const key = shortHash(JSON.stringify([of.imageId, of.path]));
    return `${this.#prefix(owner)}_changing-${shortHash(service)}-${key}`;
  }

  /** Never runs but to remove files: through it the volumes of a read-only root are written. */
  holder(owner: Owner, service: string): string {
    return `${this.#prefix(owner)}_holder-${shortHash(service)}`;
  }

  /** An image with the files of a mirrored service; `key` is a part of its tag. */
  filesImage(key: string): string {
    return `${this.filesRepository()}:${key}`;
  }

  filesRepository(): string {
    return filesRepositoryPrefix + this.installation;
  }

  imageFacts(imageId: string): string {
    return `oneloop-${this.installation}_image-${imageId.replace(/^sha256:/, "").slice(0, 12)}`;
  }

  labels(owner: Owner): Record<string, string> {
    return { ...this.installationLabels(), [label[owner.kind]]: owner.id };
  }

  /** For a container: an image may carry labels of its own, which must not make it somebody's. */
  containerLabels(owner: Owner): Record<string, string> {
    return { [label.workspace]: "", [label.part]: "", ...this.labels(owner) };
  }

  installationLabels(): Record<string, string> {
    return { [label.installation]: this.installation };
  }

  waitingLabels(): Record<string, string> {
    return { ...this.installationLabels(), [label.part]: "waiting" };
  }

  /** The engine's filter for everything of an owner. */
  filter(owner: Owner): string[] {
    return Object.entries(this.labels(owner)).map(([name, value]) => `${name}=${value}`);
  }

  installationFilter(): string[] {
    return [`${label.installation}=${this.installation}`];
  }

  #prefix(owner: Owner): string {
    return `oneloop-${this.installation}-${owner.id}`;
  }
}

/** 48 bits, in hexadecimal digits. */
function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

/** Whose object this is by its labels; `null` for what belongs to the installation as a whole. */
export function ownerOfLabels(labels: Readonly<Record<string, string>>): Owner | null {
  const workspace = labels[label.workspace];
  // Empty: a container of the installation, which blanks what its image may say here.
  if (workspace !== undefined && workspace !== "") return { kind: "workspace", id: workspace };
  return labels[label.part] === "cache" ? { kind: "part", id: "cache" } : null;
}
