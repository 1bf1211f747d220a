import { stat } from "node:fs/promises";
import type { Job } from "../engine/jobs.ts";
import type { Owner } from "../engine/steps.ts";
import type { GitRequest } from "../repo/git-runner.ts";
import { cachePath } from "../repo/repositories.ts";

/** Where a local repository appears inside the job that reads it. */
const localPath = "/local";

/**
 * $1 and $2 the folder's owner, $3 the repository's cache, then git's arguments. git-lfs has no
 * program of its own for the other side: all of it runs as the folder's owner, who gets a place in
 * the cache for what it fetches.
 */
const lfsAsOwner = `
set -eu
uid=$1 gid=$2 cache=$3
shift 3
if [ ! -e "$cache/lfs" ]; then
  mkdir "$cache/lfs"
  chown "$uid:$gid" "$cache/lfs"
fi
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- git "$@"
`;

/**
 * The job that runs git over a folder of this machine, without network. What a local user wrote may
 * be hostile to git, so its reader has no more right than that user: the folder's owner. Only the
 * mount leads there, whoever may enter the folders above it.
 *
 * - The reader is `git upload-pack`, a process of its own; what writes the cache never reads the
 *   folder. Root without any capability reads a folder of root's.
 * - Docker 20.10 mounts whole volumes only, so the other caches are there too. They stand at a path
 *   that is new and random in each job: a repository that borrows another's objects has to name
 *   their place (`objects/info/alternates`, a `gitdir:` file, a link), and cannot.
 */
export async function localGitJob(
  request: GitRequest,
  folder: string,
  cache: { readonly owner: Owner; readonly volume: string; readonly secret: string },
): Promise<Job> {
  const { uid, gid } = await stat(folder);
  const mounted = `/cache-${cache.secret}`;
  const args = request.args.map((arg) => placed(arg, mounted));
  const usesCache = args.some((arg) => arg.includes(mounted));
  const isRoot = uid === 0;
  const isLfs = args.includes("lfs");
  return {
    owner: cache.owner,
    name: "local-git",
    image: "helper",
    command: isLfs
      ? ["sh", "-c", lfsAsOwner, "local-git", String(uid), String(gid), ...lfsArgs(args, folder)]
      : ["git", ...fetchArgs(args, { folder, reader: isRoot ? null : { uid, gid } })],
    env: { HOME: "/tmp", ...request.env },
    capabilities: isLfs ? ["CHOWN", "SETUID", "SETGID"] : isRoot ? [] : ["SETUID", "SETGID"],
    mounts: [
      { kind: "host", hostPath: folder, path: localPath },
      ...(usesCache
        ? [
            {
              kind: "volume" as const,
              owner: cache.owner,
              volume: cache.volume,
              path: mounted,
              readOnly: false,
            },
          ]
        : []),
    ],
    timeoutMs: request.timeoutMs,
  };
}

const gitDirOption = "--git-dir=";

/** An argument with the cache where it is mounted. */
function placed(arg: string, mounted: string): string {
  const option = arg.startsWith(gitDirOption) ? gitDirOption : "";
  const path = arg.slice(option.length);
  return path.startsWith(`${cachePath}/`) ? option + mounted + path.slice(cachePath.length) : arg;
}

/** The cache's folder, then git's arguments; git-lfs knows folders by their URL only. */
function lfsArgs(args: readonly string[], folder: string): string[] {
  const gitDir = args.find((arg) => arg.startsWith(gitDirOption)) ?? gitDirOption;
  return [
    gitDir.slice(gitDirOption.length),
    ...args.map((arg) => (arg === folder ? `file://${localPath}` : arg)),
  ];
}

/** The subcommands that start a reader of the remote's. */
const askingCommands: ReadonlySet<string> = new Set(["ls-remote", "fetch"]);

function fetchArgs(
  args: readonly string[],
  { folder, reader }: { folder: string; reader: { uid: number; gid: number } | null },
): string[] {
  const option =
    reader === null
      ? []
      : [
          `--upload-pack=setpriv --reuid ${reader.uid} --regid ${reader.gid} --clear-groups -- git-upload-pack`,
        ];
  return args.flatMap((arg) => {
    if (arg === folder) return [localPath];
    return askingCommands.has(arg) ? [arg, ...option] : [arg];
  });
}
