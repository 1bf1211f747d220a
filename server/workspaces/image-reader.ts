import type { UserSettings } from "../auth/user-settings.ts";
import type { WorkspaceRow } from "../db/workspaces.ts";
import type { ImageReader } from "../engine/images.ts";

/** A workspace's images are read as its owner may read them. */
export function imageReader(
  settings: Pick<UserSettings, "registryCredential">,
  { ownerId }: Pick<WorkspaceRow, "ownerId">,
): ImageReader {
  return {
    id: ownerId,
    credentialFor: (registry) => settings.registryCredential(ownerId, registry),
  };
}
