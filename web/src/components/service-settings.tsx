import { useQuery } from "@tanstack/react-query";
import { trpc } from "../lib/api.ts";
import { plainText } from "../lib/plain-text.ts";
import { Failure } from "./failure.tsx";
import { Loading } from "./loading.tsx";

/** Every setting of a service, each with the lines of the source that it comes from. */
export function ServiceSettings({ workspace, service }: { workspace: string; service: string }) {
  const asked = useQuery(
    trpc.workspaces.serviceSettings.queryOptions({ workspace, service }, { staleTime: 0 }),
  );
  if (asked.isPending) return <Loading what="Reading the settings" />;
  if (asked.error !== null) return <Failure error={asked.error} className="mt-2" />;
  const { settings } = asked.data;
  if (settings.length === 0) {
    return <p className="mt-1.5 text-[13px] text-muted">Its source says nothing but its name.</p>;
  }
  return (
    <dl aria-label={`Settings of ${service}`} className="mt-2 space-y-2 text-[13px]">
      {settings.map(({ name, value, where }) => (
        <div key={name}>
          <dt className="font-medium break-words">{plainText(name)}</dt>
          <dd className="min-w-0">
            <p className="font-mono text-xs break-all">{plainText(value)}</p>
            {where.map((place) => (
              <p key={place} className="font-mono text-xs break-all text-muted">
                {plainText(place)}
              </p>
            ))}
          </dd>
        </div>
      ))}
    </dl>
  );
}
