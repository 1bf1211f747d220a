import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { queryClient, trpc } from "../lib/api.ts";
import { toggleTheme, useTheme } from "../lib/theme.ts";
import { IconButton } from "./button.tsx";
import { LogoIcon, MoonIcon, SignOutIcon, SunIcon } from "./icons.tsx";

export function ThemeToggle() {
  const dark = useTheme() === "dark";
  return (
    <IconButton label={dark ? "Use the light theme" : "Use the dark theme"} onClick={toggleTheme}>
      {dark ? <SunIcon /> : <MoonIcon />}
    </IconButton>
  );
}

/** The bar above every page; `children` stands between the product's name and the user's. */
export function TopBar({ children }: { children?: ReactNode }) {
  const navigate = useNavigate();
  const me = useQuery(trpc.auth.me.queryOptions());
  const signOut = useMutation(
    trpc.auth.signOut.mutationOptions({
      onSuccess: async () => {
        queryClient.clear();
        await navigate({ to: "/sign-in" });
      },
    }),
  );
  return (
    <header className="flex h-13 shrink-0 items-center gap-1 border-b border-line bg-surface px-3 sm:px-5">
      <Link
        to="/"
        className="flex items-center gap-2 rounded-md py-1 pr-1.5 text-[15px] font-semibold tracking-tight"
        aria-label="Oneloop: all workspaces"
      >
        <LogoIcon />
        <span className={children === undefined ? "" : "hidden sm:inline"}>Oneloop</span>
      </Link>
      <div className="flex min-w-0 flex-1 items-center gap-2">{children}</div>
      {me.data !== undefined && (
        <span className="hidden max-w-40 truncate px-2 text-sm text-muted md:inline">
          {me.data.name}
        </span>
      )}
      <ThemeToggle />
      <IconButton label="Sign out" onClick={() => signOut.mutate()} disabled={signOut.isPending}>
        <SignOutIcon />
      </IconButton>
    </header>
  );
}
