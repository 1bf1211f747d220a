#!/.oneloop/bin/sh
# The git of images that have none. The image's LD_PRELOAD is for the image's own C library.
unset LD_PRELOAD
export GIT_EXEC_PATH=/.oneloop/libexec/git-core
export GIT_TEMPLATE_DIR=/.oneloop/share/git-templates
: "${GIT_SSL_CAINFO:=/.oneloop/etc/ca-certificates.crt}"
: "${PATH:=/.oneloop/bin}"
export GIT_SSL_CAINFO PATH
exec "/.oneloop/libexec/git-core/${0##*/}" "$@"
