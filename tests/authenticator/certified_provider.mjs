// npm's oidc-provider, which is certified: an implementation that is not ours, for real logins.
// Started by test_certified_provider.py; says on standard output, one line each, what it granted.
import { pathToFileURL } from "node:url";

const [library, port, redirectUri, tokenSeconds] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(library));

const people = {
  alice: { preferred_username: "alice", name: "Alice", groups: ["users"] },
  nameless: { name: "Nobody" },
  bob: { preferred_username: ["bob"], name: "Bob", groups: [] },
};
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "hub",
    client_secret: "secret-of-the-hub",
    redirect_uris: [redirectUri],
    post_logout_redirect_uris: [new URL("/hub/signed-out", redirectUri).href],
    backchannel_logout_uri: redirectUri.replace(/callback$/, "backchannel"),
    backchannel_logout_session_required: true,
    grant_types: ["authorization_code", "refresh_token"],
  }],
  claims: { openid: ["sub"], profile: ["preferred_username", "name", "groups"] },
  scopes: ["openid", "profile", "offline_access"],
  findAccount: (_context, id) => people[id] && {
    accountId: id,
    claims: () => ({ sub: `person-${id}`, ...people[id] }),
  },
  clockTolerance: 0,
  features: { backchannelLogout: { enabled: true } },
  // Its guard against requests into the house would keep it from a hub on this machine.
  fetch: (url, options) => { delete options.dispatcher; return globalThis.fetch(url, options); },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: () => true,
  ttl: { AccessToken: Number(tokenSeconds), IdToken: 300, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600 },
  cookies: { names: { session: `op${port}`, interaction: `opi${port}`, resume: `opr${port}` } },
  // Nobody is asked to consent: the hub is the facility's own.
  loadExistingGrant: async (context) => {
    const grant = new provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope("openid profile");
    await grant.save();
    return grant;
  },
});
for (const event of ["grant.success", "grant.error"]) {
  provider.on(event, (context, error) =>
    console.log(`${event} ${context.oidc.params?.grant_type} ${error?.error ?? ""}`.trim()));
}
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
