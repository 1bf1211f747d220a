import type { Api } from "./api.ts";
import { Failure } from "./failure.ts";
import type { Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { formatDuration } from "./text.ts";
import { eventLine } from "./views.ts";
import type { WorkspaceState } from "../../server/protocol/workspace.ts";
import type { WorkspaceEvent, WorkspaceSummary } from "./wire.ts";

/** Where a workspace is to get; `deleted` is the end of it. */
export type Goal = "running" | "stopped" | "deleted";

/** A restart of the control plane takes a few seconds; after this it is gone. */
const reconnectWithinMs = 30_000;

export interface FollowOptions {
  readonly output: Output;
  /** Events up to this id were there before. */
  readonly afterEvent: number;
  /** `performance.now()` of the command's beginning. */
  readonly began: number;
}

/** What an update means to the one who waits for `goal`. */
export function judge(
  state: WorkspaceState,
  goal: Goal,
): "reached" | "failed" | "refused" | "wait" {
  switch (state) {
    case "running":
      return goal === "running" ? "reached" : goal === "stopped" ? "refused" : "wait";
    case "stopped":
      // A delete that finds work which nobody has seen goes back to stopped.
      return goal === "stopped" ? "reached" : goal === "deleted" ? "refused" : "wait";
    case "failed":
      return "failed";
    case "starting":
      // A stop is on its way from the first look on: somebody has started it again, and that it was
      // stopped in between may have been too short to be seen.
      return goal === "stopped" ? "refused" : "wait";
    case "stopping":
    case "deleting":
      return "wait";
  }
}

/**
 * Shows what happens to a workspace until it has got to `goal`.
 *
 * @returns the last that was heard of it; null when it is deleted.
 * @throws Failure of the workspace, or when the control plane stays away.
 */
export function follow(
  api: Api,
  { id, goal }: { id: string; goal: Goal },
  { output, afterEvent, began }: FollowOptions,
): Promise<WorkspaceSummary | null> {
  return new Promise((resolve, reject) => {
    const progress = new Progress(output, "waiting", began);
    let lost: NodeJS.Timeout | undefined;
    const end = (finish: () => void): void => {
      progress[Symbol.dispose]();
      clearTimeout(lost);
      // First this: unsubscribing completes the subscription, which is a failure otherwise.
      finish();
      subscription.unsubscribe();
    };
    const onState = (workspace: WorkspaceSummary): void => {
      progress.phase = workspace.state;
      const verdict = judge(workspace.state, goal);
      switch (verdict) {
        case "wait":
          return;
        case "reached":
          return end(() => resolve(workspace));
        case "refused": {
          const [code, why] =
            goal === "stopped"
              ? (["conflict", "was started again, by a login perhaps."] as const)
              : (["unsaved-work", "has work that is nowhere else. It is stopped."] as const);
          const sentence = `${workspace.name} ${why}`;
          return end(() => reject(new Failure(code, sentence, { status: 1 })));
        }
        case "failed": {
          const { code = "internal", message = "The workspace failed." } = workspace.error ?? {};
          return end(() => reject(new Failure(code, message)));
        }
      }
    };
    const subscription = api.workspaces.watch.subscribe(
      { workspace: id, afterEvent },
      {
        onData: ({ data: update }) => {
          switch (update.kind) {
            case "event":
              return output.note(progressLine(update.event, performance.now() - began));
            case "state":
              return onState(update.workspace);
            case "tasks":
              return;
            case "deleted":
              return end(() => {
                if (goal === "deleted") resolve(null);
                else reject(new Failure("not-found", "The workspace was deleted meanwhile."));
              });
          }
        },
        onConnectionStateChange: ({ state }) => {
          if (state !== "connecting") {
            clearTimeout(lost);
            lost = undefined;
            return;
          }
          lost ??= setTimeout(() => {
            const sentence =
              "The control plane went away; what it was doing goes on when it is started again.";
            end(() => reject(new Failure("control-plane-unreachable", sentence)));
          }, reconnectWithinMs);
        },
        onError: (error) => end(() => reject(error)),
        onComplete: () => {
          const sentence = "The control plane ended the connection.";
          end(() => reject(new Failure("control-plane-unreachable", sentence)));
        },
      },
    );
  });
}

/** An event with the time since the command began, in a column of its own. */
export function progressLine(event: WorkspaceEvent, sinceMs: number): string {
  const line = eventLine(event).slice(event.at.length).trimStart();
  return `${formatDuration(sinceMs).padStart(8)}  ${line}`;
}

/** The id of the last event that is there already. */
export async function lastEventOf(api: Api, workspace: string): Promise<number> {
  const { events } = await api.workspaces.show.query({ workspace });
  return events.at(-1)?.id ?? 0;
}
