import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { queryClient, trpc } from "../lib/api.ts";
import { wireError } from "../lib/errors.ts";
import { chooseTheme, useTheme } from "../lib/theme.ts";
import { showToast } from "../lib/toasts.ts";
import { IconButton } from "./button.tsx";
import {
  ChevronDownIcon,
  GearIcon,
  LogoIcon,
  MoonIcon,
  PeopleIcon,
  SignOutIcon,
  StackIcon,
  SunIcon,
} from "./icons.tsx";
import { Menu, MenuItem, MenuLink, MenuSeparator, menuItemLook } from "./menu.tsx";

export function ThemeToggle() {
  const dark = useTheme() === "dark";
  return (
    <IconButton
      label={dark ? "Use the light theme" : "Use the dark theme"}
      onClick={() => chooseTheme(dark ? "light" : "dark")}
    >
      {dark ? <SunIcon /> : <MoonIcon />}
    </IconButton>
  );
}

const navLook =
  "flex h-8 items-center rounded-lg px-2.5 text-sm font-medium text-muted hover:bg-hover hover:text-ink " +
  "aria-[current=page]:text-ink aria-[current=page]:bg-hover";

/** The bar above every page; `children` stands in the place of the pages' names. */
export function TopBar({ children }: { children?: ReactNode }) {
  const me = useQuery(trpc.auth.me.queryOptions());
  return (
    <header className="flex h-13 shrink-0 items-center gap-1 border-b border-line bg-surface px-3 sm:px-5">
      <Link
        to="/"
        className="flex items-center gap-2 rounded-md py-1 pr-1.5 text-[15px] font-semibold tracking-tight"
        aria-label="Oneloop: all workspaces"
      >
        <LogoIcon />
        <span className={children === undefined ? "" : "hidden lg:inline"}>Oneloop</span>
      </Link>
      {children !== undefined && (
        <div className="flex min-w-0 flex-1 items-center gap-2">{children}</div>
      )}
      {children === undefined && (
        <nav aria-label="Pages" className="ml-3 hidden items-center gap-0.5 sm:flex">
          <Link to="/" activeOptions={{ exact: true }} className={navLook}>
            Workspaces
          </Link>
          <Link to="/settings" className={navLook}>
            Settings
          </Link>
          {me.data?.role === "owner" && (
            <Link to="/people" className={navLook}>
              People
            </Link>
          )}
        </nav>
      )}
      <div className="ml-auto flex items-center gap-1">
        <span className={children === undefined ? "" : "hidden sm:inline"}>
          <ThemeToggle />
        </span>
        <UserMenu />
      </div>
    </header>
  );
}

function UserMenu() {
  const navigate = useNavigate();
  const me = useQuery(trpc.auth.me.queryOptions());
  const signOut = useMutation(
    trpc.auth.signOut.mutationOptions({
      meta: { quiet: true },
      onSuccess: async () => {
        queryClient.clear();
        await navigate({ to: "/signed-out" });
      },
      // The menu that was used is closed by then.
      onError: (error) => showToast("error", wireError(error).message),
    }),
  );
  if (me.data === undefined) return null;
  const { name, role } = me.data;
  return (
    <Menu
      label="You"
      trigger={
        <button
          type="button"
          className="flex h-9 items-center gap-1.5 rounded-lg px-2 text-sm text-muted hover:bg-hover hover:text-ink"
        >
          <span
            aria-hidden="true"
            className="grid size-6 place-content-center rounded-full bg-accent-soft text-xs font-semibold text-accent uppercase"
          >
            {name.slice(0, 1)}
          </span>
          <span className="sr-only">You: {name}</span>
          <span aria-hidden="true" className="hidden max-w-40 truncate md:inline">
            {name}
          </span>
          <ChevronDownIcon className="hidden size-3.5 sm:block" />
        </button>
      }
    >
      <DropdownMenu.Label className="px-2.5 py-1.5">
        <span className="block max-w-60 truncate font-medium">{name}</span>
        <span className="block text-[13px] text-muted">
          {role === "owner" ? "Owner of this installation" : "Member"}
        </span>
      </DropdownMenu.Label>
      <MenuSeparator />
      <MenuLink>
        <Link to="/" className={menuItemLook}>
          <StackIcon /> Workspaces
        </Link>
      </MenuLink>
      <MenuLink>
        <Link to="/settings" className={menuItemLook}>
          <GearIcon /> Settings
        </Link>
      </MenuLink>
      {role === "owner" && (
        <MenuLink>
          <Link to="/people" className={menuItemLook}>
            <PeopleIcon /> People
          </Link>
        </MenuLink>
      )}
      <MenuSeparator />
      <MenuItem
        icon={<SignOutIcon />}
        disabled={signOut.isPending}
        onSelect={() => signOut.mutate()}
      >
        Sign out
      </MenuItem>
    </Menu>
  );
}
