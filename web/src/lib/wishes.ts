import { useMutation } from "@tanstack/react-query";
import type { WorkspaceState } from "../../../server/protocol/workspace.ts";
import { queryClient, trpc, type Outputs } from "./api.ts";

type List = Outputs["workspaces"]["list"];

/** Shows a workspace as the control plane has just answered. */
export function putWorkspace(workspace: List[number]): void {
  queryClient.setQueryData(trpc.workspaces.list.queryKey(), (list: List | undefined) =>
    list?.map((each) => (each.id === workspace.id ? workspace : each)),
  );
  void queryClient.invalidateQueries(
    trpc.workspaces.show.queryFilter({ workspace: workspace.name }),
  );
}

/** Shows at once what was asked for; the control plane's answer, or its refusal, replaces it. */
function expectState(name: string, state: WorkspaceState): void {
  queryClient.setQueryData(trpc.workspaces.list.queryKey(), (list: List | undefined) =>
    list?.map((each) => (each.name === name ? { ...each, state, error: null } : each)),
  );
}

function lookAgain(): void {
  void queryClient.invalidateQueries(trpc.workspaces.list.queryFilter());
}

const quiet = { quiet: true };

/** What one asks of a workspace from anywhere: each with its own failure, for where it was asked. */
export function useWishes() {
  const start = useMutation(
    trpc.workspaces.start.mutationOptions({
      meta: quiet,
      onMutate: ({ workspace }) => expectState(workspace, "starting"),
      onSuccess: putWorkspace,
      onError: lookAgain,
    }),
  );
  const stop = useMutation(
    trpc.workspaces.stop.mutationOptions({
      meta: quiet,
      onMutate: ({ workspace }) => expectState(workspace, "stopping"),
      onSuccess: putWorkspace,
      onError: lookAgain,
    }),
  );
  const refresh = useMutation(
    trpc.workspaces.refresh.mutationOptions({ meta: quiet, onSuccess: putWorkspace }),
  );
  return { start, stop, refresh, error: start.error ?? stop.error ?? refresh.error };
}

export type Wishes = ReturnType<typeof useWishes>;
