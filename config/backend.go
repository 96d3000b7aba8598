package config

// Backend is a named set of servers and the rules for talking to them. After Load
// those of ServerURLs are in Servers as well.
type Backend struct {
	// Name is the NAME of [backends.NAME].
	Name string `toml:"-"`

	// A line for people, shown with the statistics.
	Description string `toml:"description"`
	// How requests are shared out: in turn, to whom has the fewest, to the better of
	// two at random, to the first with room, or by a hash of the client's address, of
	// the path without the query, of a field, or of who is signed in.
	Balance Selector `toml:"balance" default:"roundrobin" enum:"roundrobin,leastconn,random,first,source,uri,header:NAME,user"`
	// Requests that may wait for a server; more get 503 at once. 0: no limit.
	QueueLimit Count `toml:"queue_limit" default:"10k"`
	// A server that comes back gets its share little by little over this time.
	SlowStart Delay `toml:"slow_start" default:"0s"`
	// What becomes of tunnels (WebSockets) to a server that goes down or into
	// maintenance.
	OnDown string `toml:"on_down" haproxy:"on-marked-down" default:"keep" enum:"keep,close"`
	// When no other server is left, all backup servers are used, not the first alone.
	UseAllBackups bool `toml:"use_all_backups" haproxy:"allbackups" default:"false"`
	// The page, with 503, while all servers are in maintenance.
	MaintenancePage string `toml:"maintenance_page" is:"path" shows:"a short page of Doorward's own"`
	// How servers are watched. Without this table they are not.
	Check *Check `toml:"check" haproxy:"httpchk"`
	// Clients come back to the server they had, by a table that Doorward keeps.
	Stick *Stick `toml:"stick" haproxy:"stick-table"`
	// Clients come back to the server they had, by a cookie. It is asked first.
	Cookie *Cookie `toml:"cookie"`
	// Timeouts of this backend. What is not given is as in [timeouts].
	Timeouts BackendTimeouts `toml:"timeouts"`
	// Connections to servers are kept for the next request. With false every
	// request has its own, as with HAProxy's option http-server-close.
	ServerKeepAlive bool `toml:"server_keep_alive" default:"true"`
	// Servers with https:// speak HTTP/2, and those on a Unix socket do so without TLS.
	// Servers with h2c:// always do. gRPC needs it; WebSockets cannot pass there.
	HTTP2 bool `toml:"http2" haproxy:"alpn,proto" default:"false"`
	// How servers with https:// are verified.
	TLS BackendTLS `toml:"tls"`
	// Further attempts after the first one failed.
	Retries int `toml:"retries" default:"3" min:"0" max:"10"`
	// What is retried: "connect", "empty-response", "response-timeout" and the
	// status codes 401 403 404 408 421 425 429 500 501 502 503 504. A request that
	// may have had an effect is never repeated.
	RetryOn []string `toml:"retry_on" default:"connect" is:"word" enum:"connect,empty-response,response-timeout,401,403,404,408,421,425,429,500,501,502,503,504"`
	// Retries go to another server at once, if there is one. With false they wait a
	// second (or timeouts.connect, if less) and stay with the server.
	Redispatch bool `toml:"redispatch" default:"true"`
	// Servers by URL alone; their names are their addresses.
	ServerURLs []string `toml:"servers"`
	// Servers with settings of their own, in place of servers.
	Servers []Server `toml:"server"`
}

// BackendTimeouts override [timeouts] for one backend. After Load none is zero.
type BackendTimeouts struct {
	// To connect to a server, TLS included.
	Connect Duration `toml:"connect" shows:"timeouts.connect"`
	// Silence of a server.
	Server Duration `toml:"server" shows:"timeouts.server"`
	// Wait for a server that is at max_connections.
	Queue Duration `toml:"queue" shows:"timeouts.queue"`
	// Silence in both directions after an upgrade.
	Tunnel Duration `toml:"tunnel" shows:"timeouts.tunnel"`
}

// BackendTLS says how https:// servers are verified. The zero value of every
// field but Verify is "not given".
type BackendTLS struct {
	// The certificate must be valid. False trusts whoever answers.
	Verify bool `toml:"verify" default:"true"`
	// PEM file with the CAs to trust in place of the system's.
	CAFile string `toml:"ca_file" is:"path"`
	// SHA-256 of the server's public key (SPKI), base64 or hex; one, or a list of
	// which one must match. A pin stands in place of the CA and the name;
	// with ca_file both are demanded.
	PinSHA256 Pins `toml:"pin_sha256"`
	// The name to ask for and to verify.
	ServerName string `toml:"server_name" shows:"the host in the URL"`
	// PEM file with a client certificate.
	Certificate string `toml:"certificate" is:"path"`
	// PEM file with its key.
	Key string `toml:"key" is:"path" shows:"in certificate"`
}

// Server is one member of a backend.
type Server struct {
	// The name in logs and statistics, unique in the backend.
	Name string `toml:"name" shows:"the address"`
	// Where it is: "http://host:port", "https://host:port", "h2c://host:port" for
	// HTTP/2 without TLS, or "unix:///path" for HTTP on a Unix socket.
	URL string `toml:"url"`
	// Its share of the requests. 0: none.
	Weight int `toml:"weight" default:"1" min:"0" max:"256"`
	// Requests at a time; more wait in the queue. 0: no limit.
	MaxConnections Count `toml:"max_connections" haproxy:"maxconn" default:"0"`
	// It gets requests only when all others are down.
	Backup bool `toml:"backup" default:"false"`
	// The value of the backend's cookie for it.
	Cookie string `toml:"cookie" shows:"an opaque one"`
	// Requests that may wait for this very server, because they belong to it (stick
	// table, cookie, hash); more go to another one. 0: no limit.
	QueueLimit Count `toml:"queue_limit" haproxy:"maxqueue" default:"0"`
	// It is checked, if the backend has a [check].
	Check bool `toml:"check" default:"true"`
	// "host:port" to check in place of the server.
	CheckAddress string `toml:"check_address" haproxy:"addr" shows:"the server's"`

	// Network and Address are what to dial, read from URL: "tcp" and "host:port"
	// (default ports 80 and 443), or "unix" and an absolute path.
	Network, Address string `toml:"-"`
	// TLS says whether the server speaks HTTPS, HTTP2 whether requests reach it over
	// HTTP/2.
	TLS, HTTP2 bool `toml:"-"`
}
