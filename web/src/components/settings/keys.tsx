import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { queryClient, trpc } from "../../lib/api.ts";
import { plainLine } from "../../lib/plain-text.ts";
import { Button } from "../button.tsx";
import { CopyButton } from "../copy-button.tsx";
import { Failure } from "../failure.tsx";
import { Code, CodeLine, Field, TextAreaField, technical } from "../field.tsx";
import { Loading } from "../loading.tsx";
import { Card } from "../page.tsx";
import { Ago } from "../time.tsx";
import { RemoveButton, Row, RowList } from "./row-list.tsx";

const lookAgain = () => queryClient.invalidateQueries(trpc.keys.list.queryFilter());

/** The public keys that ssh is let in with. */
export function Keys() {
  const list = useQuery(trpc.keys.list.queryOptions());
  const remove = useMutation(
    trpc.keys.remove.mutationOptions({ meta: { quiet: true }, onSuccess: lookAgain }),
  );
  return (
    <>
      <Card
        title="SSH keys"
        intro="With one of these keys, ssh and your editor get into your workspaces."
      >
        {list.isPending && <Loading />}
        <Failure error={list.error} />
        {list.data !== undefined && (
          <RowList label="SSH keys" empty="No key yet: nobody gets in by ssh.">
            {list.data.map((key) => (
              <Row
                key={key.id}
                title={plainLine(key.name) || "Without a name"}
                action={
                  <RemoveButton
                    what={key.name}
                    title={`Remove the key ${plainLine(key.name)}?`}
                    busy={remove.isPending}
                    error={remove.error}
                    onRemove={() => remove.mutate({ id: key.id })}
                    onClose={remove.reset}
                  >
                    <p>Nobody gets in with it any more. Your other keys stay.</p>
                  </RemoveButton>
                }
              >
                <span className="font-mono text-xs">{key.fingerprint}</span>
                <span className="block">
                  {key.type}, added <Ago at={key.createdAt} />
                </span>
              </Row>
            ))}
          </RowList>
        )}
      </Card>
      <AddKey />
      <OneTimeCode />
    </>
  );
}

/** For a machine that has no key, where the operator allows it. */
function OneTimeCode() {
  const config = useQuery(trpc.config.queryOptions());
  const code = useMutation(trpc.keys.code.mutationOptions({ meta: { quiet: true } }));
  if (config.data?.sshCodes !== true) return null;
  return (
    <Card
      title="One-time code"
      intro="For a machine without a key of yours: ssh asks for a code there. It works once, within 5 minutes, and what it lets in ends when this sign-in ends."
    >
      <div className="space-y-3">
        {code.data !== undefined && (
          <CodeLine text={code.data.code}>
            <CopyButton text={code.data.code} label="Copy: One-time code" />
          </CodeLine>
        )}
        <Failure error={code.error} />
        <Button kind="solid" busy={code.isPending} onClick={() => code.mutate()}>
          {code.data === undefined ? "Make a code" : "Make another"}
        </Button>
      </div>
    </Card>
  );
}

function AddKey() {
  const [name, setName] = useState("");
  const [publicKey, setPublicKey] = useState("");
  const add = useMutation(
    trpc.keys.add.mutationOptions({
      meta: { quiet: true },
      onSuccess: lookAgain,
    }),
  );
  return (
    <Card title="Add a key">
      <form
        className="space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate(
            { name: name.trim(), publicKey: publicKey.trim() },
            {
              // What was typed since is the next one.
              onSuccess: () => {
                setName((now) => (now === name ? "" : now));
                setPublicKey((now) => (now === publicKey ? "" : now));
              },
            },
          );
        }}
      >
        <TextAreaField
          label="Public key"
          name="publicKey"
          required
          rows={3}
          placeholder="ssh-ed25519 AAAA… you@laptop"
          {...technical}
          value={publicKey}
          onChange={(event) => setPublicKey(event.target.value)}
          help={
            <>
              On your machine, <Code>cat ~/.ssh/id_ed25519.pub</Code> prints it (on Windows,{" "}
              <Code>type %USERPROFILE%\.ssh\id_ed25519.pub</Code>). There is none yet?{" "}
              <Code>ssh-keygen -t ed25519</Code> makes one. Never paste the file without .pub: that
              one is secret. <Code>npx loop keys add</Code> does the same.
            </>
          }
        />
        <Field
          label="Name"
          name="name"
          placeholder="Taken from the key's comment"
          {...technical}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Failure error={add.error} />
        <Button type="submit" kind="solid" busy={add.isPending}>
          Add the key
        </Button>
      </form>
    </Card>
  );
}
