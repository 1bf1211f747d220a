import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import { Button } from "../components/button.tsx";
import { LogoIcon } from "../components/icons.tsx";
import { wireError } from "../lib/errors.ts";

export function NotFoundPage() {
  return (
    <main className="mx-auto max-w-md space-y-4 px-4 pt-[18dvh]">
      <LogoIcon />
      <h1 className="text-2xl font-semibold tracking-tight">There is nothing at this address</h1>
      <Link to="/" className="text-sm text-accent underline">
        All workspaces
      </Link>
    </main>
  );
}

/** What a page shows that could not load at all. */
export function ProblemPage({ error }: ErrorComponentProps) {
  return (
    <main className="mx-auto max-w-md space-y-4 px-4 pt-[18dvh]">
      <LogoIcon />
      <h1 className="text-2xl font-semibold tracking-tight">This page could not load</h1>
      <p role="alert" className="text-sm text-muted">
        {wireError(error).message}
      </p>
      <Button kind="solid" onClick={() => window.location.reload()}>
        Try again
      </Button>
    </main>
  );
}
