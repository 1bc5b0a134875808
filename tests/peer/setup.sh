#!/bin/bash
# Installs the peer of `make bench-gateway` into a virtual environment of its own: setup.sh DIR.
# Nothing outside DIR is touched, and a second call does nothing.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
directory="${1:-}"
[ -n "$directory" ] || { echo "usage: setup.sh DIR" >&2; exit 2; }

fail() { echo "the peer can't be set up: $1" >&2; exit 1; }

if [ -x "$directory/bin/litellm" ] && cmp -s "$here/requirements.txt" "$directory/requirements.txt"; then
  echo "the peer is installed in $directory"
  exit 0
fi

command -v python3 >/dev/null || fail "python3 is missing (3.10 or newer)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "python3 is older than 3.10"
python3 -c 'import venv, ensurepip' 2>/dev/null || fail "python3 has no venv (Debian: apt-get install python3-venv)"

echo "installing $(grep -v '^#' "$here/requirements.txt" | tr '\n' ' ')into $directory (about 120 packages, 750 MB, 3 minutes)"
python3 -m venv "$directory" 2>/dev/null || fail "no virtual environment could be made in $directory"
log="$directory/install.log"
timeout 900 "$directory/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >"$log" 2>&1 \
  || fail "pip could not install requirements.txt; see $log"
# It comes along under another licence than the rest (README.md), and the proxy runs without it.
"$directory/bin/pip" uninstall --quiet --yes --disable-pip-version-check litellm-enterprise >>"$log" 2>&1 \
  || fail "pip could not remove litellm-enterprise; see $log"
[ -x "$directory/bin/litellm" ] || fail "the package brought no command litellm"
cp "$here/requirements.txt" "$directory/requirements.txt"
echo "the peer is installed in $directory"
