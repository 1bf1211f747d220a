import { useMutation } from "@tanstack/react-query";
import { useLocation, useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useState, type ReactNode } from "react";
import { Button } from "../components/button.tsx";
import { Failure } from "../components/failure.tsx";
import { Code, Field, technical } from "../components/field.tsx";
import { askCommitNameAgain } from "../components/first-sign-in.tsx";
import { LogoIcon, SpinnerIcon } from "../components/icons.tsx";
import { PageHeading } from "../components/page.tsx";
import { ThemeToggle } from "../components/top-bar.tsx";
import { queryClient, trpc } from "../lib/api.ts";
import { browserName } from "../lib/browser-name.ts";
import { usePageTitle } from "../lib/page-title.ts";
import { takePlace } from "../lib/session.ts";

/** `/sign-in#<code>`: gives the code for a session by itself; without one, explains and asks. */
export function SignInPage() {
  usePageTitle("Sign in");
  const navigate = useNavigate();
  const { hash } = useLocation();
  const exchange = useExchange();
  const { mutate } = exchange;
  useEffect(() => {
    if (hash === "") return;
    // The code leaves the address at once: it stays out of the history, and works only once.
    void navigate({ to: "/sign-in", replace: true });
    mutate({ code: hash, kind: "session", name: browserName(navigator.userAgent) });
  }, [hash, mutate, navigate]);

  const busy = exchange.isPending || exchange.isSuccess || hash !== "";
  return (
    <Frame title={busy ? "Signing you in" : "Sign in"}>
      {busy ? (
        <p role="status" className="late mt-4 flex items-center gap-2 text-sm text-muted">
          <SpinnerIcon /> One moment
        </p>
      ) : (
        <CodeForm exchange={exchange} />
      )}
    </Frame>
  );
}

/** After a sign-out; `ended`: not by this page, but because the session was ended elsewhere. */
export function SignedOutPage() {
  usePageTitle("Signed out");
  const { ended = false } = useSearch({ from: "/signed-out" });
  const exchange = useExchange();
  return (
    <Frame title={ended ? "Your session has ended" : "You are signed out"}>
      <p className="mt-2 text-sm text-pretty text-muted">
        {ended
          ? "It was signed out elsewhere, revoked, or too old. Your workspaces run on, and nothing in them is lost."
          : "Your workspaces run on, and nothing in them is lost."}
      </p>
      <CodeForm exchange={exchange} />
    </Frame>
  );
}

function useExchange() {
  const router = useRouter();
  return useMutation(
    trpc.auth.exchange.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => {
        queryClient.clear();
        askCommitNameAgain();
        router.history.replace(takePlace());
      },
    }),
  );
}

function Frame({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="flex justify-end p-3">
        <ThemeToggle />
      </header>
      <main className="mx-auto w-full max-w-md flex-1 px-4 pt-[8dvh] pb-16">
        <div className="rounded-2xl border border-line bg-surface p-6 sm:p-8">
          <div className="mb-6 flex items-center gap-2 text-[15px] font-semibold tracking-tight">
            <LogoIcon /> Oneloop
          </div>
          <PageHeading>{title}</PageHeading>
          {children}
        </div>
      </main>
    </div>
  );
}

function CodeForm({ exchange }: { exchange: ReturnType<typeof useExchange> }) {
  const [pasted, setPasted] = useState("");
  return (
    <>
      <p className="mt-2 text-sm text-pretty text-muted">
        <Code>npm start</Code> prints a link that signs you in, and the owner of this installation
        can make you one under People. A link works once.
      </p>
      <Failure error={exchange.error} className="mt-4" />
      <form
        className="mt-5"
        onSubmit={(event) => {
          event.preventDefault();
          exchange.mutate({
            code: codeIn(pasted),
            kind: "session",
            name: browserName(navigator.userAgent),
          });
        }}
      >
        <Field
          label="Link or code"
          name="code"
          required
          code
          {...technical}
          value={pasted}
          onChange={(event) => setPasted(event.target.value)}
        />
        <Button type="submit" kind="solid" busy={exchange.isPending} className="mt-4 w-full">
          Sign in
        </Button>
      </form>
    </>
  );
}

/** The code of a pasted link, or what was pasted. */
function codeIn(pasted: string): string {
  return pasted.trim().split("#").at(-1) ?? "";
}
