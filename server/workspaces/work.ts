import type { Owner } from "../engine/steps.ts";
import type { Checkout } from "../protocol/plan.ts";
import { controlPlaneActor } from "../protocol/supervisor.ts";
import type { WorkCounts } from "../protocol/workspace.ts";
import { collectWithin } from "../terminals/collect-within.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { deadline } from "../util/deadline.ts";

/** `git status` of a large tree with a cold cache; a count that takes longer is not worth it. */
const countTimeoutMs = 60_000;

/**
 * $1 the checkout, $2 the commit that was opened. In the workspace itself, as its own user: what the
 * repository's configuration runs there, it could run anyway. Only a shell and git are needed.
 */
const countScript = `
cd "$1" || exit 1
export GIT_OPTIONAL_LOCKS=0
lines() { n=0; while IFS= read -r line; do n=$((n + 1)); done; echo "$1 $n"; }
echo "head $(git rev-parse --verify --quiet HEAD)"
git status --porcelain=v1 --untracked-files=normal | lines uncommitted
echo "unpushed $(git rev-list --count --branches HEAD --not --remotes "$2")"
git stash list | lines stashes
`;

/**
 * Counts the work that exists only in a running workspace; null where git cannot tell. What comes
 * back is the workspace's own word: for its owner's eyes only, never a reason to delete anything.
 */
export async function countWork(
  supervisors: Pick<Supervisors, "exec">,
  work: {
    readonly owner: Owner;
    readonly checkout: Checkout;
    readonly now: Date;
    readonly signal: AbortSignal;
  },
): Promise<WorkCounts | null> {
  const { owner, checkout, now } = work;
  using stream = await supervisors.exec(
    { owner, actor: controlPlaneActor },
    {
      argv: [
        ...["/.oneloop/bin/sh", "-c", countScript, "count"],
        ...[checkout.path, checkout.commit],
      ],
      env: {},
    },
  );
  using limit = deadline(work.signal, countTimeoutMs);
  const { exit, stdout } = await collectWithin(stream, { signal: limit.signal });
  return exit.code === 0 ? parseWorkCounts(stdout.toString("utf8"), now) : null;
}

/** @param text the output of `countScript`. */
export function parseWorkCounts(text: string, now: Date): WorkCounts | null {
  const said = new Map(
    text.split("\n").map((line) => [line.split(" ")[0] ?? "", line.split(" ")[1] ?? ""]),
  );
  const count = (name: string): number | null => {
    const value = said.get(name) ?? "";
    return /^\d{1,9}$/.test(value) ? Number(value) : null;
  };
  const [uncommitted, unpushed, stashes] = [
    count("uncommitted"),
    count("unpushed"),
    count("stashes"),
  ];
  if (uncommitted === null || unpushed === null || stashes === null) return null;
  const head = said.get("head") ?? "";
  return {
    uncommitted,
    unpushed,
    stashes,
    head: /^[0-9a-f]{40}$/.test(head) ? head : null,
    at: now.toISOString(),
  };
}
