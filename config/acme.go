package config

// ACME says who issues certificates for the hosts of routes that neither a file nor
// the internal CA covers.
type ACME struct {
	// Where the CA writes to before certificates end. Empty: nowhere.
	Email string `toml:"email"`
	// The directory URL of the CA.
	Directory string `toml:"directory" default:"https://acme-v02.api.letsencrypt.org/directory"`
	// PEM file with the CAs to trust in place of the system's, for a CA of one's own.
	CAFile string `toml:"ca_file" is:"path"`
	// How hosts are shown to be ours: "tls-alpn-01" (port 443), "http-01" (port 80),
	// "dns-01" (needs [tls.acme.dns]; the only one for wildcards).
	Challenges []string `toml:"challenges" shows:"tls-alpn-01 and http-01; with dns, dns-01"`
	// The kind of key that certificates get.
	KeyType string `toml:"key_type" default:"p256" enum:"p256,p384,rsa2048,rsa4096"`
	// Orders that may begin in ten minutes. A loop of restarts stops here, before the CA
	// says no for a week.
	Orders Count `toml:"orders" default:"10" min:"1" max:"1000"`
	// The account at the CA that ours belongs to, if it wants one.
	ExternalAccount *ExternalAccount `toml:"external_account"`
	// Another CA, for when the first one does not issue.
	Fallback *ACMEFallback `toml:"fallback"`
	// Who serves the DNS, for dns-01.
	DNS *ACMEDNS `toml:"dns"`
}

// ExternalAccount is an account at a CA that was made elsewhere (RFC 8555, section
// 7.3.4).
type ExternalAccount struct {
	// The key id that the CA gave.
	KeyID string `toml:"key_id"`
	// The HMAC key that it gave with it, as it gave it (base64url).
	HMACKey Secret `toml:"hmac_key"`
}

// ACMEFallback is a second CA.
type ACMEFallback struct {
	// The directory URL of the CA.
	Directory string `toml:"directory"`
	// PEM file with the CAs to trust in place of the system's.
	CAFile string `toml:"ca_file" is:"path"`
	// The account at this CA that ours belongs to, if it wants one.
	ExternalAccount *ExternalAccount `toml:"external_account"`
}

// ACMEDNS says who serves the zones of the hosts, and how records are written there.
type ACMEDNS struct {
	// Who serves the zones; its keys stand in the table of that name. rfc2136 is any
	// server that takes dynamic updates.
	Provider string `toml:"provider" enum:"azure,cloudflare,route53,rfc2136"`
	// Azure DNS.
	Azure *AzureDNS `toml:"azure"`
	// Cloudflare.
	Cloudflare *CloudflareDNS `toml:"cloudflare"`
	// Amazon Route 53.
	Route53 *Route53DNS `toml:"route53"`
	// Dynamic updates, as BIND, Knot and PowerDNS take them.
	RFC2136 *RFC2136DNS `toml:"rfc2136"`
	// Who is asked whether a record has arrived, "192.0.2.53:53". Empty: the system's
	// resolvers, then the zone's own servers.
	Resolvers []string `toml:"resolvers"`
	// How long a record may take to arrive.
	Propagation Duration `toml:"propagation" default:"2m"`
	// The record is written where CNAME records of its name lead to, so that no rights
	// in the zone of the host are needed.
	FollowCNAME bool `toml:"follow_cname" default:"false"`
}

// AzureDNS is access to zones in Azure. Who uses it needs the role "DNS Zone
// Contributor".
type AzureDNS struct {
	// The subscription that the zone is in.
	SubscriptionID string `toml:"subscription_id"`
	// The resource group that the zone is in.
	ResourceGroup string `toml:"resource_group"`
	// The tenant of the application.
	TenantID string `toml:"tenant_id"`
	// The application; for the identity of this machine, which one if there are several.
	ClientID string `toml:"client_id"`
	// The application's secret. Without it and token_file: the identity of this machine.
	ClientSecret Secret `toml:"client_secret"`
	// A file with a token that stands for the secret, read at each use: workload
	// identity, as in Kubernetes.
	TokenFile string `toml:"token_file" is:"path"`
}

// CloudflareDNS is access to zones at Cloudflare.
type CloudflareDNS struct {
	// An API token with the right Zone.DNS:Edit.
	Token Secret `toml:"token"`
	// A token with the right Zone:Read, if the first one has it not.
	ZoneToken Secret `toml:"zone_token"`
}

// Route53DNS is access to zones at Amazon Route 53.
type Route53DNS struct {
	// The access key of a user that may list zones and change records.
	AccessKeyID string `toml:"access_key_id"`
	// Its secret.
	SecretAccessKey Secret `toml:"secret_access_key"`
	// The zone. Empty: it is looked up by its name.
	HostedZoneID string `toml:"hosted_zone_id"`
}

// RFC2136DNS is a server that takes dynamic updates signed with TSIG (RFC 8945).
type RFC2136DNS struct {
	// The server: "ns1.example.com" or "192.0.2.1:53".
	Server string `toml:"server"`
	// The name of the key.
	KeyName string `toml:"key_name"`
	// Its algorithm.
	KeyAlgorithm string `toml:"key_algorithm" default:"hmac-sha256" enum:"hmac-sha256,hmac-sha384,hmac-sha512,hmac-sha1"`
	// The key, in base64.
	Key Secret `toml:"key"`
}
