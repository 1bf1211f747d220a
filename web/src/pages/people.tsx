import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { PersonView } from "../../../server/protocol/workspace.ts";
import { Button } from "../components/button.tsx";
import { CopyButton } from "../components/copy-button.tsx";
import { Environments } from "../components/environments.tsx";
import { Failure } from "../components/failure.tsx";
import { CodeLine, Field, technical } from "../components/field.tsx";
import { Loading } from "../components/loading.tsx";
import { Card, Page } from "../components/page.tsx";
import { Mark, RemoveButton, Row, RowList } from "../components/settings/row-list.tsx";
import { Ago } from "../components/time.tsx";
import { queryClient, trpc } from "../lib/api.ts";
import { count } from "../lib/format.ts";

const lookAgain = () => queryClient.invalidateQueries(trpc.people.list.queryFilter());

interface Invitation {
  name: string;
  link: string;
}

/** `/people`: who may sign in to this installation. For its owner. */
export function PeoplePage() {
  const me = useQuery(trpc.auth.me.queryOptions());
  const owner = me.data?.role === "owner";
  return (
    <Page
      title="People"
      intro={
        owner
          ? "Everybody here has workspaces and settings of their own, and sees nothing of the others'."
          : undefined
      }
    >
      {owner ? (
        <People />
      ) : (
        <p className="text-sm text-muted">Only the owner of this installation adds people.</p>
      )}
    </Page>
  );
}

function People() {
  const list = useQuery(trpc.people.list.queryOptions(undefined, { staleTime: 0 }));
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  return (
    <div className="space-y-5">
      <AddPerson onInvitation={setInvitation} />
      {invitation !== null && <OneTimeLink invitation={invitation} />}
      <Card title="Everybody">
        {list.isPending && <Loading />}
        <Failure error={list.error} />
        {list.data !== undefined && (
          <RowList label="People" empty="Nobody.">
            {list.data.map((person) => (
              <PersonRow key={person.id} person={person} onInvitation={setInvitation} />
            ))}
          </RowList>
        )}
      </Card>
      <Environments />
    </div>
  );
}

function AddPerson({ onInvitation }: { onInvitation: (invitation: Invitation) => void }) {
  const [name, setName] = useState("");
  const add = useMutation(
    trpc.people.add.mutationOptions({
      meta: { quiet: true },
      onSuccess: async ({ link }, added) => {
        setName("");
        onInvitation({ name: added.name, link });
        await lookAgain();
      },
    }),
  );
  return (
    <Card title="Add a person">
      <form
        className="flex flex-col gap-3 sm:flex-row sm:items-start"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate({ name: name.trim() });
        }}
      >
        <Field
          label="Name"
          name="name"
          required
          className="min-w-0 flex-1"
          {...technical}
          value={name}
          onChange={(event) => setName(event.target.value)}
          help="Small letters and digits, with . _ or - between them. It is only used here."
        />
        <Button type="submit" kind="solid" busy={add.isPending} className="sm:mt-[1.6rem]">
          Add
        </Button>
      </form>
      <Failure error={add.error} className="mt-4" />
    </Card>
  );
}

/** Shown until the page is left: nobody can look it up again. */
function OneTimeLink({ invitation: { name, link } }: { invitation: Invitation }) {
  return (
    <section
      aria-label={`The link for ${name}`}
      role="status"
      className="rounded-xl border border-good/40 bg-good-soft p-4 sm:px-5"
    >
      <p className="text-sm font-medium">The link that signs {name} in</p>
      <p className="mt-0.5 mb-3 text-[13px] text-muted">
        Send it by a safe way: whoever opens it first is {name}. It works once, within an hour, and
        is not shown again; Invite again makes another.
      </p>
      <CodeLine text={link}>
        <CopyButton text={link} label={`Copy the link for ${name}`} />
      </CodeLine>
    </section>
  );
}

function PersonRow({
  person,
  onInvitation,
}: {
  person: PersonView;
  onInvitation: (invitation: Invitation) => void;
}) {
  const { id, name, role, workspaces, createdAt, lastSeenAt } = person;
  const invite = useMutation(
    trpc.people.invite.mutationOptions({
      meta: { quiet: true },
      onSuccess: ({ link }) => onInvitation({ name, link }),
    }),
  );
  const remove = useMutation(
    trpc.people.remove.mutationOptions({ meta: { quiet: true }, onSuccess: lookAgain }),
  );
  return (
    <Row
      title={
        <>
          {name}
          {role === "owner" && <Mark>owner</Mark>}
        </>
      }
      action={
        role === "owner" ? undefined : (
          <div className="flex flex-wrap justify-end gap-1.5">
            <Button
              size="small"
              busy={invite.isPending}
              aria-label={`Invite ${name} again`}
              onClick={() => invite.mutate({ id })}
            >
              Invite again
            </Button>
            <RemoveButton
              what={name}
              title={`Remove ${name}?`}
              busy={remove.isPending}
              error={remove.error}
              onRemove={() => remove.mutate({ id })}
              onClose={remove.reset}
            >
              <p>
                Their sessions, tokens, keys, credentials and variables go, and everything that is
                connected ends. Somebody who has workspaces cannot be removed: their work may be
                nowhere else.
              </p>
            </RemoveButton>
          </div>
        )
      }
    >
      {count(workspaces, "workspace")}, added <Ago at={createdAt} />,{" "}
      {lastSeenAt === null ? (
        "never signed in"
      ) : (
        <>
          seen <Ago at={lastSeenAt} />
        </>
      )}
      <Failure error={invite.error} className="mt-2" />
    </Row>
  );
}
