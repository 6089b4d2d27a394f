#!/bin/sh
# pip.sh ENVIRONMENT ARGUMENT… installs into a virtual environment, quietly; what went wrong is said
# in a few lines and stands whole in ENVIRONMENT/pip.log.
set -eu
environment=$1
shift
log=$environment/pip.log
if ! "$environment/bin/python" -m pip install --disable-pip-version-check --no-input "$@" >"$log" 2>&1; then
    grep -iE "^ *(error|fatal)" "$log" | tail -n 4 | cut -c 1-200
    echo "Python packages could not be installed into $environment. All that pip said is in $log."
    exit 1
fi
