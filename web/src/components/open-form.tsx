import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate, useRouter } from "@tanstack/react-router";
import { useState } from "react";
import type { WireError } from "../../../server/protocol/errors.ts";
import { queryClient, trpc, type Outputs } from "../lib/api.ts";
import { contextUrlProblem } from "../lib/context-url.ts";
import { wireError } from "../lib/errors.ts";
import { duration } from "../lib/format.ts";
import { showToast } from "../lib/toasts.ts";
import { useNow } from "../lib/use-now.ts";
import { Button } from "./button.tsx";
import { CopyButton } from "./copy-button.tsx";
import { DevfileEditor, jumpTo } from "./devfile-editor.tsx";
import { Diagnostics } from "./diagnostics.tsx";
import { Failure } from "./failure.tsx";
import { inputLook, technical } from "./field.tsx";
import { SpinnerIcon } from "./icons.tsx";
import { Loading } from "./loading.tsx";
import { Notice } from "./notice.tsx";
import { PreviewPanel } from "./preview.tsx";

/** Opens a workspace. `suggested` (from the address) only fills the field in: a click starts it. */
export function OpenForm({ suggested }: { suggested: string }) {
  const navigate = useNavigate();
  const router = useRouter();
  const [contextUrl, setContextUrl] = useState(suggested);
  const [problem, setProblem] = useState<string | null>(null);
  /** The text in the place of the repository's devfile; null: the repository's own. */
  const [devfile, setDevfile] = useState<string | null>(null);
  const [editing, setEditing] = useState(false);
  /** What an open would run; null: nobody has asked. */
  const [preview, setPreview] = useState<Outputs["workspaces"]["preview"] | null>(null);
  /** What of production is put around it; undefined: as the devfile says. */
  const [mirror, setMirror] = useState<string | null | undefined>(undefined);
  /** The sources that could be mirrored: a preview that mirrors one offers none. */
  const [offered, setOffered] = useState<readonly string[]>([]);
  /** Of the last try; it stays while the next one is on its way. */
  const [failure, setFailure] = useState<WireError | null>(null);
  const open = useMutation(
    trpc.workspaces.open.mutationOptions({
      meta: { quiet: true },
      onSuccess: async ({ workspace, existing }) => {
        const { name } = workspace;
        // The list is not live on the way there, and "no workspace yet" is not true any more.
        queryClient.setQueryData(trpc.workspaces.list.queryKey(), (list) => [
          workspace,
          ...(list ?? []).filter(({ id }) => id !== workspace.id),
        ]);
        if (existing) showToast("done", `You have this one already: ${name}.`);
        await navigate({ to: "/workspaces/$name", params: { name } });
      },
      onError: (error) => {
        const found = wireError(error);
        // There is something to be seen, or to be chosen, before it starts.
        if (found.code === "choice-needed") look.mutate({ contextUrl: contextUrl.trim() });
        else setFailure(found);
      },
    }),
  );
  const look = useMutation(
    trpc.workspaces.preview.mutationOptions({
      meta: { quiet: true },
      onSuccess: (shown) => {
        setPreview(shown);
        setOffered((before) => [...new Set([...before, ...shown.offered, ...mirrored(shown)])]);
        setFailure(null);
      },
      onError: (error) => setFailure(wireError(error)),
    }),
  );
  const busy = open.isPending || look.isPending;
  const mendable = failure?.code === "devfile-invalid" || failure?.code === "plan-impossible";

  const check = (): boolean => {
    const found = contextUrlProblem(contextUrl);
    setProblem(found);
    return found === null;
  };
  const lookAgain = (chosen: { configuration?: string; mirror?: string | null }): void =>
    look.mutate({
      contextUrl: contextUrl.trim(),
      configuration: chosenPath(preview),
      ...(mirror === undefined ? {} : { mirror }),
      ...chosen,
    });
  const submit = (): void => {
    if (!check()) return;
    // The way leads there: its page is loaded while the repository is asked.
    void router.preloadRoute({ to: "/workspaces/$name", params: { name: "-" } });
    const seen = preview !== null;
    const configuration = chosenPath(preview);
    open.mutate({
      contextUrl: contextUrl.trim(),
      devfile,
      configuration,
      ...(mirror === undefined ? {} : { mirror }),
      ask: !seen,
      askFound: !seen,
    });
  };

  return (
    <form
      aria-label="Open a workspace"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label htmlFor="context-url" className="text-[13px] font-medium">
        Repository, branch, tag, commit or pull request
      </label>
      <div className="mt-1.5 flex flex-col gap-2 sm:flex-row">
        <input
          // Filled in, only Open is left to press.
          autoFocus
          id="context-url"
          name="contextUrl"
          required
          inputMode="url"
          {...technical}
          value={contextUrl}
          onChange={(event) => {
            setContextUrl(event.target.value);
            setProblem(null);
            setEditing(false);
            setDevfile(null);
            setPreview(null);
            setMirror(undefined);
            setOffered([]);
            setFailure(null);
          }}
          placeholder="https://host/owner/repository"
          aria-invalid={problem !== null}
          aria-describedby="context-url-help"
          className={`${inputLook} h-11 px-3.5 font-mono`}
        />
        {!editing && preview === null && (
          <Button type="submit" kind="solid" size="large" busy={busy} className="sm:w-28">
            Open
          </Button>
        )}
      </div>
      <p
        id="context-url-help"
        className={`mt-2 text-[13px] ${problem === null ? "text-muted" : "text-bad"}`}
        role={problem === null ? undefined : "alert"}
      >
        {problem ??
          (suggested !== "" && contextUrl === suggested
            ? "Filled in from a link. Nothing starts until you press Open."
            : "As it stands in your browser's address bar on GitHub, GitLab, Bitbucket, Gitea or Forgejo; or git@host:owner/repository.")}
      </p>
      {!editing && preview === null && !busy && (
        <Button
          kind="quiet"
          size="small"
          className="mt-2 -ml-2.5"
          onClick={() => {
            if (check()) look.mutate({ contextUrl: contextUrl.trim() });
          }}
        >
          See what would run
        </Button>
      )}
      {busy && !editing && <Opening />}
      {preview !== null && !editing && (
        <PreviewPanel
          preview={preview}
          busy={busy}
          offered={offered}
          mirror={mirror === undefined ? (preview.plan.mirror?.source ?? null) : mirror}
          onChoose={(configuration) => lookAgain({ configuration })}
          onMirror={(chosen) => {
            setMirror(chosen);
            lookAgain({ mirror: chosen });
          }}
          onEdit={() => setEditing(true)}
        />
      )}
      {failure !== null && !editing && !busy && (
        <div className="mt-4">
          <Notice title={failure.message}>
            {mendable && (
              <div className="space-y-4">
                <Diagnostics diagnostics={failure.diagnostics} />
                <Button onClick={() => setEditing(true)}>Edit and retry</Button>
              </div>
            )}
          </Notice>
        </div>
      )}
      {editing && (
        <Mending
          contextUrl={contextUrl.trim()}
          configuration={chosenPath(preview)}
          text={devfile}
          onText={setDevfile}
          failure={failure}
          busy={open.isPending}
        />
      )}
    </form>
  );
}

