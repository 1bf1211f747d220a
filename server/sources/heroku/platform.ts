const mib = 1024 ** 2;
const gib = 1024 ** 3;

/** Memory of a dyno by its size (https://devcenter.heroku.com/articles/dyno-types). In bytes. */
export const dynoMemory: ReadonlyMap<string, number> = new Map([
  ["free", 512 * mib],
  ["hobby", 512 * mib],
  ["eco", 512 * mib],
  ["basic", 512 * mib],
  ["standard-1x", 512 * mib],
  ["standard-2x", gib],
  ["private-s", gib],
  ["shield-s", gib],
  ...["performance", "private", "shield"].flatMap((tier): [string, number][] => [
    [`${tier}-m`, 2.5 * gib],
    [`${tier}-l`, 14 * gib],
    [`${tier}-l-ram`, 30 * gib],
    [`${tier}-xl`, 62 * gib],
    [`${tier}-2xl`, 126 * gib],
  ]),
]);

/** What an add-on is, where it is a program that anybody can run. */
export interface AddonKind {
  /** Without its tag. */
  readonly image: string;
  readonly port: number;
  /** The variable that the add-on sets in every process. */
  readonly variable: string;
}

const postgres = { image: "postgres", port: 5432 };
const mysql = { image: "mysql", port: 3306 };
const redis = { image: "redis", port: 6379 };
const memcached = { image: "memcached", port: 11211 };
const mongo = { image: "mongo", port: 27017 };

/** By the name before the colon of its plan. */
export const addonKinds: ReadonlyMap<string, AddonKind> = new Map([
  ["heroku-postgresql", { ...postgres, variable: "DATABASE_URL" }],
  ["heroku-redis", { ...redis, variable: "REDIS_URL" }],
  ["rediscloud", { ...redis, variable: "REDISCLOUD_URL" }],
  ["redistogo", { ...redis, variable: "REDISTOGO_URL" }],
  ["openredis", { ...redis, variable: "OPENREDIS_URL" }],
  ["jawsdb", { ...mysql, variable: "JAWSDB_URL" }],
  ["jawsdb-maria", { image: "mariadb", port: 3306, variable: "JAWSDB_MARIA_URL" }],
  ["cleardb", { ...mysql, variable: "CLEARDB_DATABASE_URL" }],
  ["stackhero-mysql", { ...mysql, variable: "STACKHERO_MYSQL_HOST" }],
  ["cloudamqp", { image: "rabbitmq", port: 5672, variable: "CLOUDAMQP_URL" }],
  ["memcachier", { ...memcached, variable: "MEMCACHIER_SERVERS" }],
  ["memcachedcloud", { ...memcached, variable: "MEMCACHEDCLOUD_SERVERS" }],
  ["mongolab", { ...mongo, variable: "MONGODB_URI" }],
  ["ormongo", { ...mongo, variable: "ORMONGO_URL" }],
]);

/** Where `heroku local` has the web process listen; on Heroku it is another port at each start. */
export const webPort = 5000;
