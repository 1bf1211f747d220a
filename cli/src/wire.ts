/** The types of what the control plane says: types only, so that nothing of them is loaded. */
export type { EnvironmentView } from "../../server/protocol/environment.ts";
export type { Diagnostic, ErrorCode } from "../../server/protocol/errors.ts";
export type { ConfigurationView, Preview, PreviewPart } from "../../server/protocol/preview.ts";
export type { ServiceLogsUpdate } from "../../server/protocol/service-logs.ts";
export type {
  CommandView,
  CredentialView,
  LogUpdate,
  Me,
  PersonView,
  PortVisibility,
  ServiceSetting,
  SessionView,
  SshKeyView,
  UnsavedWork,
  VariableView,
  WorkspaceDetail,
  WorkspaceEvent,
  WorkspacePort,
  WorkspaceServiceView,
  WorkspaceSummary,
} from "../../server/protocol/workspace.ts";
