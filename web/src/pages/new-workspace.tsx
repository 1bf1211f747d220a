import { useLocation } from "@tanstack/react-router";
import { OpenForm } from "../components/open-form.tsx";
import { Page } from "../components/page.tsx";
import { suggestedContextUrl } from "../lib/context-url.ts";

/** `/new`: the form. `/new#<context URL>`, where `/#<context URL>` leads, fills it in. */
export function NewWorkspacePage() {
  const suggested = suggestedContextUrl(useLocation().hash);
  return (
    <Page
      title="New workspace"
      intro="The same URL again leads to the workspace that you have of it. Services start as its devfile.yaml says; without one you see what was found in it, and start that."
    >
      <OpenForm key={suggested} suggested={suggested} />
    </Page>
  );
}
