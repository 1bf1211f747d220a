import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { queryClient, trpc } from "../../lib/api.ts";
import { plainLine } from "../../lib/plain-text.ts";
import { Button } from "../button.tsx";
import { Failure } from "../failure.tsx";
import { Field, technical } from "../field.tsx";
import { Loading } from "../loading.tsx";
import { Card } from "../page.tsx";
import { Ago } from "../time.tsx";
import { RemoveButton, Row, RowList } from "./row-list.tsx";

const lookAgain = () => queryClient.invalidateQueries(trpc.credentials.list.queryFilter());

/** What private repositories are opened, pulled and pushed with, and private images pulled. */
export function Credentials() {
  const list = useQuery(trpc.credentials.list.queryOptions());
  const remove = useMutation(
    trpc.credentials.remove.mutationOptions({ meta: { quiet: true }, onSuccess: lookAgain }),
  );
  return (
    <>
      <Card
        title="Credentials"
        intro="For private repositories and images: one for each git host or registry. Stored encrypted, never shown again, and given only to that host: by git, for a workspace's own remotes there, and by the engine, for images from there."
      >
        {list.isPending && <Loading />}
        <Failure error={list.error} />
        {list.data !== undefined && (
          <RowList label="Credentials" empty="None: public repositories and images need none.">
            {list.data.map(({ id, host, username, createdAt, lastUsedAt }) => (
              <Row
                key={id}
                title={host}
                action={
                  <RemoveButton
                    what={`the credential for ${host}`}
                    title={`Remove the credential for ${host}?`}
                    busy={remove.isPending}
                    error={remove.error}
                    onRemove={() => remove.mutate({ id })}
                    onClose={remove.reset}
                  >
                    <p>
                      Private repositories there can no longer be opened, pulled or pushed, and
                      private images not pulled. What is checked out stays, and so does what runs.
                    </p>
                  </RemoveButton>
                }
              >
                {plainLine(username)}, stored <Ago at={createdAt} />,{" "}
                {lastUsedAt === null ? (
                  "never used"
                ) : (
                  <>
                    used <Ago at={lastUsedAt} />
                  </>
                )}
              </Row>
            ))}
          </RowList>
        )}
      </Card>
      <SetCredential />
    </>
  );
}

const nothing = { host: "", username: "", secret: "" };

function SetCredential() {
  const [given, setGiven] = useState(nothing);
  const set = useMutation(
    trpc.credentials.set.mutationOptions({
      meta: { quiet: true },
      onSuccess: lookAgain,
    }),
  );
  return (
    <Card
      title="Store a credential"
      intro="In the place of the one for this host, if there is one."
    >
      <form
        className="space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          set.mutate(given, {
            // What was typed since is the next one.
            onSuccess: () => setGiven((now) => (now === given ? nothing : now)),
          });
        }}
      >
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="Host"
            name="host"
            required
            code
            placeholder="git.example.org"
            {...technical}
            value={given.host}
            onChange={(event) => setGiven({ ...given, host: event.target.value })}
            help="As in the repository's URL or the image's name, with :port where it has one. Docker Hub is docker.io."
          />
          <Field
            label="User"
            name="username"
            required
            {...technical}
            value={given.username}
            onChange={(event) => setGiven({ ...given, username: event.target.value })}
            help="Your name there. For a token alone, many hosts take git or oauth2."
          />
        </div>
        <Field
          label="Token, password or private key"
          name="secret"
          type="password"
          required
          autoComplete="new-password"
          value={given.secret}
          onChange={(event) => setGiven({ ...given, secret: event.target.value })}
          help="Better a token than a password: one that may read and write repositories only, made in your account there. It can be revoked by itself. For ssh:// URLs paste a private key without a passphrase."
        />
        <Failure error={set.error} />
        <Button type="submit" kind="solid" busy={set.isPending}>
          Store it
        </Button>
      </form>
    </Card>
  );
}
