#!/.oneloop/bin/sh
# OpenSSH's sftp-server. The image's LD_PRELOAD is for the image's own C library.
unset LD_PRELOAD
mount=/.oneloop

# It refuses a user without a passwd entry, which is what most images with a numeric user have.
has_entry() {
  [ -r /etc/passwd ] || return 1
  while IFS=: read -r _ _ entry _; do
    [ "$entry" = "$1" ] && return 0
  done < /etc/passwd
  return 1
}

uid=$($mount/bin/id -u)
if ! has_entry "$uid"; then
  accounts=$mount/run/sftp-accounts
  # Written beside and moved: another sftp-server may be reading.
  new=$accounts.$$
  printf 'user:x:%s:%s::%s:/bin/sh\n' "$uid" "$($mount/bin/id -g)" "${HOME:-/}" > $new
  $mount/bin/mv $new $accounts
  export NSS_WRAPPER_PASSWD=$accounts NSS_WRAPPER_GROUP=/dev/null
  export LD_PRELOAD=$mount/lib/libnss_wrapper.so
fi
exec $mount/libexec/sftp-server.bin "$@"
