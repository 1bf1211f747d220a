import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { repositoryFolder, sshCommand } from "../lib/format.ts";
import { CopyButton } from "./copy-button.tsx";
import { Code, CodeLine } from "./field.tsx";
import { InfoIcon } from "./icons.tsx";

/** How to work in the workspace from outside the browser. */
export function Connect({ workspace }: { workspace: WorkspaceSummary }) {
  const { name } = workspace;
  const keys = useQuery(trpc.keys.list.queryOptions());
  const folder = `/workspace/${repositoryFolder(workspace.repository)}`;
  return (
    <div className="space-y-5 text-sm">
      {keys.data?.length === 0 && (
        <p className="flex gap-2.5 rounded-lg bg-wait-soft p-3 text-[13px] text-pretty">
          <InfoIcon className="mt-0.5 size-4 text-wait" />
          <span>
            None of your SSH keys is known here yet.{" "}
            <Link
              to="/settings/$section"
              params={{ section: "keys" }}
              className="font-medium underline underline-offset-2"
            >
              Add one
            </Link>
            , or run <Code>npx loop keys add</Code>.
          </span>
        </p>
      )}
      <Way title="ssh" command={sshCommand(workspace.ssh)}>
        A stopped workspace is started by it. scp, sftp, rsync and port forwarding work too.
      </Way>
      <Way title="Shorter, and for editors" command="npx loop config-ssh">
        Once on your machine: it gives ssh a name for each workspace, so that{" "}
        <Code>ssh {name}.loop</Code> works.
      </Way>
      <Way title="VS Code" command={`code --remote ssh-remote+${name}.loop ${folder}`}>
        With the Remote - SSH extension, after <Code>loop config-ssh</Code>; or{" "}
        <i>Remote-SSH: Connect to Host</i> and then <Code>{name}.loop</Code>. JetBrains Gateway and
        Zed take the same name.
      </Way>
    </div>
  );
}

function Way({
  title,
  command,
  children,
}: {
  title: string;
  command: string;
  children: ReactNode;
}) {
  return (
    <section>
      <h3 className="text-[13px] font-semibold">{title}</h3>
      <div className="mt-1.5">
        <CodeLine text={command}>
          <CopyButton text={command} label={`Copy: ${title}`} />
        </CodeLine>
      </div>
      <p className="mt-1.5 text-[13px] text-pretty text-muted">{children}</p>
    </section>
  );
}
