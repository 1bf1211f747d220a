import { readFile } from "node:fs/promises";
import { get } from "node:http";
import type { EngineFact, NetworkFact } from "./facts.ts";

/** Longer than a busy engine takes to answer. */
const patienceMs = 10_000;

/** As much of the Docker Engine API as is looked at here; nothing is changed. */
export class EngineClient {
  readonly #socket: string;

  /** @param dockerHost as DOCKER_HOST: `unix:///var/run/docker.sock`. */
  constructor(dockerHost: string) {
    this.#socket = dockerHost.replace(/^unix:\/\//, "");
  }

  /** @param installation the id of this installation; null where there is none yet. */
  async look(installation: string | null): Promise<EngineFact> {
    try {
      const [info, networks] = await Promise.all([
        this.#get<Info>("/info"),
        this.#get<readonly Network[]>("/networks"),
      ]);
      if (typeof info.ServerVersion !== "string") return { kind: "stranger", socket: this.#socket };
      return {
        kind: "answers",
        version: info.ServerVersion,
        cgroup: info.CgroupVersion ?? "1",
        liveRestore: info.LiveRestoreEnabled === true,
        root: info.DockerRootDir ?? "/var/lib/docker",
        networks: networks.map((network) => networkFact(network, installation)),
      };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof SyntaxError) return { kind: "stranger", socket: this.#socket };
      const forbidden = code === "EACCES" || code === "EPERM";
      return { kind: forbidden ? "forbidden" : "absent", socket: this.#socket };
    }
  }

  /** The volumes of an installation by the workspace that they are of. */
  async volumes(installation: string): Promise<{ name: string; workspace: string }[]> {
    const filters = labelFilter(installation);
    const { Volumes } = await this.#get<{ Volumes: readonly Labelled[] | null }>(
      `/volumes?filters=${filters}`,
    );
    return (Volumes ?? []).flatMap(({ Name, Labels }) => {
      const workspace = Labels?.[workspaceLabel];
      return Name === undefined || !workspace ? [] : [{ name: Name, workspace }];
    });
  }

  /** The workspaces, and those that are only prepared, that have containers now. */
  async inUse(installation: string): Promise<string[]> {
    const filters = labelFilter(installation);
    const containers = await this.#get<readonly Labelled[]>(
      `/containers/json?all=true&filters=${filters}`,
    );
    return containers.flatMap(({ Labels }) => Labels?.[workspaceLabel] ?? []);
  }

  #get<Answer>(path: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = get({ socketPath: this.#socket, path, timeout: patienceMs }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.once("error", reject);
        response.once("end", () => {
          try {
            resolve(JSON.parse(text) as Answer);
          } catch (error) {
            reject(error);
          }
        });
      });
      asked.once("timeout", () => asked.destroy(new Error("no answer")));
      asked.once("error", reject);
    });
  }
}

const workspaceLabel = "oneloop.workspace";
const installationLabel = "oneloop.installation";
const mtuOption = "com.docker.network.driver.mtu";
const bridgeOption = "com.docker.network.bridge.name";

interface Info {
  readonly ServerVersion?: unknown;
  readonly CgroupVersion?: string;
  readonly LiveRestoreEnabled?: boolean;
  readonly DockerRootDir?: string;
}

interface Network {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly IPAM: { readonly Config: readonly { readonly Subnet?: string }[] | null } | null;
}

interface Labelled {
  readonly Name?: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}

function networkFact(network: Network, installation: string | null): NetworkFact {
  // The engine's own names for those that were given none.
  const unnamed = network.Driver === "bridge" ? `br-${network.Id.slice(0, 12)}` : null;
  const mtu = Number(network.Options?.[mtuOption] ?? Number.NaN);
  return {
    name: network.Name,
    subnets: (network.IPAM?.Config ?? []).flatMap(({ Subnet }) => Subnet ?? []),
    mtu: Number.isNaN(mtu) ? null : mtu,
    bridge: network.Options?.[bridgeOption] ?? unnamed,
    ours: installation !== null && network.Labels?.[installationLabel] === installation,
  };
}

function labelFilter(installation: string): string {
  const label = [`${installationLabel}=${installation}`];
  return encodeURIComponent(JSON.stringify({ label }));
}

/** The id that the data folder holds; null where no control plane ever started with it. */
export async function installationOf(dataDir: string): Promise<string | null> {
  const text = await readFile(`${dataDir}/installation`, "utf8").catch(() => "");
  return text.trim() || null;
}
