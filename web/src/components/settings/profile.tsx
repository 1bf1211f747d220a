import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Me } from "../../../../server/protocol/workspace.ts";
import { queryClient, trpc } from "../../lib/api.ts";
import { Button } from "../button.tsx";
import { Failure } from "../failure.tsx";
import { Field, technical } from "../field.tsx";
import { Loading } from "../loading.tsx";
import { Card } from "../page.tsx";

/** What git puts into commits, and the dotfiles repository. */
export function Profile() {
  const me = useQuery(trpc.auth.me.queryOptions());
  if (me.data === undefined) {
    return me.error === null ? <Loading /> : <Failure error={me.error} />;
  }
  return (
    <>
      <CommitName profile={me.data.profile} />
      <Dotfiles profile={me.data.profile} />
    </>
  );
}

function useSave() {
  return useMutation(
    trpc.profile.update.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => queryClient.invalidateQueries(trpc.auth.me.queryFilter()),
    }),
  );
}

/** An empty field takes the setting away. */
function orNull(text: string): string | null {
  return text.trim() === "" ? null : text;
}

function CommitName({ profile }: { profile: Me["profile"] }) {
  const [commitName, setCommitName] = useState(profile.commitName ?? "");
  const [commitEmail, setCommitEmail] = useState(profile.commitEmail ?? "");
  const save = useSave();
  return (
    <Card
      title="Commits"
      intro="Git puts these into the commits that you make in a workspace. A workspace that runs gets them at its next start."
    >
      <form
        className="space-y-4"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate({ commitName: orNull(commitName), commitEmail: orNull(commitEmail) });
        }}
      >
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="Name"
            name="commitName"
            autoComplete="name"
            value={commitName}
            onChange={(event) => setCommitName(event.target.value)}
          />
          <Field
            label="E-mail address"
            name="commitEmail"
            type="email"
            autoComplete="email"
            value={commitEmail}
            onChange={(event) => setCommitEmail(event.target.value)}
          />
        </div>
        <Save save={save} />
      </form>
    </Card>
  );
}

function Dotfiles({ profile }: { profile: Me["profile"] }) {
  const [dotfilesUrl, setDotfilesUrl] = useState(profile.dotfilesUrl ?? "");
  const save = useSave();
  return (
    <Card
      title="Dotfiles"
      intro="A repository with your shell's and editor's configuration. It is cloned into each new workspace, and its install script runs there once; the terminal shows it."
    >
      <form
        className="space-y-4"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate({ dotfilesUrl: orNull(dotfilesUrl) });
        }}
      >
        <Field
          label="Repository"
          name="dotfilesUrl"
          code
          inputMode="url"
          placeholder="https://host/you/dotfiles"
          {...technical}
          value={dotfilesUrl}
          onChange={(event) => setDotfilesUrl(event.target.value)}
          help="Leave it empty for none. A private one needs a credential for its host."
        />
        <Save save={save} />
      </form>
    </Card>
  );
}

function Save({ save }: { save: ReturnType<typeof useSave> }) {
  return (
    <>
      <Failure error={save.error} />
      <div className="flex items-center gap-3">
        <Button type="submit" kind="solid" busy={save.isPending}>
          Save
        </Button>
        <span role="status" className="text-[13px] text-muted">
          {save.isSuccess ? "Saved" : ""}
        </span>
      </div>
    </>
  );
}
