import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { trpc } from "./api.ts";
import { useNarrow } from "./use-narrow.ts";

/** Opens a shell in a service's container, as a terminal in a tab of its own, and shows it. */
export function useShell(workspace: string) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const narrow = useNarrow();
  const create = useMutation(
    trpc.terminals.create.mutationOptions({
      meta: { quiet: true },
      onSuccess: async ({ id }) => {
        await queryClient.invalidateQueries(trpc.terminals.list.queryFilter({ workspace }));
        await navigate({
          to: "/workspaces/$name",
          params: { name: workspace },
          // The terminal takes the place of the logs, and where there is room for one of them, of
          // the services too.
          search: ({ view }) => ({
            ...(view === undefined || narrow ? {} : { view }),
            terminal: id,
          }),
          replace: true,
        });
        document.getElementById(`panel-${id}`)?.querySelector("textarea")?.focus();
      },
    }),
  );
  return { create, openShell: (service: string) => create.mutate({ workspace, service }) };
}
