import { useMutation, useQuery } from "@tanstack/react-query";
import type { SessionView } from "../../../../server/protocol/workspace.ts";
import { queryClient, trpc } from "../../lib/api.ts";
import { absoluteTime } from "../../lib/format.ts";
import { plainLine } from "../../lib/plain-text.ts";
import { Failure } from "../failure.tsx";
import { Loading } from "../loading.tsx";
import { Card } from "../page.tsx";
import { Ago } from "../time.tsx";
import { Mark, RemoveButton, Row, RowList } from "./row-list.tsx";

const kinds = [
  {
    kind: "session",
    title: "Browsers",
    intro: "Where you are signed in on this page's address.",
    unnamed: "A browser",
  },
  {
    kind: "token",
    title: "Tokens",
    intro: "The command line's sign-ins, made by loop login.",
    unnamed: "A command line",
  },
] as const;

/** Where the person is signed in, and the end of it. */
export function Sessions() {
  const list = useQuery(
    trpc.sessions.list.queryOptions(undefined, { staleTime: 0, refetchOnWindowFocus: true }),
  );
  if (list.data === undefined) {
    return list.error === null ? <Loading /> : <Failure error={list.error} />;
  }
  const all = list.data;
  return kinds.map(({ kind, title, intro, unnamed }) => (
    <Card key={kind} title={title} intro={intro}>
      <RowList label={title} empty="None.">
        {all
          .filter((session) => session.kind === kind)
          .map((session) => (
            <SessionRow key={session.id} session={session} unnamed={unnamed} />
          ))}
      </RowList>
    </Card>
  ));
}

function SessionRow({ session, unnamed }: { session: SessionView; unnamed: string }) {
  const { id, name, current, createdAt, lastUsedAt, expiresAt } = session;
  // The end of this one is noticed by the next answer, as any other end of a session.
  const revoke = useMutation(
    trpc.sessions.revoke.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => queryClient.invalidateQueries(trpc.sessions.list.queryFilter()),
    }),
  );
  const shown = plainLine(name) || unnamed;
  return (
    <Row
      title={
        <>
          {shown}
          {current && <Mark good>this one</Mark>}
        </>
      }
      action={
        <RemoveButton
          what={shown}
          action="Revoke"
          title={current ? "End the session that you are in?" : `Revoke ${shown}?`}
          busy={revoke.isPending}
          error={revoke.error}
          onRemove={() => revoke.mutate({ id })}
          onClose={revoke.reset}
        >
          <p>
            {current
              ? "This page is signed out at once, with its terminals. You need a new link to come back."
              : "Its terminals and connections end at once. What runs in workspaces goes on."}
          </p>
        </RemoveButton>
      }
    >
      Since <Ago at={createdAt} />,{" "}
      {lastUsedAt === null ? (
        "never used"
      ) : (
        <>
          used <Ago at={lastUsedAt} />
        </>
      )}
      ; ends <span title={absoluteTime(expiresAt)}>{absoluteTime(expiresAt)}</span>
    </Row>
  );
}
