#!/bin/sh
# Fetches, builds and fills the Keycloak that the tests start, once; later calls do nothing.
# Without it the tests go on: each of its own is listed as skipped.
set -u
log=$(mktemp)
if timeout 300 bash tests/authenticator/keycloak/start-keycloak.sh prepare >"$log" 2>&1; then
    rm -f "$log"
else
    echo "Keycloak could not be fetched from Maven Central and set up, so its tests will be skipped: see $log"
fi
