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
import type { Shape } from "./shape.ts";
import { metadata, podSpec, podTemplate } from "./shapes-pod.ts";

export interface Kind {
  /** The only group and version that a cluster of today takes. */
  readonly apiVersion: string;
  readonly shape: Shape;
  /** The path of the pod's template; empty: the object is a pod; null: it has none. */
  readonly template: readonly string[] | null;
}

const rollout = "How it is replaced: a mirror starts a container again at once.";
const asDocker = "Docker has nothing that does this.";

export const labelSelector = object({
  matchLabels: mapOf(text),
  matchExpressions: list(
    object({
      key: required(text),
      operator: required(choice("In", "NotIn", "Exists", "DoesNotExist")),
      values: list(text),
    }),
  ),
});

const claimSpec = object({
  resources: object({ requests: mapOf(quantity), limits: mapOf(quantity), claims: anything }),
  accessModes: list(text),
  ...allUnread(
    "A mirror's volumes begin empty, and lie on this machine.",
    "dataSource dataSourceRef selector storageClassName volumeAttributesClassName volumeName",
  ),
  volumeMode: unread("Docker's volumes are folders.", text, "Filesystem"),
});
const claim = object({ metadata, spec: claimSpec, apiVersion: text, kind: text, status: anything });

const jobSpec = object({
  template: required(podTemplate),
  selector: labelSelector,
  ...allUnread(
    "A mirrored job runs once, in one container.",
    "activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy " +
      "manualSelector maxFailedIndexes parallelism podFailurePolicy podReplacementPolicy " +
      "successPolicy suspend ttlSecondsAfterFinished",
  ),
});

const backend = object({
  service: object({ name: required(text), port: object({ name: text, number: int }) }),
  resource: anything,
});

const policyPeers = list(
  object({
    podSelector: labelSelector,
    namespaceSelector: labelSelector,
    ipBlock: object({ cidr: required(text), except: list(text) }),
  }),
);
const policyPorts = list(
  object({ port: intOrText, endPort: int, protocol: choice("TCP", "UDP", "SCTP") }),
);

const template = ["spec", "template"];

