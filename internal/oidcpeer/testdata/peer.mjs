// Runs oidc-provider on a free port of loopback, as the file says that is given:
// clients, accounts, TLS. It says where once it listens, and ends with its input,
// so that it outlives no test.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTLSServer } from 'node:https';
import { lookup } from 'node:dns';
import Provider from 'oidc-provider';

const options = JSON.parse(readFileSync(process.argv[2], 'utf8'));
process.stdin.resume().on('end', () => process.exit(0));

const key = (alg, kind, details) => ({
  ...generateKeyPairSync(kind, details).privateKey.export({ format: 'jwk' }), alg, use: 'sig',
});

const account = (id) => options.accounts[id] && {
  accountId: id,
  claims: () => ({ sub: id, ...options.accounts[id] }),
};

const configuration = {
  clients: options.clients,
  findAccount: (_, id) => account(id),
  jwks: { keys: [key('RS256', 'rsa', { modulusLength: 2048 }), key('ES256', 'ec', { namedCurve: 'P-256' })] },
  cookies: { keys: [options.cookieKey] },
  scopes: ['openid', 'offline_access'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups', 'roles'],
  },
  conformIdTokenClaims: !options.claimsInIDToken,
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: Boolean(options.api),
      defaultResource: () => options.api || undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, audience) => ({
        audience, scope: options.apiScopes, accessTokenFormat: 'jwt',
      }),
    },
  },
  ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600,
    RefreshToken: 86400, Session: 86400, ClientCredentials: 600 },
  // Every name is this machine: the hosts that tests serve are in no DNS.
  httpOptions: () => ({
    dnsLookup: (_, rest, done) => lookup('127.0.0.1', rest, done),
  }),
};
if (options.alwaysRefresh) {
  configuration.issueRefreshToken = (_, client) => client.grantTypeAllowed('refresh_token');
}

const server = options.tls
  ? createTLSServer({ key: options.tls.key, cert: options.tls.certificate })
  : createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `${options.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  for (const event of ['server_error', 'authorization.error', 'grant.error', 'end_session.error',
    'userinfo.error', 'backchannel.error', 'jwks.error', 'discovery.error']) {
    provider.on(event, (_, error, ...rest) => console.error(event, error, ...rest.slice(0, 1)));
  }
  server.on('request', provider.callback());
  console.log(`ready ${issuer}`);
});
