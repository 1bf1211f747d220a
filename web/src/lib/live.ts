import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import type { WorkspaceEvent, WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { trpc, type Outputs } from "./api.ts";
import { wireError } from "./errors.ts";

/** The wait before a subscription that the control plane's end broke off is opened anew. */
const resubscribeMs = 2000;

function useVisible(): boolean {
  return useSyncExternalStore(
    (listener) => {
      document.addEventListener("visibilitychange", listener);
      return () => document.removeEventListener("visibilitychange", listener);
    },
    () => document.visibilityState === "visible",
  );
}

interface Subscription {
  status: "idle" | "connecting" | "pending" | "error";
  error: unknown;
  reset: () => void;
}

/**
 * Opens a subscription again that ended with an error which is not an answer (a proxy's 502, say);
 * the browser itself reconnects one whose connection broke.
 */
function useResubscribe({ status, error, reset }: Subscription): void {
  const broken = status === "error" && wireError(error).code === "internal";
  useEffect(() => {
    if (!broken) return undefined;
    const timer = setTimeout(reset, resubscribeMs);
    return () => clearTimeout(timer);
  }, [broken, reset]);
}

export interface Live {
  /** False while the page shows what was last heard. */
  connected: boolean;
}

/** The list of workspaces, kept current by the control plane. */
export function useWorkspaceList(): Live & {
  workspaces: Outputs["workspaces"]["list"] | undefined;
  error: unknown;
} {
  const queryClient = useQueryClient();
  // A browser opens six HTTP/1.1 connections to a host: pages that nobody looks at give theirs back.
  const enabled = useVisible();
  const list = useQuery(trpc.workspaces.list.queryOptions());
  const subscription = useSubscription(
    trpc.workspaces.watchList.subscriptionOptions(undefined, {
      enabled,
      onData: (workspaces) => queryClient.setQueryData(trpc.workspaces.list.queryKey(), workspaces),
    }),
  );
  useResubscribe(subscription);
  return {
    workspaces: list.data,
    error: list.error,
    connected: subscription.error === null,
  };
}

export interface LiveWorkspace extends Live {
  workspace: WorkspaceSummary | undefined;
  events: readonly WorkspaceEvent[];
  leftOut: Outputs["workspaces"]["show"]["leftOut"];
  deleted: boolean;
  error: unknown;
}

interface Heard {
  workspace: WorkspaceSummary | undefined;
  events: ReadonlyMap<number, WorkspaceEvent>;
  deleted: boolean;
}

const nothingHeard: Heard = { workspace: undefined, events: new Map(), deleted: false };

/** One workspace with its events, kept current by the control plane. Mount it anew for another. */
export function useWorkspace(name: string): LiveWorkspace {
  const queryClient = useQueryClient();
  const enabled = useVisible();
  const [heard, setHeard] = useState(nothingHeard);
  const show = useQuery(trpc.workspaces.show.queryOptions({ workspace: name }));
  const subscription = useSubscription(
    trpc.workspaces.watch.subscriptionOptions(
      { workspace: name },
      {
        enabled: enabled && !heard.deleted,
        onData: ({ data: update }) => {
          switch (update.kind) {
            case "state":
              setHeard((before) => ({ ...before, workspace: update.workspace }));
              // The plan, and with it what was left out, comes into being while it starts.
              void queryClient.invalidateQueries(
                trpc.workspaces.show.queryFilter({ workspace: name }),
              );
              // A task's terminal may have come or gone with it.
              void queryClient.invalidateQueries(
                trpc.terminals.list.queryFilter({ workspace: name }),
              );
              break;
            case "event":
              setHeard((before) => ({
                ...before,
                events: new Map(before.events).set(update.event.id, update.event),
              }));
              break;
            case "deleted":
              setHeard((before) => ({ ...before, deleted: true }));
              break;
            default:
              update satisfies never;
          }
        },
      },
    ),
  );
  useResubscribe(subscription);
  const events = new Map<number, WorkspaceEvent>();
  for (const event of show.data?.events ?? []) events.set(event.id, event);
  for (const [id, event] of heard.events) events.set(id, event);
  return {
    workspace: heard.workspace ?? show.data,
    events: [...events.values()].sort((a, b) => a.id - b.id),
    leftOut: show.data?.leftOut ?? [],
    deleted: heard.deleted,
    error: show.error,
    connected: subscription.error === null,
  };
}
