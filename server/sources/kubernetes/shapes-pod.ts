import {
  allUnread,
  anything,
  bool,
  choice,
  int,
  intOrText,
  list,
  mapOf,
  object,
  quantity,
  required,
  text,
  unread,
} from "./shape.ts";

/** Fields of Kubernetes 1.34 (`core/v1`), in the order of its reference. */

const placement = "Where it runs is the cluster's matter: a mirror runs on one machine.";
const clusterOnly = "Docker has nothing that does this.";
const hardening = "A workspace has its own rules for what a process may do.";
const interactive = "A mirrored service has no terminal of its own: use a shell inside.";

const localReference = object({ name: text, optional: bool });
const keySelector = object({ name: text, key: required(text), optional: bool });
const fieldReference = object({ apiVersion: text, fieldPath: required(text) });
const resourceReference = object({
  containerName: text,
  divisor: quantity,
  resource: required(text),
});

const environment = object({
  name: required(text),
  value: text,
  valueFrom: object({
    configMapKeyRef: keySelector,
    fieldRef: fieldReference,
    resourceFieldRef: resourceReference,
    secretKeyRef: keySelector,
    fileKeyRef: anything,
  }),
});

const port = { port: required(intOrText) };
const probe = object({
  exec: object({ command: list(text) }),
  grpc: object({ port: required(int), service: text }),
  httpGet: object({
    ...port,
    host: unread("The check is made on the container's own address.", text),
    httpHeaders: list(object({ name: required(text), value: required(text) })),
    path: text,
    scheme: choice("HTTP", "HTTPS"),
  }),
  tcpSocket: object({
    ...port,
    host: unread("The check is made on the container's own address.", text),
  }),
  initialDelaySeconds: int,
  periodSeconds: int,
  timeoutSeconds: int,
  successThreshold: int,
  failureThreshold: int,
  terminationGracePeriodSeconds: unread("A failed check stops a container as any stop does.", int),
});

const resources = object({
  limits: mapOf(quantity),
  requests: mapOf(quantity),
  claims: unread(clusterOnly),
});

const containerSecurity = object({
  capabilities: object({ add: list(text), drop: list(text) }),
  privileged: bool,
  readOnlyRootFilesystem: bool,
  runAsUser: int,
  runAsGroup: int,
  seccompProfile: object({ type: required(text), localhostProfile: text }),
  ...allUnread(
    hardening,
    "allowPrivilegeEscalation appArmorProfile procMount runAsNonRoot seLinuxOptions windowsOptions",
  ),
});

export const container = object({
  name: required(text),
  image: required(text),
  command: list(text),
  args: list(text),
  workingDir: text,
  ports: list(
    object({
      containerPort: required(int),
      name: text,
      protocol: choice("TCP", "UDP", "SCTP"),
      hostPort: unread("A mirror opens no port of the machine: ports have addresses of their own."),
      hostIP: unread("A mirror opens no port of the machine: ports have addresses of their own."),
    }),
  ),
  env: list(environment),
  envFrom: list(object({ prefix: text, configMapRef: localReference, secretRef: localReference })),
  resources,
  volumeMounts: list(
    object({
      name: required(text),
      mountPath: required(text),
      readOnly: bool,
      subPath: text,
      subPathExpr: unread("Its folder is known only in the cluster.", text),
      mountPropagation: unread(clusterOnly, text, "None"),
      recursiveReadOnly: unread(clusterOnly, text, "Disabled"),
    }),
  ),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  restartPolicy: text,
  securityContext: containerSecurity,
  imagePullPolicy: unread(
    "An image is asked for at each open; what is the same is not loaded again.",
    choice("Always", "Never", "IfNotPresent"),
  ),
  lifecycle: unread("Hooks of a container's start and stop are not run."),
  volumeDevices: unread("Docker's volumes are folders, never devices."),
  ...allUnread(clusterOnly, "resizePolicy restartPolicyRules"),
  ...allUnread(interactive, "stdin stdinOnce tty"),
  terminationMessagePath: unread(clusterOnly, text, "/dev/termination-log"),
  terminationMessagePolicy: unread(clusterOnly, text, "File"),
});

const keyToPath = list(object({ key: required(text), path: required(text), mode: int }));
const downwardItems = list(
  object({
    path: required(text),
    fieldRef: fieldReference,
    mode: int,
    resourceFieldRef: resourceReference,
  }),
);

