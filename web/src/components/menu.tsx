import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { CheckIcon } from "./icons.tsx";

/** A menu below `trigger`, which must be a button. */
export function Menu({
  trigger,
  label,
  children,
}: {
  trigger: ReactNode;
  label: string;
  children: ReactNode;
}) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          aria-label={label}
          className="z-40 min-w-48 rounded-xl border border-line bg-surface p-1 text-sm text-ink shadow-lg outline-none"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

export const menuItemLook =
  "flex min-h-8 w-full cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-left text-sm outline-none " +
  "select-none data-[disabled]:cursor-default data-[disabled]:opacity-50 data-[highlighted]:bg-hover";

export function MenuItem({
  icon,
  children,
  danger = false,
  disabled = false,
  onSelect,
}: {
  icon?: ReactNode;
  children: ReactNode;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}) {
  return (
    <DropdownMenu.Item
      disabled={disabled}
      onSelect={onSelect}
      className={`${menuItemLook} ${danger ? "text-bad" : ""}`}
    >
      {icon}
      {children}
    </DropdownMenu.Item>
  );
}

/** A link in a menu. */
export function MenuLink({ children }: { children: ReactNode }) {
  return (
    <DropdownMenu.Item asChild className={menuItemLook}>
      {children}
    </DropdownMenu.Item>
  );
}

export function MenuSeparator() {
  return <DropdownMenu.Separator className="my-1 h-px bg-line" />;
}

/** One of several, with a sentence on what it means. */
export function MenuChoices<Value extends string>({
  value,
  choices,
  onChoose,
}: {
  value: Value;
  choices: readonly { value: Value; title: string; help: string; icon: ReactNode }[];
  onChoose: (value: Value) => void;
}) {
  return (
    <DropdownMenu.RadioGroup
      value={value}
      onValueChange={(next) => {
        const choice = choices.find((each) => each.value === next);
        if (choice !== undefined && choice.value !== value) onChoose(choice.value);
      }}
    >
      {choices.map((choice) => (
        <DropdownMenu.RadioItem
          key={choice.value}
          value={choice.value}
          className={`${menuItemLook} max-w-80 items-start`}
        >
          <span className="pt-0.5 text-muted">{choice.icon}</span>
          <span className="min-w-0 flex-1">
            <span className="block font-medium">{choice.title}</span>
            <span className="block text-[13px] text-pretty text-muted">{choice.help}</span>
          </span>
          <span className="w-4 pt-0.5">
            <DropdownMenu.ItemIndicator>
              <CheckIcon />
            </DropdownMenu.ItemIndicator>
          </span>
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}
