import { known } from "../../protocol/fact.ts";
import type { SourceVolume } from "../../protocol/source-model.ts";
import { entry, mapOf, textOf } from "./part.ts";
import type { Resource } from "./project.ts";
import type { Section } from "./section.ts";
import { anyText, bytes } from "./values.ts";

interface ReadVolume {
  readonly volume: SourceVolume;
  /** The path that it is in truth: the driver `local` can stand for a folder of the machine. */
  readonly bind: string | null;
}

/** A volume of the top level. */
export function readVolume(name: string, { key, section }: Resource): ReadVolume {
  const { where } = key;
  const options = optionsOf(section);
  const device = options.get("device") ?? null;
  const kind = options.get("type") ?? "";
  const flags = (options.get("o") ?? "").split(",");
  const isBind = device !== null && flags.some((flag) => flag === "bind" || flag === "rbind");
  const size = flags.find((flag) => flag.startsWith("size="))?.slice("size=".length);
  const sizeBytes = size === undefined ? null : bytes.parse(size);
  const isMemory = kind === "tmpfs";
  return {
    volume: {
      name: known(name, where),
      sizeBytes: known(sizeBytes || null, where),
      ephemeral: known(isMemory, where),
    },
    bind: isBind ? device : null,
  };
}

/** What of it is read; the rest is listed once, whether a service mounts it or not. */
export function listVolume({ section }: Resource): void {
  const options = optionsOf(section);
  const driver = section.value("driver", anyText);
  const isLocal = driver === null || driver === "local";
  if (!isLocal) section.list("driver", "Volumes of a workspace are its machine's.");
  const kind = options.get("type") ?? "none";
  const flags = (options.get("o") ?? "").split(",");
  const isRead = isLocal && (kind === "tmpfs" || flags.some((flag) => /^r?bind$/.test(flag)));
  if (options.size > 0 && !isRead) {
    section.list("driver_opts", "Volumes of a workspace are its machine's.");
  }
}

function optionsOf(section: Section): Map<string, string> {
  const part = section.get("driver_opts");
  const map = part === null ? null : mapOf(part);
  const options = new Map<string, string>();
  for (const name of map?.entries.keys() ?? []) {
    const value = map === null ? null : entry(map, name);
    const text = value === null ? null : textOf(value);
    if (text !== null) options.set(name, text);
  }
  return options;
}
