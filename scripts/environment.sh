# Makes and enters a virtual environment in the clone; sourced by demo.sh and test.sh.
#
#   environment FOLDER EXTRAS [PACKAGE ...]
#
# A stamp, written last, holds what was installed: an interrupted or outdated set-up is done again,
# a finished one costs nothing.

environment() {
    local folder=$1 extras=$2
    shift 2
    local wanted
    wanted="$PWD $extras $* $(cksum <pyproject.toml) $("${PYTHON:-python3}" --version)"
    if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
        echo "Setting up $folder (about a minute) ..."
        "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
            echo "Python 3.11 or later is needed; name another one with PYTHON=..." >&2
            return 1
        }
        rm -rf "$folder"
        "${PYTHON:-python3}" -m venv "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check -e ".[$extras]" "$@"
        echo "$wanted" >"$folder/installed"
    fi
    PATH="$PWD/$folder/bin:$PATH"
    export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-3}"
}
