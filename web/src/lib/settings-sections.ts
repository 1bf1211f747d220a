export const settingsSections = [
  "profile",
  "keys",
  "credentials",
  "variables",
  "sessions",
  "appearance",
] as const;

export type SettingsSection = (typeof settingsSections)[number];