function Opening() {
  const [since] = useState(() => Date.now());
  const now = useNow(1000);
  return (
    <div role="status" className="late mt-4 rounded-xl border border-line bg-surface p-4 text-sm">
      <p className="flex items-center gap-2.5">
        <SpinnerIcon className="text-wait" />
        <span className="flex-1">Asking the repository, and reading its devfile</span>
        <span aria-hidden="true" className="font-mono text-xs text-muted tabular-nums">
          {duration(now - since)}
        </span>
      </p>
      <p className="mt-1.5 pl-6.5 text-[13px] text-muted">
        The first time fetches it, which takes as long as a clone. Later it is quick.
      </p>
    </div>
  );
}

/** The configuration that was seen, where there were several. */
function chosenPath(preview: Outputs["workspaces"]["preview"] | null): string | null {
  return preview !== null && preview.choices.length > 0 ? preview.configuration.path : null;
}

/** What a preview mirrors. */
function mirrored({ plan }: Outputs["workspaces"]["preview"]): string[] {
  return plan.mirror === undefined ? [] : [plan.mirror.source];
}

interface MendingProps {
  contextUrl: string;
  configuration: string | null;
  text: string | null;
  onText: (text: string) => void;
  failure: WireError | null;
  busy: boolean;
}

/** The repository's devfile with its mistakes, to be opened with another text. */
function Mending({ contextUrl, configuration, text, onText, failure, busy }: MendingProps) {
  const file = useQuery(
    trpc.workspaces.devfile.queryOptions(
      { contextUrl, configuration },
      { staleTime: 0, gcTime: 0 },
    ),
  );
  if (file.isPending) return <Loading what="Reading the devfile" />;
  if (file.error !== null) return <Failure error={file.error} className="mt-4" />;
  const { path, text: original } = file.data;
  const current = text ?? original;
  const diagnostics = failure?.diagnostics ?? [];
  return (
    <div className="mt-5 space-y-4">
      {failure !== null && (
        <Notice title={failure.message}>
          {diagnostics.length > 0 && <Diagnostics diagnostics={diagnostics} onJump={jumpTo} />}
        </Notice>
      )}
      <DevfileEditor path={path} text={current} diagnostics={diagnostics} onChange={onText} />
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Button type="submit" kind="solid" busy={busy}>
          Open with this text
        </Button>
        <p className="min-w-56 flex-1 text-[13px] text-pretty text-muted">
          Only this workspace is opened with it: the repository itself is not changed. To keep it,
          copy the text and commit it.
        </p>
        <span className="flex items-center text-[13px] text-muted">
          Copy the text
          <CopyButton text={current} label={`Copy the text of ${path}`} />
        </span>
      </div>
    </div>
  );
}
