// A provider of OpenID Connect on loopback. Its first line of output is its issuer; each line `rotate` makes new keys.
// Who signs in is named by `login_hint`; what is said of somebody stands in the file that is the first argument.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

console.info = console.warn = console.error; // what the library has to say is for the log
const { accounts, clients } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const CLAIMS = { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username", "groups"] };

function key() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" };
}

function provider(issuer) {
  const made = new Provider(issuer, {
    clients,
    claims: CLAIMS,
    jwks: { keys: [key()] },
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  });
  made.on("server_error", (_, error) => console.error(error));
  return made;
}

async function interact(current, request, response) {
  const { prompt, params, session } = await current.interactionDetails(request, response);
  if (prompt.name === "login") {
    const result = accounts[params.login_hint]
      ? { login: { accountId: params.login_hint } }
      : { error: "access_denied", error_description: "nobody" };
    return current.interactionFinished(request, response, result);
  }
  const grant = new current.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  return current.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let current = provider(issuer);
  server.on("request", (request, response) => {
    if (!request.url.startsWith("/interaction/")) return current.callback()(request, response);
    return interact(current, request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
  createInterface({ input: process.stdin }).on("line", () => {
    current = provider(issuer);
    console.log("rotated");
  }).on("close", () => process.exit(0));
  console.log(issuer);
});
