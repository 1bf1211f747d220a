import { useMutation, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { queryClient, trpc } from "../../lib/api.ts";
import { plainText } from "../../lib/plain-text.ts";
import { Button } from "../button.tsx";
import { Failure } from "../failure.tsx";
import { Code, Field, TextAreaField, technical } from "../field.tsx";
import { Loading } from "../loading.tsx";
import { Card } from "../page.tsx";
import { Mark, RemoveButton, Row, RowList } from "./row-list.tsx";

const lookAgain = () => queryClient.invalidateQueries(trpc.variables.list.queryFilter());

/** A long value would bury the others. */
const shownCharacters = 200;

/** What shells, tasks and ssh sessions of workspaces get in their environment. */
export function Variables() {
  const list = useQuery(trpc.variables.list.queryOptions());
  const remove = useMutation(
    trpc.variables.remove.mutationOptions({ meta: { quiet: true }, onSuccess: lookAgain }),
  );
  return (
    <>
      <Card
        title="Variables"
        intro="In the environment of every shell, task and ssh session of the workspaces that a pattern fits. A workspace that runs gets a change at its next start."
      >
        {list.isPending && <Loading />}
        <Failure error={list.error} />
        {list.data !== undefined && (
          <RowList label="Variables" empty="None yet.">
            {list.data.map(({ id, name, pattern, secret, value }) => (
              <Row
                key={id}
                title={
                  <>
                    <span className="font-mono text-[13px]">{name}</span>
                    {secret && <Mark>secret</Mark>}
                  </>
                }
                action={
                  <RemoveButton
                    what={name}
                    title={`Remove ${name}?`}
                    busy={remove.isPending}
                    error={remove.error}
                    onRemove={() => remove.mutate({ id })}
                    onClose={remove.reset}
                  >
                    <p>
                      New starts of {pattern === "*" ? "workspaces" : `workspaces of ${pattern}`} do
                      not have it any more.
                    </p>
                  </RemoveButton>
                }
              >
                <span className="block font-mono text-xs text-ink">
                  {value === null ? "••••••••" : shortened(value)}
                </span>
                {pattern === "*" ? "All repositories" : <>Repositories {pattern}</>}
              </Row>
            ))}
          </RowList>
        )}
      </Card>
      <SetVariable />
    </>
  );
}

function shortened(value: string): string {
  const text = plainText(value);
  if (text === "") return "(empty)";
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
}

const nothing = { name: "", value: "", pattern: "*", secret: false };

function SetVariable() {
  const secretId = useId();
  const [given, setGiven] = useState(nothing);
  const set = useMutation(
    trpc.variables.set.mutationOptions({
      meta: { quiet: true },
      onSuccess: lookAgain,
    }),
  );
  return (
    <Card
      title="Set a variable"
      intro="In the place of the one with the same name and pattern, if there is one."
    >
      <form
        className="space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          set.mutate(
            { ...given, pattern: given.pattern.trim() || "*" },
            {
              // What was typed since is the next one.
              onSuccess: () => setGiven((now) => (now === given ? nothing : now)),
            },
          );
        }}
      >
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="Name"
            name="name"
            required
            code
            placeholder="NPM_TOKEN"
            {...technical}
            value={given.name}
            onChange={(event) => setGiven({ ...given, name: event.target.value })}
          />
          <Field
            label="Repositories"
            name="pattern"
            code
            {...technical}
            value={given.pattern}
            onChange={(event) => setGiven({ ...given, pattern: event.target.value })}
          />
        </div>
        <div className="text-[13px] text-pretty text-muted">
          A pattern is of <Code>host/owner/repository</Code>, with <Code>*</Code> for any text. Of
          two that fit, the one with more text of its own wins.
          <ul className="mt-1.5 grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 gap-y-1">
            {examples.map(([pattern, meaning]) => (
              <li key={pattern} className="col-span-2 grid grid-cols-subgrid">
                <span>
                  <Code>{pattern}</Code>
                </span>
                <span>{meaning}</span>
              </li>
            ))}
          </ul>
        </div>
        <TextAreaField
          label="Value"
          name="value"
          rows={2}
          {...technical}
          value={given.value}
          onChange={(event) => setGiven({ ...given, value: event.target.value })}
        />
        <div className="flex items-start gap-2.5">
          <input
            id={secretId}
            type="checkbox"
            name="secret"
            checked={given.secret}
            onChange={(event) => setGiven({ ...given, secret: event.target.checked })}
            className="mt-0.5 size-4 accent-accent"
          />
          <label htmlFor={secretId} className="text-sm">
            Secret
            <span className="block text-[13px] text-muted">
              Never shown here again. Programs in the workspace see it as any other.
            </span>
          </label>
        </div>
        <Failure error={set.error} />
        <Button type="submit" kind="solid" busy={set.isPending}>
          Set it
        </Button>
      </form>
    </Card>
  );
}

const examples = [
  ["*", "all repositories"],
  ["github.com/acme/*", "all of acme's on GitHub"],
  ["github.com/acme/shop", "this one only"],
  ["*/infra-*", "those whose name begins with infra-, on any host"],
] as const;
