/** What an open and a plan are told of the mirror; what is unsaid, the devfile says. */
export interface MirrorRequest {
  readonly mirror?: string | null;
  readonly develop?: string[];
}

export const mirrorOption = [
  "what says how production runs, a file or folder of the repository such as k8s or compose.yaml: its services run around the workspace; again for a compose file over another; none: nothing does",
  (path: string, before: string | undefined): string =>
    before === undefined ? path : `${before},${path}`,
] as const;

export const developOption = [
  "production's services that you develop here, separated by commas; unsaid, found by name, image or build",
] as const;

export function mirrorRequest({
  mirror,
  develop,
}: {
  readonly mirror?: string;
  readonly develop?: string;
}): MirrorRequest {
  const names = develop?.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]));
  return {
    ...(mirror === undefined ? {} : { mirror: mirror === "none" ? null : mirror }),
    ...(names === undefined ? {} : { develop: names }),
  };
}
