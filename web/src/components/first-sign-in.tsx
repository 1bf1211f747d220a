import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Me } from "../../../server/protocol/workspace.ts";
import { queryClient, trpc } from "../lib/api.ts";
import { createStore } from "../lib/store.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { Failure } from "./failure.tsx";
import { Field } from "./field.tsx";

/** Asked again at the next sign-in, not again in this one. */
const skippedKey = "oneloop.commit-name-skipped";
const skipped = createStore(sessionStorage.getItem(skippedKey) !== null);

/** Forgets that the question was put off: another person or another sign-in. */
export function askCommitNameAgain(): void {
  sessionStorage.removeItem(skippedKey);
  skipped.set(false);
}

/** Asks once for what git puts into commits. */
export function FirstSignIn({ me }: { me: Me }) {
  const wasSkipped = skipped.use();
  if (me.profile.commitName !== null || wasSkipped) return null;
  return (
    <CommitNameDialog
      onSkip={() => {
        sessionStorage.setItem(skippedKey, "1");
        skipped.set(true);
      }}
    />
  );
}

function CommitNameDialog({ onSkip }: { onSkip: () => void }) {
  const [commitName, setCommitName] = useState("");
  const [commitEmail, setCommitEmail] = useState("");
  const save = useMutation(
    trpc.profile.update.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => queryClient.invalidateQueries(trpc.auth.me.queryFilter()),
    }),
  );
  return (
    <Dialog title="Who commits?" onClose={onSkip}>
      <p className="mt-1.5 text-sm text-pretty text-muted">
        Git puts a name and an e-mail address into each commit. They are set up in every workspace
        that you open, and can be changed under Settings.
      </p>
      <form
        className="mt-4 space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate({ commitName, commitEmail });
        }}
      >
        <Field
          label="Name"
          name="commitName"
          required
          data-autofocus
          autoComplete="name"
          value={commitName}
          onChange={(event) => setCommitName(event.target.value)}
        />
        <Field
          label="E-mail address"
          name="commitEmail"
          type="email"
          required
          autoComplete="email"
          value={commitEmail}
          onChange={(event) => setCommitEmail(event.target.value)}
        />
        <Failure error={save.error} />
        <div className="flex justify-end gap-2 pt-1">
          <Button onClick={onSkip}>Not now</Button>
          <Button type="submit" kind="solid" busy={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
