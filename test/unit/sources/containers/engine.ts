/** What an engine says, as `docker inspect` of a real one has it; only what matters. */
export interface SaidContainer {
  readonly name: string;
  readonly project?: string;
  readonly service?: string;
  readonly number?: number;
  readonly state?: string;
  readonly exitCode?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly host?: Readonly<Record<string, unknown>>;
  readonly mounts?: readonly Readonly<Record<string, unknown>>[];
  /** Aliases by network. */
  readonly networks?: Readonly<Record<string, readonly string[]>>;
}

export const imageId = `sha256:${"a".repeat(64)}`;

/** An image that sets something of everything. */
export const image = {
  RepoTags: ["acme/web:1"],
  RepoDigests: [`acme/web@sha256:${"d".repeat(64)}`],
  Os: "linux",
  Architecture: "amd64",
  Config: {
    Env: ["PATH=/usr/bin", "LANG=C.UTF-8"],
    Cmd: ["server.js"],
    Entrypoint: ["node"],
    User: "app",
    WorkingDir: "/srv",
    ExposedPorts: { "3000/tcp": {} },
  },
};

function idOf(name: string): string {
  return Buffer.from(name.padEnd(32, "-")).toString("hex").slice(0, 64);
}

export function labelsOf({ project, service, number = 1, labels = {} }: SaidContainer) {
  return {
    ...(project === undefined ? {} : { "com.docker.compose.project": project }),
    ...(service === undefined ? {} : { "com.docker.compose.service": service }),
    "com.docker.compose.container-number": String(number),
    "com.docker.compose.depends_on": "",
    ...labels,
  };
}

/** As `GET /containers/json` has it. */
export function listed(said: SaidContainer) {
  return {
    Id: idOf(said.name),
    Names: [`/${said.name}`],
    State: said.state ?? "running",
    Labels: labelsOf(said),
  };
}

/** As `GET /containers/<id>/json` has it: what the image says, and what was asked for. */
export function inspected(said: SaidContainer) {
  const { name, state = "running", exitCode = 0, config = {}, host = {}, mounts = [] } = said;
  const networks = Object.entries(said.networks ?? { shop_default: [said.service ?? name] });
  return {
    Id: idOf(name),
    Name: `/${name}`,
    Image: imageId,
    State: { Status: state, ExitCode: exitCode },
    Config: { Image: "acme/web:1", ...image.Config, Labels: labelsOf(said), ...config },
    HostConfig: { NetworkMode: "shop_default", ...host },
    Mounts: mounts,
    NetworkSettings: {
      Networks: Object.fromEntries(
        networks.map(([network, aliases]) => [
          network,
          { Aliases: [...aliases, idOf(name).slice(0, 12)] },
        ]),
      ),
    },
  };
}
