#!/.oneloop/bin/sh
# loop and git-credential-oneloop. Of the environment they need one variable: what the image or the
# person has set for node or the loader is for other programs.
mount=/.oneloop
exec $mount/bin/env -i ONELOOP_SOCKET="${ONELOOP_SOCKET:-}" \
  $mount/bin/node $mount/lib/supervisor/client.js "${0##*/}" "$@"
