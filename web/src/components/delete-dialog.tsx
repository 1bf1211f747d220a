import { useMutation, useQuery } from "@tanstack/react-query";
import type { UnsavedWork } from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { wireError } from "../lib/errors.ts";
import { plainText } from "../lib/plain-text.ts";
import { showToast } from "../lib/toasts.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { Loading } from "./loading.tsx";
import { Notice } from "./notice.tsx";

/** Asks before a workspace is deleted; once more, with a list, where work would be lost. */
export function DeleteDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const remove = useMutation(
    trpc.workspaces.delete.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => {
        showToast("done", `${name} is being deleted.`);
        onClose();
      },
    }),
  );
  const failure = remove.error === null ? null : wireError(remove.error);
  const wouldLose = failure?.code === "unsaved-work";
  const unsaved = useQuery(
    trpc.workspaces.unsavedWork.queryOptions(
      { workspace: name },
      { enabled: wouldLose, staleTime: 0, gcTime: 0 },
    ),
  );
  return (
    <Dialog
      title={wouldLose ? `${name} has work that is nowhere else` : `Delete ${name}?`}
      onClose={onClose}
    >
      <div className="mt-2 space-y-4 text-sm text-muted">
        {failure === null && (
          <p>
            Its containers, source and home folder go. What is pushed stays in the repository.
            Stopping keeps everything.
          </p>
        )}
        {failure !== null && !wouldLose && <Notice title={failure.message} />}
        {wouldLose && <p>Deleting loses this. Push it first, or stop the workspace instead.</p>}
        {wouldLose && unsaved.isPending && <Loading what="Looking at what would be lost" />}
        {wouldLose && unsaved.error !== null && <Notice title={wireError(unsaved.error).message} />}
        {wouldLose && unsaved.data !== undefined && <Unsaved work={unsaved.data} />}
      </div>
      <div className="mt-6 flex flex-wrap justify-end gap-2">
        <Button data-autofocus onClick={onClose}>
          Keep it
        </Button>
        <Button
          kind="danger"
          busy={remove.isPending}
          disabled={wouldLose && unsaved.isPending}
          onClick={() => remove.mutate({ workspace: name, force: wouldLose })}
        >
          {wouldLose ? "Delete anyway" : "Delete"}
        </Button>
      </div>
    </Dialog>
  );
}

function Unsaved({ work }: { work: UnsavedWork }) {
  return (
    <div className="max-h-[45dvh] space-y-4 overflow-y-auto">
      <Lines title="Not committed" lines={work.uncommitted} />
      <Lines title="Committed, not pushed" lines={work.unpushed} />
      <Lines title="Stashed" lines={work.stashes} />
    </div>
  );
}

function Lines({ title, lines }: { title: string; lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return (
    <section>
      <h3 className="text-xs font-semibold text-ink">
        {title} ({lines.length})
      </h3>
      <pre
        tabIndex={0}
        aria-label={title}
        className="mt-1.5 overflow-x-auto rounded-lg bg-sunken p-3 font-mono text-xs leading-relaxed text-ink"
      >
        {plainText(lines.join("\n"))}
      </pre>
    </section>
  );
}
