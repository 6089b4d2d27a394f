#!/bin/sh
# debian-base.sh FILE makes a tar of the root file system that `debian:bookworm-slim` stands for, by
# debootstrap, for a house without a registry: the smallest Debian 12 with its security updates, and
# without manuals. images.py calls it. The same packages give the same bytes.
set -eu
mirror=${DAAS_DEBIAN_MIRROR:-http://deb.debian.org}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
debootstrap --variant=minbase bookworm "$root" "$mirror/debian" >"$work/log" 2>&1 || {
    tail -n 3 "$work/log" >&2
    exit 1
}

rm -f "$root/etc/apt/sources.list"
for place in "debian|bookworm bookworm-updates" "debian-security|bookworm-security"; do
    printf 'Types: deb\nURIs: %s/%s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' "$mirror" \
        "${place%|*}" "${place#*|}" /usr/share/keyrings/debian-archive-keyring.gpg
done >"$root/etc/apt/sources.list.d/debian.sources"

# No manuals and no translations, now or when something is installed; licences stay.
cat >"$root/etc/dpkg/dpkg.cfg.d/docker" <<'END'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
END
cat >"$root/etc/apt/apt.conf.d/docker" <<'END'
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Apt::AutoRemove::SuggestsImportant "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
END
# An engine's build has no init: nothing that is installed may start a service.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"

for command in "apt-get -qq update" "apt-get -qq --yes dist-upgrade" "apt-get clean"; do
    DEBIAN_FRONTEND=noninteractive chroot "$root" $command >"$work/log" 2>&1 || {
        tail -n 3 "$work/log" >&2
        exit 1
    }
done
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share/doc" -type l ! -name copyright -delete
find "$root/usr/share/doc" -depth -type d -empty -delete
for place in usr/share/info usr/share/lintian usr/share/locale usr/share/man var/lib/apt/lists \
    var/cache/apt var/cache/debconf tmp; do
    find "$root/$place" -mindepth 1 -delete 2>/dev/null || true
done
find "$root/var/log" -type f -delete
rm -f "$root/var/cache/ldconfig/aux-cache" "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial"

tar --create --file "$1" --directory "$root" --sort=name --numeric-owner \
    --mtime="@${SOURCE_DATE_EPOCH:-0}" --clamp-mtime .
