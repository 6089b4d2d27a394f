// Starts the proxy with the words that the hub gives a proxy of its own, from the hub's variables:
// DAAS_URL, DAAS_HOSTING and DAAS_RUN. CONFIGPROXY_AUTH_TOKEN is read by the proxy itself.
import { rmSync } from "node:fs";

const run = process.env.DAAS_RUN ?? "/run/daas";
const listen = new URL(process.env.DAAS_URL ?? "http://127.0.0.1:8000/");
const hub = `http+unix://${encodeURIComponent(`${run}/hub/hub.sock`)}${listen.pathname}hub/error`;

const api = `${run}/proxy.sock`;

rmSync(api, { force: true }); // of a proxy that was killed
process.argv.push("--ip", listen.hostname, "--port", listen.port || "80");
process.argv.push("--api-socket", api, "--error-target", hub);
if ((process.env.DAAS_HOSTING ?? "subdomains") === "subdomains") process.argv.push("--host-routing");

await import("./proxy.mjs");