/** The kinds that are read, with all fields that the API knows of them. */
export const kinds: Readonly<Record<string, Kind>> = {
  Deployment: workload("apps/v1", {
    replicas: int,
    selector: required(labelSelector),
    template: required(podTemplate),
    ...allUnread(
      rollout,
      "minReadySeconds paused progressDeadlineSeconds revisionHistoryLimit strategy",
    ),
  }),
  StatefulSet: workload("apps/v1", {
    replicas: int,
    selector: required(labelSelector),
    serviceName: text,
    template: required(podTemplate),
    volumeClaimTemplates: list(claim),
    ...allUnread(
      rollout,
      "minReadySeconds ordinals persistentVolumeClaimRetentionPolicy podManagementPolicy " +
        "revisionHistoryLimit updateStrategy",
    ),
  }),
  DaemonSet: workload("apps/v1", {
    selector: required(labelSelector),
    template: required(podTemplate),
    ...allUnread(rollout, "minReadySeconds revisionHistoryLimit updateStrategy"),
  }),
  ReplicaSet: workload("apps/v1", {
    replicas: int,
    selector: required(labelSelector),
    template: podTemplate,
    ...allUnread(rollout, "minReadySeconds"),
  }),
  ReplicationController: workload("v1", {
    replicas: int,
    selector: mapOf(text),
    template: required(podTemplate),
    ...allUnread(rollout, "minReadySeconds"),
  }),
  Job: { ...kind("batch/v1", jobSpec), template },
  CronJob: {
    ...kind(
      "batch/v1",
      object({
        schedule: required(text),
        jobTemplate: required(object({ metadata, spec: required(jobSpec) })),
        ...allUnread(
          "A mirror runs nothing by schedule.",
          "concurrencyPolicy failedJobsHistoryLimit startingDeadlineSeconds " +
            "successfulJobsHistoryLimit suspend timeZone",
        ),
      }),
    ),
    template: ["spec", "jobTemplate", "spec", "template"],
  },
  Pod: { ...kind("v1", podSpec), template: [] },
  Service: kind(
    "v1",
    object({
      type: choice("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
      selector: mapOf(text),
      clusterIP: text,
      externalName: text,
      ports: list(
        object({
          name: text,
          port: required(int),
          targetPort: intOrText,
          protocol: choice("TCP", "UDP", "SCTP"),
          nodePort: unread("A mirror opens no port of the machine.", int),
          appProtocol: text,
        }),
      ),
      clusterIPs: anything,
      internalTrafficPolicy: unread(asDocker, text, "Cluster"),
      sessionAffinity: unread(asDocker, text, "None"),
      ...allUnread(
        "Docker has no load balancer.",
        "allocateLoadBalancerNodePorts externalIPs externalTrafficPolicy healthCheckNodePort " +
          "loadBalancerClass loadBalancerIP loadBalancerSourceRanges",
      ),
      ...allUnread(
        asDocker,
        "ipFamilies ipFamilyPolicy publishNotReadyAddresses sessionAffinityConfig " +
          "trafficDistribution",
      ),
    }),
  ),
  Ingress: kind(
    "networking.k8s.io/v1",
    object({
      defaultBackend: backend,
      ingressClassName: unread("Requests come in by the workspace's own proxy.", text),
      rules: list(
        object({
          host: text,
          http: object({
            paths: required(
              list(
                object({
                  path: text,
                  pathType: required(choice("Exact", "Prefix", "ImplementationSpecific")),
                  backend: required(backend),
                }),
              ),
            ),
          }),
        }),
      ),
      tls: list(object({ hosts: list(text), secretName: text })),
    }),
  ),
  ConfigMap: {
    apiVersion: "v1",
    shape: whole({ data: mapOf(text), binaryData: mapOf(text), immutable: bool }),
    template: null,
  },
  Secret: {
    apiVersion: "v1",
    shape: whole({ data: mapOf(text), stringData: mapOf(text), immutable: bool, type: text }),
    template: null,
  },
  PersistentVolumeClaim: kind("v1", claimSpec),
  NetworkPolicy: kind(
    "networking.k8s.io/v1",
    object({
      podSelector: labelSelector,
      policyTypes: list(choice("Ingress", "Egress")),
      ingress: list(object({ from: policyPeers, ports: policyPorts })),
      egress: list(object({ to: policyPeers, ports: policyPorts })),
    }),
  ),
  ServiceAccount: {
    apiVersion: "v1",
    shape: whole({
      automountServiceAccountToken: anything,
      imagePullSecrets: anything,
      secrets: anything,
    }),
    template: null,
  },
  Namespace: kind("v1", object({ finalizers: anything })),
  HorizontalPodAutoscaler: kind(
    "autoscaling/v2",
    object({
      scaleTargetRef: required(
        object({ apiVersion: text, kind: required(text), name: required(text) }),
      ),
      minReplicas: int,
      maxReplicas: required(int),
      // The first is of autoscaling/v1, which clusters still take.
      ...allUnread(asDocker, "targetCPUUtilizationPercentage metrics behavior"),
    }),
  ),
};

/** Versions that clusters still take beside the one above. */
export const otherVersions: Readonly<Record<string, readonly string[]>> = {
  HorizontalPodAutoscaler: ["autoscaling/v1"],
};

/** Groups that had one of these kinds in former times; all other groups have kinds of their own. */
export const formerGroups: readonly string[] = ["extensions"];

function kind(apiVersion: string, spec: Shape): Kind {
  return { apiVersion, shape: whole({ spec }), template: null };
}

function workload(apiVersion: string, fields: Parameters<typeof object>[0]): Kind {
  return { apiVersion, shape: whole({ spec: required(object(fields)) }), template };
}

function whole(fields: Parameters<typeof object>[0]): Shape {
  return object({
    apiVersion: required(text),
    kind: required(text),
    metadata,
    status: anything,
    ...fields,
  });
}
