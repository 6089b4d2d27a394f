#!/bin/sh
# Installs the Debian packages named in $PACKAGES when it may; otherwise prints the line to run.
# A package that brings a service, such as nginx, does not start it: the tests start their own.
set -eu
missing=""
for package in $PACKAGES; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || status=""
    [ "$status" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
install="apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "Some Debian packages are missing. Run this line, then try again:"
    echo "  sudo $install"
    exit 1
fi
echo "Installing Debian packages:$missing" | cut -c 1-100
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 0755 $policy
    trap '$as_root rm -f $policy' EXIT
fi
if ! { $as_root apt-get update -qq && $as_root $install; } >"$log" 2>&1; then
    tail -n 5 "$log"
    echo "The packages could not be installed. Run this line to see why:"
    echo "  sudo $install"
    exit 1
fi
rm -f "$log"
