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

# Makes a virtual environment in which EXTRAS of this project are installed, and all packages of
# another one, BASE, can be imported, but for those that the extras need in another version.
#
#   environment_beside FOLDER BASE EXTRAS

environment_beside() {
    local folder=$1 base=$2 extras=$3 wanted
    wanted="$PWD $extras $(cat "$base/installed")"
    if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
        rm -rf "$folder"
        "$base/bin/python" -m venv --without-pip "$folder"
        echo "import site; site.addsitedir('$(packages_of "$base")')" \
            >"$(packages_of "$folder")/beside.pth"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
            "keras-disentangle[$extras]"
        echo "$wanted" >"$folder/installed"
    fi
}

# The folder of an environment's packages.
packages_of() {
    "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
}
