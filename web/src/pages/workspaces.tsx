import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { buttonLook } from "../components/button.tsx";
import { CopyButton } from "../components/copy-button.tsx";
import { Failure } from "../components/failure.tsx";
import { CodeLine, inputLook, technical } from "../components/field.tsx";
import { PlusIcon, SearchIcon } from "../components/icons.tsx";
import { Loading } from "../components/loading.tsx";
import { OpenForm } from "../components/open-form.tsx";
import { Page } from "../components/page.tsx";
import { WorkspaceRow } from "../components/workspace-row.tsx";
import { trpc } from "../lib/api.ts";
import { matching } from "../lib/matching.ts";

/** Below this, one sees them all at once. */
const filterAbove = 8;

/** `/`: all workspaces of the person. */
export function WorkspacesPage() {
  const list = useQuery(trpc.workspaces.list.queryOptions());
  const workspaces = list.data;
  if (workspaces?.length === 0) return <FirstWorkspace />;
  return (
    <Page
      title="Workspaces"
      actions={
        <Link to="/new" className={buttonLook("solid")}>
          <PlusIcon /> New workspace
        </Link>
      }
    >
      {list.isPending && <Loading />}
      {workspaces === undefined && <Failure error={list.error} />}
      {workspaces !== undefined && <List workspaces={workspaces} />}
    </Page>
  );
}

function List({ workspaces }: { workspaces: readonly WorkspaceSummary[] }) {
  const [words, setWords] = useState("");
  const filters = workspaces.length > filterAbove;
  const shown = filters ? matching(workspaces, words) : workspaces;
  return (
    <>
      {filters && (
        <div role="search" className="relative mb-3">
          <SearchIcon className="pointer-events-none absolute top-2.5 left-3 size-4 text-muted" />
          <input
            type="search"
            aria-label="Filter by name, repository, branch or state"
            placeholder="Filter by name, repository, branch or state"
            className={`${inputLook} h-9 pl-9`}
            {...technical}
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
          <p role="status" className="sr-only">
            {words === "" ? "" : `${shown.length} of ${workspaces.length}`}
          </p>
        </div>
      )}
      {shown.length === 0 ? (
        <p className="rounded-xl border border-dashed border-line-strong px-5 py-10 text-center text-sm text-muted">
          No workspace has these words in its name, repository, branch or state.
        </p>
      ) : (
        <ul
          aria-label="Workspaces"
          className="divide-y divide-line rounded-xl border border-line bg-surface"
        >
          {shown.map((workspace) => (
            <WorkspaceRow key={workspace.id} workspace={workspace} />
          ))}
        </ul>
      )}
    </>
  );
}

/** No workspace yet: the form itself, and the other ways to one. */
function FirstWorkspace() {
  const commands = [
    { command: "npx loop open <repository URL>", help: "From a shell, in Oneloop's checkout" },
    { command: "npm run sample", help: "A sample with a front-end, a back-end and a database" },
  ];
  return (
    <Page
      title="Open a workspace"
      intro="A workspace is a container for one branch of a repository, with the services that its devfile.yaml names running beside it. You work in it through a terminal here, ssh, or your own editor."
    >
      <OpenForm suggested="" />
      <section aria-labelledby="other-ways" className="mt-10 border-t border-line pt-6">
        <h2 id="other-ways" className="text-[15px] font-semibold tracking-tight">
          Or
        </h2>
        <ul className="mt-3 grid gap-4 sm:grid-cols-2">
          {commands.map(({ command, help }) => (
            <li key={command} className="min-w-0">
              <p className="mb-1.5 text-[13px] text-muted">{help}</p>
              <CodeLine text={command}>
                <CopyButton text={command} label={`Copy ${command}`} />
              </CodeLine>
            </li>
          ))}
        </ul>
      </section>
    </Page>
  );
}
