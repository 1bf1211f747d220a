import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Page } from "../components/page.tsx";
import { Appearance } from "../components/settings/appearance.tsx";
import { Credentials } from "../components/settings/credentials.tsx";
import { Keys } from "../components/settings/keys.tsx";
import { Profile } from "../components/settings/profile.tsx";
import { Sessions } from "../components/settings/sessions.tsx";
import { Variables } from "../components/settings/variables.tsx";
import { usePageTitle } from "../lib/page-title.ts";
import { settingsSections, type SettingsSection } from "../lib/settings-sections.ts";

const titles: Record<SettingsSection, string> = {
  profile: "Profile",
  keys: "SSH keys",
  credentials: "Credentials",
  variables: "Variables",
  sessions: "Sessions and tokens",
  appearance: "Appearance",
};

/** `/settings/<section>`: what a person keeps for all their workspaces. */
export function SettingsPage() {
  const { section } = useParams({ from: "/signed-in/settings/$section" });
  return (
    <Page title="Settings">
      <SectionTitle section={section} />
      <div className="gap-8 md:grid md:grid-cols-[11rem_minmax(0,1fr)]">
        <nav aria-label="Settings" className="mb-5 flex flex-wrap gap-1 md:mb-0 md:flex-col">
          {settingsSections.map((each) => (
            <Link
              key={each}
              to="/settings/$section"
              params={{ section: each }}
              className="flex h-9 shrink-0 items-center rounded-lg px-3 text-sm whitespace-nowrap text-muted hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:font-medium aria-[current=page]:text-ink"
            >
              {titles[each]}
            </Link>
          ))}
        </nav>
        <div className="min-w-0 space-y-5">{content(section)}</div>
      </div>
    </Page>
  );
}

/** After the page's own title, because effects of children run first. */
function SectionTitle({ section }: { section: SettingsSection }) {
  usePageTitle(`${titles[section]} · Settings`);
  return null;
}

function content(section: SettingsSection): ReactNode {
  switch (section) {
    case "profile":
      return <Profile />;
    case "keys":
      return <Keys />;
    case "credentials":
      return <Credentials />;
    case "variables":
      return <Variables />;
    case "sessions":
      return <Sessions />;
    case "appearance":
      return <Appearance />;
    default:
      return section satisfies never;
  }
}
