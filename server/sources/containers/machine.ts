import { known, type Fact } from "../../protocol/fact.ts";
import type { Endpoint, HostAccess, SourceService } from "../../protocol/service.ts";
import type { Given } from "./given.ts";
import { composeLabel } from "./select.ts";

/** The sockets of an engine: whoever has one is root on the machine. */
const engineSockets = ["/var/run/docker.sock", "/run/docker.sock"];

type Mounts = Pick<SourceService, "mounts" | "files" | "tmpfs" | "hostAccess">;

/** Volumes, memory, files that stood beside the compose file, and the machine's own. */
export function readMounts({ container, service, at }: Given): Mounts {
  const mounts: Mounts = { mounts: [], files: [], tmpfs: [], hostAccess: [] };
  const folder = container.Config.Labels?.[composeLabel.workingDir]?.replace(/\/+$/, "") ?? "";
  for (const mount of container.Mounts ?? []) {
    const { Type: type, Name: volume, Source: source, Destination: path, RW: writable } = mount;
    const where = at(`Mounts[${path}]`);
    if (type === "tmpfs") {
      mounts.tmpfs.push(known({ path, sizeBytes: null }, where));
    } else if (type === "bind" || !volume) {
      const from = source ?? "";
      if (folder !== "" && `${from}/`.startsWith(`${folder}/`)) {
        const below = from.slice(folder.length + 1) || ".";
        const content = { kind: "repository", path: below } as const;
        mounts.files.push(known({ path, mode: null, content }, where));
      } else {
        const what = engineSockets.includes(from) ? "docker-socket" : "host-path";
        mounts.hostAccess.push(known({ what, detail: from }, where));
      }
    } else {
      const name = isAnonymous(volume) ? unnamedVolume(service, path) : volume;
      const readOnly = writable === false ? { readOnly: true } : {};
      mounts.mounts.push(known({ volume: name, path, ...readOnly }, where));
    }
  }
  for (const path of Object.keys(container.HostConfig.Tmpfs ?? {})) {
    mounts.tmpfs.push(known({ path, sizeBytes: null }, at(`HostConfig.Tmpfs[${path}]`)));
  }
  return mounts;
}

/** Nothing leads back to it once its container is gone. */
export function isAnonymous(volume: string): boolean {
  return /^[a-f0-9]{64}$/.test(volume);
}

export function unnamedVolume(service: string, path: string): string {
  return `${service}${path.replaceAll(/[^A-Za-z0-9_.-]+/g, "-")}`;
}

/** Rights over the machine, but for those of its mounts. */
export function readHostAccess({ container, at }: Given): Fact<HostAccess>[] {
  const { HostConfig: host } = container;
  const found: Fact<HostAccess>[] = [];
  const add = (what: HostAccess["what"], detail: string, path: string): void => {
    found.push(known({ what, detail }, at(`HostConfig.${path}`)));
  };
  if (host.Privileged === true) add("privileged", "privileged", "Privileged");
  if (host.NetworkMode === "host") add("host-network", "network_mode: host", "NetworkMode");
  if (host.PidMode === "host") add("host-pid", "pid: host", "PidMode");
  if (host.IpcMode === "host") add("host-ipc", "ipc: host", "IpcMode");
  for (const { PathOnHost: path } of host.Devices ?? []) {
    if (path) add("device", path, "Devices");
  }
  for (const option of host.SecurityOpt ?? []) {
    // The first takes a right away; the second the engine adds where all are given.
    if (/^no-new-privileges(?:[:=]|$)/.test(option)) continue;
    if (host.Privileged === true && /^label[:=]disable$/.test(option)) continue;
    add("security-option", option, "SecurityOpt");
  }
  return found;
}

/** Ports that somebody asked for: what only the image exposes, no file says either. */
export function readEndpoints({ container, image, at }: Given): Fact<Endpoint>[] {
  const bindings = container.HostConfig.PortBindings ?? {};
  const ofImage = Object.keys(image?.Config?.ExposedPorts ?? {});
  const exposed = Object.keys(container.Config.ExposedPorts ?? {});
  const asked = exposed.filter((key) => !ofImage.includes(key));
  return [...new Set([...Object.keys(bindings), ...asked])].flatMap((key) => {
    const [, number = "", protocol = ""] = /^(\d{1,5})\/(tcp|udp)$/.exec(key) ?? [];
    const targetPort = Number(number);
    if (targetPort < 1 || targetPort > 65_535) return [];
    const published = bindings[key] ?? [];
    const isPublic = published.some(({ HostIp: ip }) => !/^(?:127\.|::1$)/.test(ip ?? ""));
    const endpoint: Endpoint = {
      name: `port-${targetPort}${protocol === "udp" ? "-udp" : ""}`,
      targetPort,
      exposure: isPublic ? "public" : "internal",
      protocol: protocol === "udp" ? "udp" : "tcp",
      secure: false,
      path: null,
    };
    const where =
      key in bindings ? `HostConfig.PortBindings[${key}]` : `Config.ExposedPorts[${key}]`;
    return [known(endpoint, at(where))];
  });
}
