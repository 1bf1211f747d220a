import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { EnvironmentView } from "../../../server/protocol/environment.ts";
import { queryClient, trpc } from "../lib/api.ts";
import { count } from "../lib/format.ts";
import { plainLine } from "../lib/plain-text.ts";
import { Button } from "./button.tsx";
import { Failure } from "./failure.tsx";
import { Field, technical } from "./field.tsx";
import { Loading } from "./loading.tsx";
import { Card } from "./page.tsx";
import { RemoveButton, Row, RowList } from "./settings/row-list.tsx";

const lookAgain = () => queryClient.invalidateQueries(trpc.environments.pathFilter());

/** Engines that workspaces are compared with. For the installation's owner. */
export function Environments() {
  const list = useQuery(trpc.environments.list.queryOptions(undefined, { staleTime: 0 }));
  return (
    <Card title="Environments">
      <p className="mb-4 text-[13px] text-pretty text-muted">
        Engines whose containers everybody here may compare a workspace with. They are only looked
        at, and no variable&apos;s value is read.
      </p>
      {list.isPending && <Loading />}
      <Failure error={list.error} />
      {list.data !== undefined && (
        <div className="py-1.5">
          <RowList label="Environments" empty="None yet.">
            {list.data.map((environment) => (
              <EnvironmentRow key={environment.name} environment={environment} />
            ))}
          </RowList>
        </div>
      )}
      <AddEnvironment />
    </Card>
  );
}

function EnvironmentRow({ environment }: { environment: EnvironmentView }) {
  const { name, dockerHost, project, certificates } = environment;
  const remove = useMutation(
    trpc.environments.remove.mutationOptions({ meta: { quiet: true }, onSuccess: lookAgain }),
  );
  return (
    <Row
      title={name}
      action={
        <RemoveButton
          what={name}
          title={`Remove ${name}?`}
          busy={remove.isPending}
          error={remove.error}
          onRemove={() => remove.mutate({ name })}
          onClose={remove.reset}
        >
          <p>Nobody can compare with it any more. Nothing happens to the engine.</p>
        </RemoveButton>
      }
    >
      <span className="font-mono text-xs break-all">{plainLine(dockerHost, 500)}</span>
      {project !== null && `, project ${plainLine(project, 255)}`}
      {certificates !== null && ", over TLS"}
    </Row>
  );
}

const empty = { name: "", dockerHost: "", project: "", certificates: "" };

function AddEnvironment() {
  const [given, setGiven] = useState(empty);
  const add = useMutation(
    trpc.environments.add.mutationOptions({
      meta: { quiet: true },
      onSuccess: async () => {
        setGiven(empty);
        await lookAgain();
      },
    }),
  );
  const field = (key: keyof typeof empty) => ({
    ...technical,
    value: given[key],
    onChange: ({ target: { value } }: { target: { value: string } }) =>
      setGiven((before) => ({ ...before, [key]: value })),
  });
  const orNull = (text: string): string | null => (text.trim() === "" ? null : text.trim());
  return (
    <form
      aria-label="Add an environment"
      className="mt-5 space-y-4 border-t border-line pt-4"
      onSubmit={(event) => {
        event.preventDefault();
        add.mutate({
          name: given.name.trim(),
          dockerHost: given.dockerHost.trim(),
          project: orNull(given.project),
          certificates: orNull(given.certificates),
        });
      }}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Environment" required placeholder="production" {...field("name")} />
        <Field
          label="Docker host"
          required
          code
          placeholder="unix:///run/production/docker.sock"
          help="As this installation's machine reaches it: a unix socket, or tcp://host:port."
          {...field("dockerHost")}
        />
        <Field
          label="Compose project"
          help="Which one is meant, where it has several."
          {...field("project")}
        />
        <Field
          label="Certificates"
          code
          help="For TLS: a folder of this installation's machine with ca.pem, cert.pem, key.pem."
          {...field("certificates")}
        />
      </div>
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" kind="solid" busy={add.isPending}>
          Add it
        </Button>
        {add.data !== undefined && (
          <p role="status" className="text-[13px] text-muted">
            {add.data.name} is added: {count(add.data.running, "container")} there.
          </p>
        )}
      </div>
      <Failure error={add.error} />
    </form>
  );
}
