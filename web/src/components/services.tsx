import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { plainLine } from "../lib/plain-text.ts";

type Service = WorkspaceSummary["services"][number];

const words: Record<Service["state"], { word: string; color: string }> = {
  running: { word: "Running", color: "bg-good" },
  created: { word: "Created", color: "bg-wait" },
  exited: { word: "Ended", color: "bg-bad" },
  missing: { word: "Not there", color: "border border-line-strong" },
};

/** The containers of the workspace. */
export function Services({ workspace }: { workspace: WorkspaceSummary }) {
  const { services, state } = workspace;
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
            </div>
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
