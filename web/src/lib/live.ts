import { useQuery } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import type { WorkspaceEvent, WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { queryClient, trpc, type Outputs } from "./api.ts";
import { useReportBroken } from "./connectivity.ts";
import { isNotSignedIn, wireError } from "./errors.ts";

/** The wait before a subscription that the control plane's end broke off is opened anew. */
const resubscribeMs = 2000;

export function useVisible(): boolean {
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
 * the browser itself reconnects one whose connection broke. A browser does not tell which answer
 * ended a subscription: so the control plane is asked who we are, and says so if we are nobody.
 */
export function useResubscribe({ status, error, reset }: Subscription): void {
  const failed = status === "error" && wireError(error).code === "internal";
  const refused = status === "error" && isNotSignedIn(error);
  useReportBroken(error !== null && !refused, reset);
  useEffect(() => {
    if (!failed && !refused) return undefined;
    void queryClient.refetchQueries(trpc.auth.me.queryFilter());
    if (refused) return undefined;
    const timer = setTimeout(reset, resubscribeMs);
    return () => clearTimeout(timer);
  }, [failed, refused, reset]);
}

/** Keeps the list of workspaces current, for every component that shows it. */
export function useLiveList(wanted: boolean): void {
  // A browser opens six HTTP/1.1 connections to a host: pages that nobody looks at give theirs back.
  const enabled = useVisible() && wanted;
  const subscription = useSubscription(
    trpc.workspaces.watchList.subscriptionOptions(undefined, {
      enabled,
      onData: (workspaces) => queryClient.setQueryData(trpc.workspaces.list.queryKey(), workspaces),
    }),
  );
  useResubscribe(subscription);
}

export interface LiveWorkspace {
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

/** A task's terminal may have come or gone with what happened. */
function refreshTerminals(workspace: string): Promise<void> {
  return queryClient.invalidateQueries(trpc.terminals.list.queryFilter({ workspace }));
}

/** One workspace with its events, kept current by the control plane. Mount it anew for another. */
export function useWorkspace(name: string): LiveWorkspace {
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
              void refreshTerminals(name);
              break;
            case "event":
              void refreshTerminals(name);
              setHeard((before) => ({
                ...before,
                events: new Map(before.events).set(update.event.id, update.event),
              }));
              break;
            case "tasks":
              void refreshTerminals(name);
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
  };
}
