import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { WorkspaceServiceView, WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { count } from "../lib/format.ts";
import { plainLine, plainText, webUrl } from "../lib/plain-text.ts";
import { serviceWords, type Tone } from "../lib/service-words.ts";
import { useShell } from "../lib/shell.ts";
import { allServices } from "../lib/workspace-views.ts";
import { Button, buttonLook } from "./button.tsx";
import { Failure } from "./failure.tsx";
import { Code } from "./field.tsx";
import { ChevronDownIcon, TaskIcon, TerminalIcon } from "./icons.tsx";
import { ServiceSettings } from "./service-settings.tsx";
import { ServiceWishes } from "./service-wishes.tsx";
import { Ago } from "./time.tsx";

const dots: Readonly<Record<Tone, string>> = {
  good: "bg-good",
  wait: "bg-wait",
  bad: "bg-bad",
  off: "border border-line-strong",
};
const inks: Readonly<Record<Tone, string>> = {
  good: "text-muted",
  wait: "text-wait",
  bad: "text-bad",
  off: "text-muted",
};

/** What runs in the workspace: how each service does and why, and what one can do with it. */
export function Services({ workspace }: { workspace: WorkspaceSummary }) {
  const { services, name } = workspace;
  return (
    <>
      <LogsLink workspace={name} logs={allServices} label="Logs of all services">
        Logs of all services
      </LogsLink>
      <ul
        aria-label={`Services of ${name}`}
        className="mt-3 -mb-3 divide-y divide-line border-t border-line"
      >
        {services.map((service) => (
          <ServiceRow key={service.name} workspace={workspace} service={service} />
        ))}
      </ul>
      {!services.some(({ mirrored }) => mirrored) && <AboutMirrors />}
    </>
  );
}

function ServiceRow({
  workspace,
  service,
}: {
  workspace: WorkspaceSummary;
  service: WorkspaceServiceView;
}) {
  const { name, image, restarts, reason, since, mirrored } = service;
  const { create, openShell } = useShell(workspace.name);
  const { word, tone } = serviceWords(service, workspace.state === "running");
  return (
    <li className="py-3" data-service={name} data-state={service.state}>
      <div className="flex items-baseline gap-2">
        <span
          aria-hidden="true"
          className={`size-2 shrink-0 -translate-y-px rounded-full ${dots[tone]}`}
        />
        <h3 className="min-w-0 flex-1 text-sm font-medium break-words">{name}</h3>
        <span className={`text-right text-[13px] ${inks[tone]}`}>
          {word}
          {since !== null && (
            <span className="text-muted">
              {" · "}
              <Ago at={since} />
            </span>
          )}
        </span>
      </div>
      <div className="mt-1 space-y-1 pl-4 text-[13px]">
        {(reason !== null || restarts > 0) && (
          <p className="break-words text-pretty">
            {restarts > 0 && <span className="font-medium">Restarted {times(restarts)}. </span>}
            {reason !== null && plainText(reason)}
          </p>
        )}
        <p className="font-mono text-xs break-all text-muted" title="Image">
          {plainLine(image, 300)}
        </p>
        <ServicePorts workspace={workspace} service={service} />
      </div>
      <div className="mt-2 flex flex-wrap items-center gap-1.5 pl-4">
        <LogsLink workspace={workspace.name} logs={name} label={`Logs of ${name}`}>
          Logs
        </LogsLink>
        {service.state === "running" && (
          <Button
            size="small"
            aria-label={`Shell in ${name}`}
            busy={create.isPending}
            onClick={() => openShell(name)}
          >
            <TerminalIcon className="size-3.5" /> Shell
          </Button>
        )}
        {mirrored && <ServiceWishes workspace={workspace} service={service} />}
      </div>
      <Failure error={create.error} className="mt-2" />
      <Settings workspace={workspace.name} service={name} />
    </li>
  );
}

function times(restarts: number): string {
  return restarts === 1 ? "once" : restarts === 2 ? "twice" : count(restarts, "time");
}

/** Ports with an address lead there. */
function ServicePorts({
  workspace,
  service,
}: {
  workspace: WorkspaceSummary;
  service: WorkspaceServiceView;
}) {
  if (service.ports.length === 0) return null;
  const addressOf = (port: number): string | null => {
    const found =
      workspace.ports.find((one) => one.port === port && one.service === service.name) ??
      workspace.ports.find((one) => one.port === port && one.service === null);
    const web = found !== undefined && found.protocol !== "tcp" && found.protocol !== "udp";
    return web && workspace.state === "running" ? webUrl(found.url) : null;
  };
  return (
    <p className="text-muted">
      {service.ports.length === 1 ? "Port" : "Ports"}{" "}
      {service.ports.map((port, index) => {
        const href = addressOf(port);
        return (
          <span key={port}>
            {index > 0 && ", "}
            {href === null ? (
              port
            ) : (
              <a
                href={href}
                target="_blank"
                rel="noreferrer"
                aria-label={`Open port ${port} of ${service.name}`}
                className="text-ink underline decoration-line-strong underline-offset-2 hover:decoration-current"
              >
                {port}
              </a>
            )}
          </span>
        );
      })}
    </p>
  );
}

/** Asked for only by who opens them. */
function Settings({ workspace, service }: { workspace: string; service: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="group mt-1.5 pl-4" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="flex w-fit cursor-pointer list-none items-center gap-1 rounded text-[13px] text-muted hover:text-ink">
        <ChevronDownIcon className="size-3.5 -rotate-90 group-open:rotate-0" />
        Settings<span className="sr-only"> of {service}</span>
      </summary>
      {open && <ServiceSettings workspace={workspace} service={service} />}
    </details>
  );
}

function LogsLink({
  workspace,
  logs,
  label,
  children,
}: {
  workspace: string;
  logs: string;
  label: string;
  children: string;
}) {
  return (
    <Link
      to="/workspaces/$name"
      params={{ name: workspace }}
      search={(before) => ({ ...before, view: "services", logs })}
      replace
      aria-label={label}
      className={buttonLook("plain", "small")}
    >
      <TaskIcon className="size-3.5" /> {children}
    </Link>
  );
}

/** What one could have here, for who has not seen it yet. */
function AboutMirrors() {
  return (
    <div className="mt-6 rounded-lg bg-sunken p-3 text-[13px] text-pretty">
      <p className="font-medium">Nothing of production runs here.</p>
      <p className="mt-1 text-muted">
        A workspace can have production&apos;s services around it, as a compose file, a Procfile or
        Kubernetes objects in its repository describe them:
      </p>
      <p className="mt-1.5">
        <Code>loop open &lt;repository&gt; --mirror k8s/</Code>
      </p>
      <p className="mt-1.5 text-muted">
        Or name the source once, in the devfile: <Code>attributes: {"{ mirror: k8s/ }"}</Code>
      </p>
    </div>
  );
}
