import { useMutation } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Button } from "../components/button.tsx";
import { LogoIcon, SpinnerIcon } from "../components/icons.tsx";
import { Notice } from "../components/notice.tsx";
import { ThemeToggle } from "../components/top-bar.tsx";
import { queryClient, trpc } from "../lib/api.ts";
import { wireError } from "../lib/errors.ts";
import { usePageTitle } from "../lib/page-title.ts";

/** `/sign-in#<code>`: gives the code for a session by itself; without one, explains and asks. */
export function SignInPage() {
  const navigate = useNavigate();
  const { hash } = useLocation();
  const [pasted, setPasted] = useState("");
  usePageTitle("Sign in");
  const exchange = useMutation(
    trpc.auth.exchange.mutationOptions({
      meta: { quiet: true },
      onSuccess: async () => {
        queryClient.clear();
        await navigate({ to: "/", replace: true });
      },
    }),
  );
  const { mutate } = exchange;
  useEffect(() => {
    if (hash === "") return;
    // The code leaves the address at once: it stays out of the history, and works only once.
    void navigate({ to: "/sign-in", replace: true });
    mutate({ code: hash, kind: "session" });
  }, [hash, mutate, navigate]);

  const failure = exchange.error === null ? null : wireError(exchange.error);
  const busy = exchange.isPending || exchange.isSuccess || hash !== "";
  return (
    <div className="flex min-h-dvh flex-col">
      <div className="flex justify-end p-3">
        <ThemeToggle />
      </div>
      <main className="mx-auto w-full max-w-md flex-1 px-4 pt-[10dvh] pb-16">
        <div className="rounded-2xl border border-line bg-surface p-6 sm:p-8">
          <div className="flex items-center gap-2 text-[15px] font-semibold tracking-tight">
            <LogoIcon /> Oneloop
          </div>
          <h1 className="mt-6 text-2xl font-semibold tracking-tight">
            {busy ? "Signing you in" : "Sign in"}
          </h1>
          {busy ? (
            <p role="status" className="mt-4 flex items-center gap-2 text-sm text-muted">
              <SpinnerIcon /> One moment
            </p>
          ) : (
            <>
              <p className="mt-2 text-sm text-pretty text-muted">
                <Command>npm start</Command> prints a link that signs you in. It works once; run it
                again for a new one.
              </p>
              {failure !== null && (
                <div className="mt-4">
                  <Notice title={failure.message} />
                </div>
              )}
              <form
                className="mt-6"
                onSubmit={(event) => {
                  event.preventDefault();
                  mutate({ code: codeIn(pasted), kind: "session" });
                }}
              >
                <label htmlFor="code" className="text-sm font-medium">
                  Link or code
                </label>
                <input
                  id="code"
                  name="code"
                  required
                  autoComplete="off"
                  autoCapitalize="off"
                  spellCheck={false}
                  value={pasted}
                  onChange={(event) => setPasted(event.target.value)}
                  className="mt-2 h-11 w-full rounded-lg border border-line-strong bg-canvas px-3.5 font-mono text-sm"
                />
                <Button type="submit" kind="solid" size="large" className="mt-3 w-full">
                  Sign in
                </Button>
              </form>
            </>
          )}
        </div>
      </main>
    </div>
  );
}

function Command({ children }: { children: string }) {
  return (
    <code className="rounded bg-sunken px-1.5 py-0.5 font-mono text-[13px] text-ink">
      {children}
    </code>
  );
}

/** The code of a pasted link, or what was pasted. */
function codeIn(pasted: string): string {
  return pasted.trim().split("#").at(-1) ?? "";
}
