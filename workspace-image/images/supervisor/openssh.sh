#!/.oneloop/bin/sh
# OpenSSH's sftp-server or scp, by the name that this is called by. The image's LD_PRELOAD is for the
# image's own C library.
unset LD_PRELOAD
mount=/.oneloop

# Both refuse a user without a passwd entry, which is what most images with a numeric user have.
has_entry() {
  [ -r /etc/passwd ] || return 1
  while IFS=: read -r _ _ entry _; do
    [ "$entry" = "$1" ] && return 0
  done < /etc/passwd
  return 1
}

uid=$($mount/bin/id -u)
if ! has_entry "$uid"; then
  accounts=$mount/run/accounts
  # Written beside and moved: another may be reading.
  new=$accounts.$$
  printf 'user:x:%s:%s::%s:/bin/sh\n' "$uid" "$($mount/bin/id -g)" "${HOME:-/}" > $new
  $mount/bin/mv $new $accounts
  export NSS_WRAPPER_PASSWD=$accounts NSS_WRAPPER_GROUP=/dev/null
  export LD_PRELOAD=$mount/lib/libnss_wrapper.so
fi
# As everywhere, what a client names is in the home folder; commands start in the repository's.
if [ "${0##*/}" = sftp-server ]; then cd "${HOME:-/}" || cd /; fi
exec "$mount/libexec/${0##*/}.bin" "$@"
