// Starts the proxy with the words that the hub gives a proxy of its own, from the hub's variables:
// DAAS_URL, DAAS_HOSTING and DAAS_RUN, or in a cluster DAAS_HUB_CONNECT, and the address on which
// the API listens, DAAS_PROXY_API. CONFIGPROXY_AUTH_TOKEN is read by the proxy itself.
import { rmSync } from "node:fs";

const run = process.env.DAAS_RUN ?? "/run/daas";
const listen = new URL(process.env.DAAS_URL ?? "http://127.0.0.1:8000/");
const words = ["--port", listen.port || "80"];
let hub = `http+unix://${encodeURIComponent(`${run}/hub/hub.sock`)}`;

if (process.env.DAAS_PROXY_API) {
  // A network is not private, as a folder is.
  if (!process.env.CONFIGPROXY_AUTH_TOKEN) {
    console.error("CONFIGPROXY_AUTH_TOKEN must be set: who reaches the proxy's API leads people anywhere.");
    process.exit(1);
  }
  hub = process.env.DAAS_HUB_CONNECT.replace(/\/$/, "");
  // Empty: all addresses, of both kinds.
  words.push("--ip=", "--api-ip=", "--api-port", new URL(process.env.DAAS_PROXY_API).port);
} else {
  const api = `${run}/proxy.sock`;
  rmSync(api, { force: true }); // of a proxy that was killed
  words.push("--ip", listen.hostname, "--api-socket", api);
}
words.push("--error-target", `${hub}${listen.pathname}hub/error`);
if ((process.env.DAAS_HOSTING ?? "subdomains") === "subdomains") words.push("--host-routing");

process.argv.push(...words);
await import("./proxy.mjs");
