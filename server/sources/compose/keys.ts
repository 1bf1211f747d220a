/**
 * The attributes of one map of the compose specification: `true` where Oneloop reads it, else why
 * it does not. What is not in a table is no attribute.
 */
export type Keys = Readonly<Record<string, true | string>>;

const machine = "It is about the machine that runs it, and workspaces have theirs.";
const labels = "Labels are for other tools.";
const addresses = "A workspace gives addresses itself.";
const builder = "Builds of a workspace have settings of their own.";
const driver = "Workspaces have drivers of their own.";
const kernel = "A workspace's kernel settings are the operator's.";
const limits = "Only limits of memory and CPU are read.";
const swarm = "It is about a cluster, and a workspace is on one machine.";
const terminal = "A mirrored service has no terminal of its own.";
const owner = "A file in a workspace belongs to root.";

export const topKeys: Keys = {
  version: "Compose itself ignores it.",
  name: true,
  include: true,
  services: true,
  models: "Models of language are not run.",
  networks: true,
  volumes: true,
  secrets: true,
  configs: true,
};

export const serviceKeys: Keys = {
  annotations: labels,
  attach: "It is about what `docker compose up` prints.",
  blkio_config: limits,
  build: true,
  cap_add: true,
  cap_drop: true,
  cgroup: machine,
  cgroup_parent: machine,
  command: true,
  configs: true,
  container_name: true,
  cpu_count: limits,
  cpu_percent: limits,
  cpu_period: limits,
  cpu_quota: limits,
  cpu_rt_period: limits,
  cpu_rt_runtime: limits,
  cpu_shares: limits,
  cpus: true,
  cpuset: machine,
  credential_spec: "It is for Windows.",
  depends_on: true,
  deploy: true,
  develop: true,
  device_cgroup_rules: true,
  devices: true,
  dns: "Names are resolved by the workspace.",
  dns_opt: "Names are resolved by the workspace.",
  dns_search: "Names are resolved by the workspace.",
  domainname: "It changes no name by which others reach the service.",
  entrypoint: true,
  env_file: true,
  environment: true,
  expose: true,
  extends: true,
  external_links: "It leads to a container of another project.",
  extra_hosts: "Names of machines outside are not set.",
  gpus: machine,
  group_add: "Further groups are not set.",
  healthcheck: true,
  hostname: true,
  image: true,
  init: "A workspace has an init of its own.",
  ipc: true,
  isolation: "It is for Windows.",
  label_file: labels,
  labels,
  links: true,
  logging: "A workspace keeps its logs itself.",
  mac_address: addresses,
  mem_limit: true,
  mem_reservation: true,
  mem_swappiness: limits,
  memswap_limit: limits,
  models: "Models of language are not run.",
  network_mode: true,
  networks: true,
  oom_kill_disable: limits,
  oom_score_adj: limits,
  pid: true,
  pids_limit: limits,
  platform: true,
  ports: true,
  post_start: "Commands besides the service's own are not run.",
  pre_stop: "Commands besides the service's own are not run.",
  privileged: true,
  profiles: true,
  provider: true,
  pull_policy: "Oneloop asks for an image at each start.",
  pull_refresh_after: "Oneloop asks for an image at each start.",
  read_only: true,
  restart: true,
  runtime: machine,
  scale: true,
  secrets: true,
  security_opt: true,
  shm_size: limits,
  stdin_open: terminal,
  stop_grace_period: true,
  stop_signal: "A service is stopped as its image says.",
  storage_opt: machine,
  sysctls: kernel,
  tmpfs: true,
  tty: terminal,
  ulimits: limits,
  use_api_socket: true,
  user: true,
  userns_mode: machine,
  uts: machine,
  volumes: true,
  volumes_from: "Volumes of another service are not mounted.",
  working_dir: true,
};

