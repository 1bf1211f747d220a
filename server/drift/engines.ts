import { parseImageReference } from "../protocol/image-reference.ts";

/** Engines of backing services, by the last parts of their images' names. */
const engines: Readonly<Record<string, string>> = {
  postgres: "PostgreSQL",
  postgresql: "PostgreSQL",
  "postgresql-repmgr": "PostgreSQL",
  postgis: "PostgreSQL",
  pgvector: "PostgreSQL",
  timescaledb: "PostgreSQL",
  "timescaledb-ha": "PostgreSQL",
  cockroach: "CockroachDB",
  mysql: "MySQL",
  "mysql-server": "MySQL",
  percona: "MySQL",
  "percona-server": "MySQL",
  mariadb: "MariaDB",
  "mariadb-galera": "MariaDB",
  mongo: "MongoDB",
  mongodb: "MongoDB",
  "mongodb-community-server": "MongoDB",
  redis: "Redis",
  "redis-stack": "Redis",
  "redis-stack-server": "Redis",
  "redis-cluster": "Redis",
  valkey: "Valkey",
  keydb: "KeyDB",
  dragonfly: "Dragonfly",
  memcached: "Memcached",
  rabbitmq: "RabbitMQ",
  kafka: "Kafka",
  "cp-kafka": "Kafka",
  redpanda: "Redpanda",
  zookeeper: "ZooKeeper",
  "cp-zookeeper": "ZooKeeper",
  nats: "NATS",
  activemq: "ActiveMQ",
  "activemq-artemis": "ActiveMQ",
  elasticsearch: "Elasticsearch",
  opensearch: "OpenSearch",
  solr: "Solr",
  cassandra: "Cassandra",
  scylla: "ScyllaDB",
  couchdb: "CouchDB",
  couchbase: "Couchbase",
  neo4j: "Neo4j",
  influxdb: "InfluxDB",
  clickhouse: "ClickHouse",
  "clickhouse-server": "ClickHouse",
  minio: "MinIO",
  etcd: "etcd",
  consul: "Consul",
  vault: "Vault",
  server: "",
  "azure-sql-edge": "SQL Server",
};

export interface Engine {
  readonly name: string;
  /** The number that its files and protocol go with; null: the tag does not say it. */
  readonly major: string | null;
}

/** The engine of a backing service, and null for every other image. */
export function engineOf(image: string): Engine | null {
  const reference = parseImageReference(image);
  if (reference === null) return null;
  const last = reference.repository.split("/").at(-1) ?? "";
  const name = reference.repository.endsWith("mssql/server")
    ? "SQL Server"
    : Object.hasOwn(engines, last)
      ? engines[last]
      : undefined;
  if (name === undefined || name === "") return null;
  return { name, major: majorOf(name, reference) };
}

function majorOf(
  engine: string,
  { repository, tag }: { repository: string; tag: string | null },
): string | null {
  // Extensions count their own versions, and name the engine's: `pgvector:pg17`, `15-3.4`.
  const named = /(?:^|[-_.])pg(\d+)/.exec(tag ?? "")?.[1];
  if (named !== undefined) return named;
  if (/timescaledb|pgvector/.test(repository)) return null;
  const [, major, minor] = /^v?(\d{1,4})(?:\.(\d+))?(?![\da-f]{6})/.exec(tag ?? "") ?? [];
  if (major === undefined) return null;
  // PostgreSQL before 10 and MySQL 5 count majors with two numbers.
  const twofold =
    (engine === "PostgreSQL" && Number(major) < 10) || (engine === "MySQL" && major === "5");
  return twofold && minor !== undefined ? `${major}.${minor}` : major;
}

/** Ports that an engine's images listen on, and schemes without a port in an address mean. */
export const schemePorts: Readonly<Record<string, number>> = {
  http: 80,
  ws: 80,
  https: 443,
  wss: 443,
  postgres: 5432,
  postgresql: 5432,
  mysql: 3306,
  mariadb: 3306,
  redis: 6379,
  rediss: 6379,
  mongodb: 27017,
  amqp: 5672,
  amqps: 5671,
  nats: 4222,
  memcached: 11211,
};
