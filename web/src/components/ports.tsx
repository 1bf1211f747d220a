import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { ExternalIcon } from "./icons.tsx";

const chip =
  "inline-flex h-7 items-center gap-1.5 rounded-md border border-line bg-surface px-2 text-xs";

/** The workspace's ports: what a browser can open as links, the rest as text. */
export function Ports({ workspace }: { workspace: WorkspaceSummary }) {
  if (workspace.ports.length === 0) return null;
  const running = workspace.state === "running";
  return (
    <ul aria-label={`Ports of ${workspace.name}`} className="flex flex-wrap items-center gap-1.5">
      {workspace.ports.map(({ port, name, url, process, visibility }) => {
        const label = (
          <>
            <span className="font-mono font-medium">{port}</span>
            {(name ?? process) !== null && (
              <span className="max-w-32 truncate text-muted">{name ?? process}</span>
            )}
          </>
        );
        return (
          <li key={port}>
            {running && /^https?:/.test(url) ? (
              <a
                href={url}
                target="_blank"
                rel="noreferrer"
                title={`${url} (${visibility})`}
                className={`${chip} hover:border-accent hover:bg-accent-soft`}
              >
                {label}
                <ExternalIcon className="size-3.5 text-accent" />
              </a>
            ) : (
              <span className={`${chip} ${running ? "" : "opacity-60"}`}>{label}</span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
