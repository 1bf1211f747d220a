import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { plainLine } from "../lib/plain-text.ts";
import { useNarrow } from "../lib/use-narrow.ts";
import { Button } from "./button.tsx";
import { Failure } from "./failure.tsx";
import { TerminalIcon } from "./icons.tsx";

type Service = WorkspaceSummary["services"][number];

const words: Record<Service["state"], { word: string; color: string }> = {
  running: { word: "Running", color: "bg-good" },
  created: { word: "Created", color: "bg-wait" },
  exited: { word: "Ended", color: "bg-bad" },
  missing: { word: "Not there", color: "border border-line-strong" },
};

/** The containers of the workspace, and a way into each that runs. */
export function Services({ workspace }: { workspace: WorkspaceSummary }) {
  const { services, state } = workspace;
  const { create, openShell } = useShell(workspace.name);
  return (
    <ul aria-label={`Services of ${workspace.name}`} className="-my-3 divide-y divide-line">
      {services.map(({ name, health, image, ports, ...service }) => {
        // What is stopped on purpose is not missing.
        const stopped = service.state === "missing" && state !== "running";
        const { word, color } = words[service.state];
        return (
          <li key={name} className="py-3">
            <div className="flex items-center gap-2">
              <span aria-hidden="true" className={`size-2 shrink-0 rounded-full ${color}`} />
              <p className="min-w-0 flex-1 truncate text-sm font-medium">{name}</p>
              <span className="text-[13px] text-muted">
                {stopped ? "Stopped" : word}
                {health !== null && `, ${plainLine(health)}`}
              </span>
              {service.state === "running" && (
                <Button
                  size="small"
                  aria-label={`Shell in ${name}`}
                  busy={create.isPending && create.variables.service === name}
                  onClick={() => openShell(name)}
                >
                  <TerminalIcon className="size-3.5" /> Shell
                </Button>
              )}
            </div>
            {create.variables?.service === name && (
              <Failure error={create.error} className="mt-2" />
            )}
            <p className="mt-1 pl-4 font-mono text-xs break-all text-muted" title="Image">
              {image}
            </p>
            {ports.length > 0 && (
              <p className="mt-0.5 pl-4 text-[13px] text-muted">
                {ports.length === 1 ? "Port" : "Ports"} {ports.join(", ")}
              </p>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** Opens a shell in a service's container, as a terminal in a tab of its own, and shows it. */
function useShell(workspace: string) {
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
          // Where there is room for one of them, the terminal takes the place of the services.
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
