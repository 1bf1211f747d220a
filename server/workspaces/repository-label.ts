import { parseContextUrl } from "../repo/context-url.ts";

/** `host/owner/repo` of a repository's URL, as patterns of variables name it. */
export function repositoryLabel(repository: string): string {
  try {
    const { host, path } = parseContextUrl(repository);
    return `${host ?? "localhost"}/${path.replace(/^\//, "").replace(/\.git$/, "")}`;
  } catch {
    return repository;
  }
}
