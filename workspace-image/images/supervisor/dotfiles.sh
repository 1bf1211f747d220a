#!/.oneloop/bin/sh
# oneloop-dotfiles URL [SECONDS]: brings a person's dotfiles into $HOME/.dotfiles and runs what
# installs them; where there is no such program, links them into $HOME. All of it has SECONDS (300).
# Exits 0 where it is done or was done before; otherwise 1 (2 for wrong usage), with a sentence.
set -u
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}:/.oneloop/bin
export PATH

fail() {
  printf 'oneloop-dotfiles: %s\n' "$1" >&2
  exit 1
}

# --- the work, in a session of its own (see below)

install_with() { # install_with FILE, in the folder of the dotfiles
  printf 'Running %s\n' "$1"
  if [ -x "$1" ]; then "./$1" < /dev/null; else sh "./$1" < /dev/null; fi || {
    status=$?
    fail "$1 of the dotfiles failed with status $status."
  }
}

link() { # link NAME: false where it could not
  target=$HOME/$1
  if [ "$(readlink "$target")" = ".dotfiles/$1" ]; then return 0; fi
  if [ -e "$target" ] || [ -L "$target" ]; then
    kept=$target.before-dotfiles
    if [ -e "$kept" ] || [ -L "$kept" ]; then
      printf '%s and %s are there already: left alone\n' "$target" "$kept" >&2
      return 1
    fi
    mv "$target" "$kept" || return 1
    printf 'Kept %s as %s\n' "$target" "$kept"
  fi
  ln -s ".dotfiles/$1" "$target" || return 1
  printf 'Linked %s\n' "$target"
}

work() { # work URL
  folder=$HOME/.dotfiles
  # Cloned beside and moved: what was cut off in the middle is no dotfiles.
  part=$HOME/.dotfiles.part
  rm -rf "$part"
  printf 'Cloning %s\n' "$1"
  # Nobody is there to be asked.
  GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -o BatchMode=yes}" \
    git clone -q --depth 1 -- "$1" "$part" < /dev/null || {
    rm -rf "$part"
    fail "the dotfiles could not be cloned. Is the address right, and may you read it?"
  }
  mv "$part" "$folder" || fail "$folder could not be made."
  cd "$folder" || fail "$folder cannot be entered."
  for file in install.sh install bootstrap.sh bootstrap setup.sh setup; do
    if [ -f "$file" ]; then
      install_with "$file"
      return
    fi
  done
  missing=0
  for path in .[!.]* ..?*; do
    case $path in
      # Of the repository, and of Oneloop's own in the home folder.
      .git | .gitignore | .gitmodules | .github | .oneloop | .dotfiles | .dotfiles.part) continue ;;
    esac
    if [ -e "$path" ] || [ -L "$path" ]; then link "$path" || missing=1; fi
  done
  if [ $missing != 0 ]; then fail "some dotfiles could not be linked: see above."; fi
}

if [ "${1:-}" = --work ]; then
  work "$2"
  printf 'The dotfiles are in place.\n'
  exit 0
fi

# --- the watch over it

url=${1:-}
seconds=${2:-300}
if [ -z "$url" ] || [ $# -gt 2 ]; then
  printf 'Usage: oneloop-dotfiles URL [SECONDS]\n' >&2
  exit 2
fi
if [ -z "${HOME:-}" ]; then fail "HOME is not set."; fi
if [ -e "$HOME/.dotfiles" ] || [ -L "$HOME/.dotfiles" ]; then
  printf '%s is there already: nothing to do. Remove it to have it made again.\n' "$HOME/.dotfiles"
  exit 0
fi

# timeout ends one process, and the clone and the installation are many: they get a session, so that
# all of it can be ended. Both of these become the worker, which keeps their process id. (The image's
# own timeout would not.)
/.oneloop/bin/setsid /.oneloop/bin/timeout "$seconds" "$0" --work "$url" &
worker=$!
end_all() {
  kill -TERM -- "-$worker" 2> /dev/null
  # So that git can remove what it has of a clone.
  sleep 1
  kill -KILL -- "-$worker" 2> /dev/null
}
trap 'end_all; exit 1' HUP INT TERM
wait "$worker"
status=$?
# 128 + TERM: this is how timeout ends it.
if [ $status = 143 ]; then
  end_all
  fail "the dotfiles took longer than $seconds s, and were ended."
fi
exit $status
