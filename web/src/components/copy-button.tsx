import { useState } from "react";
import { showToast } from "../lib/toasts.ts";
import { IconButton } from "./button.tsx";
import { CheckIcon, CopyIcon } from "./icons.tsx";

/** Copies `text`; says so until the pointer or the focus leaves. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      showToast("error", "The browser refused to copy. Select the text and copy it by hand.");
    }
  };
  return (
    <>
      <IconButton
        label={copied ? "Copied" : label}
        size="small"
        onClick={() => void copy()}
        onBlur={() => setCopied(false)}
        onMouseLeave={() => setCopied(false)}
      >
        {copied ? <CheckIcon className="size-4 text-good" /> : <CopyIcon />}
      </IconButton>
      <span role="status" className="sr-only">
        {copied ? "Copied" : ""}
      </span>
    </>
  );
}
