interface Project {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly paths?: readonly string[];
  readonly env?: Record<string, string>;
}

/** Projects that Compose 1.29 and today's both understand, and take for the same. */
export const projects: readonly Project[] = [
  {
    what: "variables with their defaults, from .env and from outside",
    files: {
      "compose.yaml": `services:
  web:
    image: "web:\${TAG:-1}-\${OUTER}-\${EMPTY-none}-\${EMPTY:-some}-\${NO-unset}"
    environment:
      DOLLAR: $$HOME
      PLAIN: "$TAG.x"
      PASSED:
      GIVEN:
      NUMBER: 5
      FRACTION: 1.50
      EMPTY: ""
    labels: {a: b}
    mem_limit: \${MEM:-300M}
    ports: ["\${PORT:-8080}:80"]
`,
      ".env": "TAG=9\nEMPTY=\nOUTER=inner\n# no\n",
    },
    env: { OUTER: "outer", GIVEN: "yes" },
  },
  {
    what: "two files over one another",
    files: {
      "compose.yaml": `version: "3.9"
services:
  web:
    image: app:1
    command: sh -c 'echo "a b"'
    environment: [A=1, B=1, C=x=y]
    ports: ["8080:80", "9000-9001:9000-9001/udp"]
    expose: [3000]
    volumes: ["./a:/a", "data:/data:ro", "/anon"]
    depends_on: [db]
    healthcheck: {test: ["CMD", "x", "y"], interval: 1m30s, retries: 2}
    cap_add: [SYS_TIME]
    tmpfs: /run
  db: {image: postgres, restart: unless-stopped}
volumes: {data: {}, other: {}}
`,
      "over.yaml": `version: "3.9"
services:
  web:
    image: app:2
    entrypoint: /run.sh -v
    environment: {B: "2"}
    ports: ["8443:443"]
    volumes: ["other:/data"]
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    user: "1000:1000"
    working_dir: /app
    read_only: true
    privileged: true
    restart: on-failure:3
    healthcheck: {test: curl x}
  extra: {image: extra, command: ["a", "b c"], entrypoint: ["x"]}
`,
    },
    paths: ["compose.yaml", "over.yaml"],
  },
  {
    what: "anchors, merge keys and extensions",
    files: {
      "compose.yaml": `x-base: &base
  image: app
  environment: &env {A: "1", B: "1"}
services:
  one:
    <<: *base
    environment: {<<: *env, B: "2"}
  two: *base
`,
    },
  },
  {
    what: "extends, of the file and of another folder",
    files: {
      "compose.yaml": `version: "2.4"
services:
  web:
    extends: {file: base/compose.yaml, service: app}
    environment: {B: web}
  worker:
    extends: {service: web}
    command: work
`,
      "base/compose.yaml": `version: "2.4"
services:
  app:
    build: {context: ./app, dockerfile: ../Dockerfile.app, target: dev, args: {X: "1"}}
    env_file: base.env
    environment: [A=app, B=app]
    volumes: ["./data:/data"]
`,
      "base/base.env": "FILE=base\nA=file\n",
      "base/app/main.txt": "",
      "base/Dockerfile.app": "FROM scratch\n",
    },
  },
  {
    what: "env files, the later over the earlier",
    files: {
      "compose.yaml": `services:
  web:
    image: app
    env_file: [a.env, b.env]
    environment: {OWN: own}
`,
      "a.env": "A=1\nOWN=file\nBOTH=a\nexport E=2\nQ='x y'\nD=\"x # y\"\nC=v # no\n",
      "b.env": "BOTH=b\n\n",
    },
  },
  {
    what: "builds, conditions, limits, numbers",
    files: {
      "compose.yaml": `services:
  web:
    build: .
    depends_on:
      db: {condition: service_healthy}
      job: {condition: service_completed_successfully}
    deploy: {replicas: 2, resources: {limits: {memory: 1g, cpus: "0.5"}}}
  db:
    image: postgres
    healthcheck: {test: pg_isready, interval: 5s}
    mem_limit: 1.5g
    cpus: 0.25
  job: {build: {context: ./job, args: [A=1, B]}, scale: 3}
`,
      Dockerfile: "FROM scratch\n",
      "job/Dockerfile": "FROM scratch\n",
    },
  },
  {
    what: "names, networks, secrets and configs",
    files: {
      "compose.yaml": `services:
  web:
    image: app
    container_name: shop
    hostname: www
    networks: {front: {aliases: [site]}, back: }
    secrets: [one, {source: two, target: second}]
    configs: [{source: conf, target: /etc/app.conf}]
  db: {image: postgres, networks: [back]}
networks: {front: {}, back: {internal: true}}
secrets: {one: {file: ./one.txt}, two: {file: ./two.txt}}
configs: {conf: {file: ./conf/app.conf}}
`,
    },
  },
  {
    what: "long forms of ports and mounts",
    files: {
      "compose.yaml": `version: "3.9"
services:
  web:
    image: app
    ports:
      - {target: 80, published: 8080, protocol: tcp, mode: host}
      - {target: 53, protocol: udp}
    volumes:
      - {type: volume, source: data, target: /data, read_only: true}
      - {type: bind, source: ./conf, target: /conf}
      - {type: bind, source: /etc/ssl, target: /ssl}
      - {type: volume, target: /anon}
volumes: {data: {}}
`,
    },
  },
];
