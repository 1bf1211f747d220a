import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { trpc } from "../lib/api.ts";
import { wireError } from "../lib/errors.ts";
import { showToast } from "../lib/toasts.ts";
import { Button } from "./button.tsx";
import { Diagnostics } from "./diagnostics.tsx";
import { SpinnerIcon } from "./icons.tsx";
import { Notice } from "./notice.tsx";

/** Opens a workspace. `suggested` (from the address) only fills the field in: a click starts it. */
export function OpenForm({ suggested }: { suggested: string }) {
  const navigate = useNavigate();
  const [contextUrl, setContextUrl] = useState(suggested);
  const open = useMutation(
    trpc.workspaces.open.mutationOptions({
      meta: { quiet: true },
      onSuccess: async ({ workspace, existing }) => {
        const { name } = workspace;
        if (existing) showToast("done", `You have this one already: ${name}.`);
        await navigate({ to: "/workspaces/$name", params: { name } });
      },
    }),
  );
  const failure = open.error === null ? null : wireError(open.error);
  return (
    <form
      aria-label="Open a workspace"
      onSubmit={(event) => {
        event.preventDefault();
        open.mutate({ contextUrl: contextUrl.trim() });
      }}
    >
      <h1 className="text-2xl font-semibold tracking-tight">
        <label htmlFor="context-url">Open a workspace</label>
      </h1>
      <div className="mt-4 flex flex-col gap-2 sm:flex-row">
        <input
          autoFocus={suggested !== ""}
          id="context-url"
          name="contextUrl"
          required
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          inputMode="url"
          value={contextUrl}
          onChange={(event) => {
            setContextUrl(event.target.value);
            open.reset();
          }}
          placeholder="https://host/owner/repository"
          aria-describedby="context-url-help"
          className="h-11 w-full min-w-0 rounded-lg border border-line-strong bg-surface px-3.5 font-mono text-sm placeholder:text-muted/70"
        />
        <Button type="submit" kind="solid" size="large" disabled={open.isPending}>
          {open.isPending && <SpinnerIcon />}
          {open.isPending ? "Opening" : "Open"}
        </Button>
      </div>
      <p id="context-url-help" className="mt-2 text-[13px] text-muted">
        {suggested === ""
          ? "The URL of a repository, or of a branch, a tag or a commit of it."
          : "Filled in from the address. Nothing starts until you press Open."}
      </p>
      {failure !== null && (
        <div className="mt-3">
          <Notice title={failure.message}>
            {failure.diagnostics.length > 0 ? (
              <Diagnostics diagnostics={failure.diagnostics} />
            ) : undefined}
          </Notice>
        </div>
      )}
    </form>
  );
}
