import { useMutation } from "@tanstack/react-query";
import type { WorkspaceServiceView, WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { isBusy } from "../lib/service-words.ts";
import { showToast } from "../lib/toasts.ts";
import { Button } from "./button.tsx";
import { BuildIcon, RefreshIcon } from "./icons.tsx";

/** What can be done with a service of production; how it goes on, its state says. */
export function ServiceWishes({
  workspace,
  service,
}: {
  workspace: WorkspaceSummary;
  service: WorkspaceServiceView;
}) {
  const { name, built } = service;
  const restart = useMutation(
    trpc.workspaces.restartService.mutationOptions({
      onSuccess: () => showToast("done", `${name} is started again.`),
    }),
  );
  const rebuild = useMutation(
    trpc.workspaces.rebuildService.mutationOptions({
      onSuccess: () => showToast("done", `${name} is built again, then started.`),
    }),
  );
  const disabled =
    workspace.state !== "running" || isBusy(service) || restart.isPending || rebuild.isPending;
  const which = { workspace: workspace.name, service: name };
  return (
    <>
      <Button
        size="small"
        aria-label={`Restart ${name}`}
        busy={restart.isPending}
        disabled={disabled}
        onClick={() => restart.mutate(which)}
      >
        <RefreshIcon className="size-3.5" /> Restart
      </Button>
      {built && (
        <Button
          size="small"
          aria-label={`Rebuild ${name}`}
          busy={rebuild.isPending || service.state === "building"}
          disabled={disabled}
          onClick={() => rebuild.mutate(which)}
        >
          <BuildIcon className="size-3.5" /> Rebuild
        </Button>
      )}
    </>
  );
}
