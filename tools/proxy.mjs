// configurable-http-proxy with two things added. `tools/node.sh` copies this file beside the
// proxy's modules.
//
// Connections to unix sockets are kept alive.
// Version 5.3 gives them no agent, so each request says "Connection: close"; when the other side
// answers and closes before Node has ended the request's body, Node fails with "write EPIPE" and
// the person reads 503. Seen at one in six refused POSTs.
//
// Nobody says who he is: the hub believes X-Real-IP more than all else (tornado 6.5), and a browser
// can send it. X-Forwarded-For is left, to which each proxy adds whom it sees.
import http from "node:http";

import ConfigurableProxy from "configurable-http-proxy";

const agent = new http.Agent({ keepAlive: true });
const stock = ConfigurableProxy.prototype.proxyOptsForTarget;

ConfigurableProxy.prototype.proxyOptsForTarget = function (target) {
  const options = stock.call(this, target);
  if (options.target.socketPath) options.agent = agent;
  return options;
};

const handle = ConfigurableProxy.prototype.handleProxy;

ConfigurableProxy.prototype.handleProxy = function (kind, req, ...rest) {
  delete req.headers["x-real-ip"];
  return handle.call(this, kind, req, ...rest);
};

await import("configurable-http-proxy/bin/configurable-http-proxy");
