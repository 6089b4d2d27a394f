// configurable-http-proxy with one thing added: connections to unix sockets are kept alive.
//
// Version 5.3 gives them no agent, so each request says "Connection: close"; when the other side
// answers and closes before Node has ended the request's body, Node fails with "write EPIPE" and
// the person reads 503. Seen at one in six refused POSTs. `tools/node.sh` copies this file beside
// the proxy's modules.
import http from "node:http";

import ConfigurableProxy from "configurable-http-proxy";

const agent = new http.Agent({ keepAlive: true });
const stock = ConfigurableProxy.prototype.proxyOptsForTarget;

ConfigurableProxy.prototype.proxyOptsForTarget = function (target) {
  const options = stock.call(this, target);
  if (options.target.socketPath) options.agent = agent;
  return options;
};

await import("configurable-http-proxy/bin/configurable-http-proxy");
