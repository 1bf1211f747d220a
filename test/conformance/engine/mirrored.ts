import type { ServiceFile } from "../../../server/engine/services.ts";
import {
  unsaidMirror,
  type MirroredService,
  type PlannedService,
} from "../../../server/protocol/service.ts";
import { service } from "../../helpers/plans.ts";

/** A service of production, alone in its network. */
export function mirrored(
  name: string,
  {
    mirror: own,
    ...change
  }: Partial<Omit<PlannedService, "mirror">> & {
    mirror?: Partial<MirroredService>;
  } = {},
): PlannedService {
  return service(name, { dedicatedPod: true, ...change, mirror: { ...unsaidMirror, ...own } });
}

/** A planned file, and the same for the engine. */
export function textFile(path: string, text: string, mode = 0o644) {
  const planned: MirroredService["files"][number] = {
    path,
    mode,
    content: { kind: "text", parts: [{ text }] },
  };
  const put: ServiceFile = { path, mode, content: { kind: "bytes", bytes: Buffer.from(text) } };
  return { planned, put };
}

/** For a service without files. */
export const noFiles = { filesKey: "none", readFiles: () => Promise.resolve([]) };
