import type { Engine } from "../engine/engine.ts";
import type { ImageFacts } from "../engine/images.ts";
import type { Job } from "../engine/jobs.ts";
import type { Owner, StepOptions } from "../engine/steps.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { Checkout, WorkspacePlan } from "../protocol/plan.ts";
import type { UnsavedWork } from "../protocol/workspace.ts";
import { cacheKey, cachePath } from "../repo/repositories.ts";
import { sourceRoot } from "../sources/source-root.ts";
import { cacheOwner, cacheVolume } from "./repository-cache.ts";

/** The checkout of a large repository on a slow disk; what takes longer hangs. */
const checkoutTimeoutMs = 15 * 60 * 1000;
/** `git status` of a large tree with a cold cache. */
const inspectTimeoutMs = 2 * 60 * 1000;
/** Lines of each kind of unsaved work that are listed. */
const listedLines = 200;

/**
 * As root, with CHOWN, SETUID and SETGID only: gives the fresh volumes to the container's user, then
 * goes on as that user. Its orders come on standard input, a line each (no value has a line break),
 * so that the container can be started before anybody knows them.
 */
const asUserOfImage = `
set -eu
IFS= read -r uid
IFS= read -r gid
IFS= read -r cache
IFS= read -r folder
IFS= read -r url
IFS= read -r commit
IFS= read -r branch
IFS= read -r lfs
IFS= read -r remote
chown "$uid:$gid" /volumes/source /volumes/home
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- \\
  sh -eu -c "$INNER" checkout "$cache" "$folder" "$url" "$commit" "$branch" "$lfs" \\
  "$remote"
`;

/**
 * $1 cache repository, $2 folder, $3 remote URL, $4 commit, $5 branch or "", $6 "lfs" or "",
 * $7 the remote's name. The rest of the orders are further remotes, two lines each, an empty line,
 * and submodules, five lines each. The folder appears by one rename: a run that
 * was killed leaves nothing that looks like a checkout, and an existing one is never touched.
 *
 * Submodules come from the cache, too: git is told to look there for their URLs, in a file of this
 * job only. It is told each URL as well, and takes none from `.gitmodules`: one that was not asked
 * could lead to another's cache. Files of LFS stay pointers: the workspace's own git-lfs makes files
 * of them, from the objects that are put in their place here.
 */
export const checkoutScript = `
export HOME=/tmp
target=/volumes/source/$2
if [ -e "$target" ]; then exit 0; fi
partial=/volumes/source/.oneloop-partial
rm -rf "$partial"
mkdir -p "$(dirname "$target")"
git config --global uploadpack.allowAnySHA1InWant true
# Another open may have fetched since, and the branch be gone: its commit is still here.
if [ -n "$5" ] && git --git-dir="$1" show-ref --verify --quiet "refs/heads/$5"; then
  git clone --quiet --no-checkout --no-hardlinks --origin "$7" --branch "$5" -- "$1" "$partial"
else
  git clone --quiet --no-checkout --no-hardlinks --origin "$7" -- "$1" "$partial"
fi
cd "$partial"
git remote set-url -- "$7" "$3"
while IFS= read -r name && [ -n "$name" ] && IFS= read -r url; do
  git remote add -- "$name" "$url"
done
default=$(git symbolic-ref --quiet --short HEAD || true)
if [ -n "$5" ]; then
  git checkout --quiet -B "$5" "$4"
else
  git checkout --quiet --detach "$4"
fi
# Where the cache's HEAD is a branch that the remote has not, there is none to take away.
if [ "$default" != "$5" ] && git show-ref --verify --quiet "refs/heads/$default"; then
  git branch --quiet -D "$default"
fi
while IFS= read -r within && IFS= read -r name && IFS= read -r path && IFS= read -r url &&
  IFS= read -r cache; do
  git config --global "url.$cache.insteadOf" "$url"
  git -C "./$within" config "submodule.$name.url" "$url"
  git -C "./$within" --literal-pathspecs -c protocol.file.allow=always submodule --quiet update \
    -- "$path" </dev/null
done
if [ "$6" = lfs ]; then
  git lfs ls-files --long "$4" | while read -r oid rest; do
    # A file's name may have line breaks: what is no id could be a path into another's cache.
    case "$oid" in *[!0-9a-f]*) continue ;; esac
    if [ "\${#oid}" -ne 64 ]; then continue; fi
    object=lfs/objects/$(echo "$oid" | cut -c1-2)/$(echo "$oid" | cut -c3-4)
    if [ ! -e "$1/$object/$oid" ]; then continue; fi
    mkdir -p ".git/$object"
    cp "$1/$object/$oid" ".git/$object/$oid"
  done
fi
mv "$partial" "$target"
`;

/** As the owner of the checkout, whoever that is. $1 folder, $2 the commit that was opened. */
const asOwnerOfSource = `
set -eu
if [ ! -d "/source/$1" ]; then exit 0; fi
exec setpriv --reuid "$(stat -c %u "/source/$1")" --regid "$(stat -c %g "/source/$1")" \\
  --clear-groups -- sh -eu -c "$INNER" inspect "$@"
`;

/**
 * Commits that no remote branch has count as unpushed, on any branch and on a detached HEAD; the
 * commit that was opened came from the remote. Options on the command line win over those of the
 * repository, which its user could write.
 */
