import { chooseTheme, useThemeChoice, type ThemeChoice } from "../../lib/theme.ts";
import { Card } from "../page.tsx";

const choices: readonly { value: ThemeChoice; title: string; help: string }[] = [
  { value: "system", title: "As the system", help: "Follows your device, also when it changes." },
  { value: "light", title: "Light", help: "Always." },
  { value: "dark", title: "Dark", help: "Always." },
];

/** Light or dark: kept in this browser only. */
export function Appearance() {
  const chosen = useThemeChoice();
  return (
    <Card title="Appearance" intro="Kept in this browser.">
      <fieldset>
        <legend className="text-[13px] font-medium">Theme</legend>
        <div className="mt-2 grid gap-2 sm:grid-cols-3">
          {choices.map(({ value, title, help }) => (
            <label
              key={value}
              className={`flex cursor-pointer items-start gap-2.5 rounded-lg border p-3 has-[:focus-visible]:outline-2 has-[:focus-visible]:outline-offset-2 has-[:focus-visible]:outline-accent ${
                chosen === value ? "border-accent" : "border-line hover:bg-hover"
              }`}
            >
              <input
                type="radio"
                name="theme"
                value={value}
                checked={chosen === value}
                onChange={() => chooseTheme(value)}
                className="mt-0.5 size-4 accent-accent outline-none"
              />
              <span className="text-sm">
                {title}
                <span className="block text-[13px] text-muted">{help}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
    </Card>
  );
}