/** Kinds of a volume that is kept somewhere a mirror does not reach. */
export const distantVolumes = (
  "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker " +
  "gcePersistentDisk glusterfs iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO " +
  "storageos vsphereVolume"
).split(" ");

const volumeSources = {
  configMap: object({ name: text, defaultMode: int, items: keyToPath, optional: bool }),
  secret: object({ secretName: text, defaultMode: int, items: keyToPath, optional: bool }),
  downwardAPI: object({ defaultMode: int, items: downwardItems }),
  emptyDir: object({ medium: text, sizeLimit: quantity }),
  hostPath: object({ path: required(text), type: text }),
  persistentVolumeClaim: object({ claimName: required(text), readOnly: bool }),
  projected: object({
    defaultMode: int,
    sources: list(
      object({
        configMap: object({ name: text, items: keyToPath, optional: bool }),
        secret: object({ name: text, items: keyToPath, optional: bool }),
        downwardAPI: object({ items: downwardItems }),
        serviceAccountToken: object({
          path: required(text),
          audience: text,
          expirationSeconds: int,
        }),
        clusterTrustBundle: anything,
        podCertificate: anything,
      }),
    ),
  }),
  ephemeral: anything,
  image: anything,
  gitRepo: anything,
  ...Object.fromEntries(distantVolumes.map((name) => [name, anything])),
};

/** A volume is exactly one of these. */
export const volumeKinds: readonly string[] = Object.keys(volumeSources);

const podSecurity = object({
  runAsUser: int,
  runAsGroup: int,
  seccompProfile: object({ type: required(text), localhostProfile: text }),
  ...allUnread(
    "Files of a volume belong to the user of the container that makes them.",
    "fsGroup fsGroupChangePolicy supplementalGroups supplementalGroupsPolicy",
  ),
  ...allUnread(
    hardening,
    "appArmorProfile runAsNonRoot seLinuxChangePolicy seLinuxOptions sysctls windowsOptions",
  ),
});

export const podSpec = object({
  containers: required(list(container, "name")),
  initContainers: list(container, "name"),
  volumes: list(object({ name: required(text), ...volumeSources }), "name"),
  restartPolicy: text,
  terminationGracePeriodSeconds: int,
  nodeSelector: mapOf(text),
  securityContext: podSecurity,
  hostNetwork: bool,
  hostPID: bool,
  hostIPC: bool,
  imagePullSecrets: unread("Images are pulled with your own credentials for their registry."),
  ...allUnread(
    "A workspace has no Kubernetes API that an account could ask.",
    "automountServiceAccountToken serviceAccount serviceAccountName",
  ),
  ...allUnread(
    placement,
    "affinity nodeName overhead preemptionPolicy priority priorityClassName readinessGates " +
      "resourceClaims runtimeClassName schedulingGates tolerations topologySpreadConstraints os",
  ),
  ...allUnread(
    "Names are found by the workspace's own resolver.",
    "dnsConfig hostAliases setHostnameAsFQDN subdomain",
  ),
  hostname: text,
  ...allUnread(
    clusterOnly,
    "activeDeadlineSeconds ephemeralContainers hostUsers hostnameOverride resources " +
      "shareProcessNamespace workloadRef",
  ),
  dnsPolicy: unread("Names are found by the workspace's own resolver.", text, "ClusterFirst"),
  enableServiceLinks: unread("Variables with the addresses of services are not set.", bool, "true"),
  schedulerName: unread(placement, text, "default-scheduler"),
});

/** What the cluster writes, and what only other tools read. */
export const metadata = object({
  name: text,
  generateName: text,
  namespace: text,
  labels: mapOf(text),
  annotations: unread("Annotations are for other tools.", mapOf(text)),
  ownerReferences: list(
    object({
      apiVersion: text,
      kind: text,
      name: text,
      uid: text,
      controller: bool,
      blockOwnerDeletion: bool,
    }),
  ),
  creationTimestamp: anything,
  deletionGracePeriodSeconds: anything,
  deletionTimestamp: anything,
  finalizers: anything,
  generation: anything,
  managedFields: anything,
  resourceVersion: anything,
  selfLink: anything,
  uid: anything,
  clusterName: anything,
});

export const podTemplate = object({ metadata, spec: required(podSpec) });