const inspectScript = `
export HOME=/tmp GIT_OPTIONAL_LOCKS=0
cd "/source/$1"
git="git -c core.fsmonitor=false -c core.quotePath=false"
echo "= uncommitted"
$git status --porcelain=v1 --untracked-files=normal --ignore-submodules=none
echo "= unpushed"
$git log --branches HEAD --source --format="%S: %h %s" --not --remotes "$2"
echo "= stashes"
$git stash list
`;

/** The checkout of a workspace's repository, but for its orders. */
export function checkoutJob(owner: Owner): Omit<Job, "input"> {
  return {
    owner,
    name: "checkout",
    image: "helper",
    command: ["sh", "-c", asUserOfImage],
    env: { INNER: checkoutScript },
    capabilities: ["CHOWN", "SETUID", "SETGID"],
    mounts: [
      { kind: "volume", owner, volume: "source", path: "/volumes/source", readOnly: false },
      { kind: "volume", owner, volume: "home", path: "/volumes/home", readOnly: false },
      { kind: "volume", owner: cacheOwner, volume: cacheVolume, path: cachePath, readOnly: true },
    ],
    timeoutMs: checkoutTimeoutMs,
  };
}

/**
 * Fills the source volume from the repository cache, in a container without network. What comes
 * from outside (names, paths, URLs) is arguments and lines of input, never text of a script.
 *
 * @throws OneloopError `checkout-failed`
 */
export async function checkOut(
  engine: Engine,
  work: { owner: Owner; checkout: Checkout; user: ImageFacts["user"] },
  options: StepOptions,
): Promise<void> {
  const { owner, checkout, user } = work;
  const orders = [
    String(user.uid),
    String(user.gid),
    `${cachePath}/${cacheKey(checkout.key ?? checkout.url)}`,
    checkout.path.slice(sourceRoot.length + 1),
    checkout.url,
    checkout.commit,
    checkout.ref?.startsWith("refs/heads/") ? checkout.ref.slice(11) : "",
    checkout.lfs === true ? "lfs" : "",
    checkout.remote ?? "origin",
    ...(checkout.otherRemotes ?? []).flatMap(({ name, url }) => [name, url]),
    "",
    ...(checkout.submodules ?? []).flatMap(({ within, name, path, url, key }) => [
      ...[within, name, path, url],
      `${cachePath}/${cacheKey(key)}`,
    ]),
  ];
  const input = orders.map((order) => `${order}\n`).join("");
  const { exitCode, stderr } = await engine.runJob({ ...checkoutJob(owner), input }, options);
  if (exitCode === 0) return;
  throw new OneloopError(
    "checkout-failed",
    `The repository could not be checked out: ${lastLine(stderr)}`,
    { cause: new Error(stderr) },
  );
}

/**
 * What exists only in this workspace: in its checkout, and in the projects beside it.
 *
 * @throws OneloopError `checkout-failed` when git cannot tell.
 */
export async function findUnsavedWork(
  engine: Engine,
  work: { owner: Owner; plan: Pick<WorkspacePlan, "checkout" | "projects"> },
  options: StepOptions,
): Promise<UnsavedWork> {
  const { owner, plan } = work;
  const found: UnsavedWork = { uncommitted: [], unpushed: [], stashes: [] };
  for (const checkout of [plan.checkout, ...(plan.projects ?? [])]) {
    if (checkout === null) continue;
    const here = await inspect(engine, { owner, checkout }, options);
    const named = (line: string): string =>
      checkout === plan.checkout ? line : `${checkout.path}: ${line}`;
    found.uncommitted.push(...here.uncommitted.map(named));
    found.unpushed.push(...here.unpushed.map(named));
    found.stashes.push(...here.stashes.map(named));
  }
  return found;
}

/**
 * What exists only in one checkout. It is asked in a container without network and
 * with the volume read-only, because the repository's own configuration can run programs.
 */
async function inspect(
  engine: Engine,
  work: { owner: Owner; checkout: Checkout },
  options: StepOptions,
): Promise<UnsavedWork> {
  const { owner, checkout } = work;
  const folder = checkout.path.slice(sourceRoot.length + 1);
  const { exitCode, stdout, stderr } = await engine.runJob(
    {
      owner,
      name: "inspect",
      image: "helper",
      command: ["sh", "-c", asOwnerOfSource, "inspect", folder, checkout.commit],
      env: { INNER: inspectScript },
      capabilities: ["SETUID", "SETGID"],
      mounts: [{ kind: "volume", owner, volume: "source", path: "/source", readOnly: true }],
      timeoutMs: inspectTimeoutMs,
    },
    options,
  );
  if (exitCode !== 0) {
    throw new OneloopError(
      "checkout-failed",
      `Git cannot tell what is unsaved in this workspace: ${lastLine(stderr)}`,
      { cause: new Error(stderr) },
    );
  }
  return parseUnsavedWork(stdout);
}

/** @param text the output of `inspectScript`. */
export function parseUnsavedWork(text: string): UnsavedWork {
  const work: UnsavedWork = { uncommitted: [], unpushed: [], stashes: [] };
  let list: string[] | null = null;
  for (const line of text.split("\n")) {
    if (line === "= uncommitted") list = work.uncommitted;
    else if (line === "= unpushed") list = work.unpushed;
    else if (line === "= stashes") list = work.stashes;
    else if (line !== "" && list !== null && list.length < listedLines) {
      list.push(line.replace(/^refs\/heads\//, ""));
    }
  }
  return work;
}

export function isEmpty(work: UnsavedWork): boolean {
  return work.uncommitted.length + work.unpushed.length + work.stashes.length === 0;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.slice(0, 300) ?? "";
}
