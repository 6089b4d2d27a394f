// configurable-http-proxy with three things added. `tools/node.sh` copies this file beside the
// proxy's modules.
//
// Connections to unix sockets are kept alive.
// Version 5.3 gives them no agent, so each request says "Connection: close"; when the other side
// answers and closes before Node has ended the request's body, Node fails with "write EPIPE" and
// the person reads 503. Seen at one in six refused POSTs.
//
// Nobody says who he is: the hub believes X-Real-IP more than all else (tornado 6.5), and a browser
// can send it. X-Forwarded-For is left, to which each proxy adds whom it sees.
//
// A proxy that was started anew has no routes until the hub gives them: that nothing is there yet
// is 503, which a browser tries again, and not 404.
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

const add = ConfigurableProxy.prototype.addRoute;
const fail = ConfigurableProxy.prototype.handleProxyError;

ConfigurableProxy.prototype.addRoute = function (...route) {
  this.hasRoutes = true;
  return add.apply(this, route);
};

ConfigurableProxy.prototype.handleProxyError = function (code, ...rest) {
  return fail.call(this, code === 404 && !this.hasRoutes ? 503 : code, ...rest);
};

await import("configurable-http-proxy/bin/configurable-http-proxy");