export const buildKeys: Keys = {
  additional_contexts: builder,
  args: true,
  cache_from: builder,
  cache_to: builder,
  context: true,
  dockerfile: true,
  dockerfile_inline: true,
  entitlements: builder,
  extra_hosts: builder,
  isolation: "It is for Windows.",
  labels,
  network: builder,
  no_cache: builder,
  platforms: builder,
  privileged: builder,
  provenance: builder,
  pull: builder,
  sbom: builder,
  secrets: "No secret is given to a build.",
  shm_size: builder,
  ssh: "No key is given to a build.",
  tags: builder,
  target: true,
  ulimits: builder,
};

export const deployKeys: Keys = {
  endpoint_mode: swarm,
  labels,
  mode: true,
  placement: swarm,
  replicas: true,
  resources: true,
  restart_policy: true,
  rollback_config: swarm,
  update_config: swarm,
};

export const resourcesKeys: Keys = { limits: true, reservations: true };
export const limitsKeys: Keys = { cpus: true, memory: true, pids: limits };
export const reservationsKeys: Keys = {
  cpus: true,
  devices: machine,
  generic_resources: swarm,
  memory: true,
};

export const restartPolicyKeys: Keys = {
  condition: true,
  delay: "How long and how often it is tried again is the workspace's.",
  max_attempts: "How long and how often it is tried again is the workspace's.",
  window: "How long and how often it is tried again is the workspace's.",
};

export const dependencyKeys: Keys = {
  condition: true,
  required: true,
  restart: "A service is not restarted because another is.",
};

export const healthcheckKeys: Keys = {
  disable: true,
  interval: true,
  retries: true,
  start_interval: "A check has one interval.",
  start_period: true,
  test: true,
  timeout: true,
};

export const portKeys: Keys = {
  app_protocol: true,
  host_ip: true,
  mode: swarm,
  name: true,
  protocol: true,
  published: true,
  target: true,
};

export const mountKeys: Keys = {
  bind: true,
  consistency: machine,
  image: true,
  read_only: true,
  source: true,
  target: true,
  tmpfs: true,
  type: true,
  volume: true,
};

export const bindKeys: Keys = {
  create_host_path: machine,
  propagation: machine,
  recursive: machine,
  selinux: machine,
};
export const mountVolumeKeys: Keys = {
  labels,
  nocopy: "A new volume begins with what the image has there.",
  subpath: true,
};
export const mountTmpfsKeys: Keys = { mode: owner, size: true };
export const mountImageKeys: Keys = { subpath: "Images are not mounted." };

/** Of a service's `configs` and `secrets`. */
export const fileKeys: Keys = { gid: owner, mode: true, source: true, target: true, uid: owner };

export const attachmentKeys: Keys = {
  aliases: true,
  driver_opts: driver,
  gw_priority: addresses,
  interface_name: addresses,
  ipv4_address: addresses,
  ipv6_address: addresses,
  link_local_ips: addresses,
  mac_address: addresses,
  priority: addresses,
};

export const networkKeys: Keys = {
  attachable: swarm,
  driver,
  driver_opts: driver,
  enable_ipv4: addresses,
  enable_ipv6: addresses,
  external: "What else is on a network outside the project is not known.",
  internal: true,
  ipam: addresses,
  labels,
  name: "A workspace names its networks itself.",
};

export const volumeKeys: Keys = {
  driver: true,
  driver_opts: true,
  external: "The volume begins empty: production's data is not copied.",
  labels,
  name: "A workspace names its volumes itself.",
};

export const secretKeys: Keys = {
  content: true,
  driver: true,
  driver_opts: driver,
  environment: true,
  external: true,
  file: true,
  labels,
  name: true,
  template_driver: "The text is taken as it is.",
};

export const configKeys: Keys = {
  content: true,
  environment: true,
  external: true,
  file: true,
  labels,
  name: "A workspace names its files itself.",
  template_driver: "The text is taken as it is.",
};

export const deviceKeys: Keys = { permissions: true, source: true, target: true };

export const envFileKeys: Keys = { format: true, path: true, required: true };

export const developKeys: Keys = { watch: true };

export const watchKeys: Keys = {
  path: true,
  action: true,
  target: true,
  ignore: true,
  include: true,
  initial_sync: "A container begins with what its image has, which is built from the same files.",
  exec: "No command is run after a sync.",
};
