import { useMutation } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import type {
  PortVisibility,
  WorkspacePort,
  WorkspaceSummary,
} from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { plainLine, webUrl } from "../lib/plain-text.ts";
import { putWorkspace } from "../lib/wishes.ts";
import { Ask } from "./ask.tsx";
import { CopyButton } from "./copy-button.tsx";
import { Failure } from "./failure.tsx";
import { Code } from "./field.tsx";
import { ChevronDownIcon, ExternalIcon, GlobeIcon, LockIcon, PeopleIcon } from "./icons.tsx";
import { Menu, MenuChoices } from "./menu.tsx";

const visibilities: readonly {
  value: PortVisibility;
  title: string;
  help: string;
  icon: ReactNode;
}[] = [
  {
    value: "private",
    title: "Private",
    help: "Only you, signed in.",
    icon: <LockIcon />,
  },
  {
    value: "signed-in",
    title: "Signed in",
    help: "Everybody who can sign in to this Oneloop.",
    icon: <PeopleIcon />,
  },
  {
    value: "public",
    title: "Public",
    help: "Everybody who can reach this Oneloop and has the address, without signing in.",
    icon: <GlobeIcon />,
  },
];

/** Programs that listen in the workspace: who may see each, and the way to it. */
export function Ports({ workspace }: { workspace: WorkspaceSummary }) {
  if (workspace.ports.length === 0) {
    return (
      <p className="text-sm text-pretty text-muted">
        Nothing listens yet. Start a server in a terminal, and its port is here within a second.
      </p>
    );
  }
  return (
    <ul aria-label={`Ports of ${workspace.name}`} className="-my-3 divide-y divide-line">
      {workspace.ports.map((port) => (
        <PortRow key={`${port.port} ${port.service ?? ""}`} workspace={workspace} port={port} />
      ))}
    </ul>
  );
}

function PortRow({ workspace, port }: { workspace: WorkspaceSummary; port: WorkspacePort }) {
  const [asking, setAsking] = useState(false);
  const set = useMutation(
    trpc.workspaces.setPortVisibility.mutationOptions({
      meta: { quiet: true },
      onSuccess: (changed) => {
        putWorkspace(changed);
        setAsking(false);
      },
    }),
  );
  const { service, listening, url, protocol } = port;
  const choose = (visibility: PortVisibility): void =>
    set.mutate({ workspace: workspace.name, port: port.port, service, visibility });
  const href = protocol === "tcp" || protocol === "udp" ? null : webUrl(url);
  const open = href !== null && workspace.state === "running";
  const names = [
    port.name === null ? null : plainLine(port.name),
    service === null ? null : `of ${service}`,
    port.process === null ? null : plainLine(port.process, 32),
  ].filter((name) => name !== null);
  return (
    <li className="py-3" data-port={port.port}>
      <div className="flex items-center gap-2">
        <span
          aria-hidden="true"
          className={`size-2 shrink-0 rounded-full ${listening ? "bg-good" : "border border-line-strong"}`}
        />
        <p className="min-w-0 flex-1 truncate text-sm">
          <span className="font-mono font-semibold">{port.port}</span>
          {names.length > 0 && <span className="text-muted"> {names.join(" · ")}</span>}
        </p>
        {open && (
          <>
            <CopyButton text={href} label={`Copy the address of port ${port.port}`} />
            <a
              href={href}
              target="_blank"
              rel="noreferrer"
              className="inline-flex h-7 items-center gap-1.5 rounded-lg border border-line bg-surface px-2 text-[13px] font-medium hover:bg-hover"
            >
              Open<span className="sr-only"> port {port.port}</span>
              <ExternalIcon className="size-3.5" />
            </a>
          </>
        )}
      </div>
      <div className="mt-1 flex items-center justify-between gap-2 pl-4">
        <span className="text-[13px] text-muted">
          {/* Whether a service of its own listens is not looked at. */}
          {service !== null ? protocol : listening ? "Listens" : "Nothing listens here"}
        </span>
        <VisibilityMenu
          port={port}
          shown={set.isPending && !asking ? set.variables.visibility : port.visibility}
          onChoose={(visibility) => {
            set.reset();
            if (visibility === "public") setAsking(true);
            else choose(visibility);
          }}
        />
      </div>
      {!asking && <Failure error={set.error} className="mt-2" />}
      {asking && (
        <Ask
          title={`Make port ${port.port} public?`}
          action="Make it public"
          busy={set.isPending}
          error={set.error}
          onConfirm={() => choose("public")}
          onClose={() => setAsking(false)}
        >
          <p>
            Everybody who can reach this Oneloop and has the address sees what it serves, without
            signing in, until you change it back:
          </p>
          <p className="break-all">
            <Code>{url}</Code>
          </p>
        </Ask>
      )}
    </li>
  );
}

function VisibilityMenu({
  port,
  shown,
  onChoose,
}: {
  port: WorkspacePort;
  shown: PortVisibility;
  onChoose: (visibility: PortVisibility) => void;
}) {
  const current = visibilities.find(({ value }) => value === shown) ?? visibilities[0];
  return (
    <Menu
      label={`Who may see port ${port.port}`}
      trigger={
        <button
          type="button"
          className={`inline-flex h-7 items-center gap-1.5 rounded-lg px-1.5 text-[13px] hover:bg-hover ${
            shown === "public" ? "font-medium text-wait" : "text-muted hover:text-ink"
          }`}
        >
          {current?.icon}
          <span className="sr-only">Port {port.port}: </span>
          {current?.title}
          <ChevronDownIcon className="size-3.5" />
        </button>
      }
    >
      <MenuChoices value={shown} choices={visibilities} onChoose={onChoose} />
    </Menu>
  );
}
