package config

// Listen says where Doorward accepts connections, and whom it believes.
type Listen struct {
	// Addresses for plain HTTP: "host:port", or ":port" for every address. An empty
	// list: none.
	HTTP []string `toml:"http" default:":80"`
	// Plain HTTP only redirects to HTTPS. With false the routes are served over
	// plain HTTP as well.
	HTTPRedirect bool `toml:"http_redirect" default:"true"`
	// Addresses for HTTPS. An empty list: none.
	HTTPS []string `toml:"https" default:":443"`
	// The Unix socket that "doorward reload" and the other subcommands talk to.
	// Empty: none.
	Control string `toml:"control" default:"/run/doorward/control.sock" is:"path"`
	// Peers whose X-Forwarded-For, -Host, -Proto and Forwarded are believed. From
	// everybody else these fields are dropped.
	TrustedProxies Networks `toml:"trusted_proxies"`
	// Peers that must begin every connection with a PROXY protocol header (version
	// 1 or 2). From everybody else such a header is a bad request.
	ProxyProtocol Networks `toml:"proxy_protocol"`
	// HTTP/2 on every HTTPS address, for clients that offer it.
	HTTP2 bool `toml:"http2" default:"true"`
	// HTTP/3 on every HTTPS address: QUIC, over UDP, on the same port. Answers on the
	// others then say so (Alt-Svc). The firewall must let UDP pass.
	HTTP3 bool `toml:"http3" default:"false"`
}

// TLS says which certificates are served and what a handshake must offer.
type TLS struct {
	// PEM files, or folders of them. The key stands beside the certificate
	// (NAME.key) or in the same file, as HAProxy has it.
	Certificates []string `toml:"certificates" is:"path"`
	// The lowest version of TLS that clients may speak.
	MinVersion string `toml:"min_version" default:"1.2" enum:"1.2,1.3"`
	// Hosts served with certificates from a CA that Doorward makes for itself, for
	// example ["*.localhost"]. Clients must be told to trust it.
	Internal []string `toml:"internal"`
	// Session tickets: returning clients skip half of the handshake.
	Tickets bool `toml:"tickets" default:"true"`
	// A client that names a host without a certificate, or names none, is refused.
	// With false it gets the first certificate. "doorward check" warns of such hosts.
	StrictSNI bool `toml:"strict_sni" default:"true"`
	// Certificates from a CA, for every host of a route that nothing above covers.
	ACME *ACME `toml:"acme"`
}

// Timeouts say how long Doorward waits. All but DrainDelay are above zero.
type Timeouts struct {
	// To connect to a server, TLS included. Then the request is retried.
	Connect Duration `toml:"connect" default:"5s"`
	// Silence of a client in the middle of a request body or an answer.
	Client Duration `toml:"client" default:"30s"`
	// Silence of a server: until the head of its answer (then 504), and between
	// two parts of the body.
	Server Duration `toml:"server" default:"30s"`
	// For the whole head of a request, from its first byte. Then 408.
	RequestHead Duration `toml:"request_head" haproxy:"http-request" default:"10s"`
	// How long an idle client connection stays open for its next request.
	KeepAlive Duration `toml:"keep_alive" haproxy:"http-keep-alive" default:"60s"`
	// How long a request waits for a server that is at max_connections. Then 503.
	Queue Duration `toml:"queue" default:"10s"`
	// Silence in both directions of an upgraded connection (WebSocket).
	Tunnel Duration `toml:"tunnel" default:"1h"`
	// How long SIGTERM waits for requests and tunnels to end.
	Drain Duration `toml:"drain" haproxy:"hard-stop-after" default:"30s"`
	// On SIGTERM, how long listeners stay open while /readyz already fails, so that a
	// balancer in front can turn away. Before drain begins.
	DrainDelay Delay `toml:"drain_delay" default:"0s"`
	// For the whole TLS handshake of a client.
	Handshake Duration `toml:"handshake" haproxy:"client-hs" default:"10s"`
	// For the PROXY protocol header of a peer in listen.proxy_protocol.
	ProxyHeader Duration `toml:"proxy_header" default:"5s"`
	// How long an idle connection to a server is kept for the next request. Keep it
	// below what the servers themselves allow.
	ServerIdle Duration `toml:"server_idle" default:"60s"`
}

// Limits say how much Doorward accepts.
type Limits struct {
	// Client connections at a time, over all listeners. 0: as many as the limit on
	// open files allows.
	Connections Count `toml:"connections" haproxy:"maxconn" default:"0"`
	// Client connections at a time from one address. 0: no limit.
	ConnectionsPerClient Count `toml:"connections_per_client" default:"0"`
	// The head of a request: request line and all fields. More: 431.
	HeadBytes Size `toml:"head_bytes" default:"32KiB" min:"1024" max:"1048576"`
	// Fields in the head of a request. More: 431.
	HeadFields Count `toml:"head_fields" default:"100" min:"8" max:"10000"`
	// The target (path and query) of a request. More: 414.
	TargetBytes Size `toml:"target_bytes" default:"8KiB" min:"64" max:"1048576"`
	// The body of a request. More: 413. 0: no limit. A route may set its own.
	BodyBytes Size `toml:"body_bytes" default:"0"`
	// TLS handshakes at a time; more wait their turn. 0: 32 per processor.
	Handshakes Count `toml:"handshakes" default:"0"`
	// Requests at a time on one connection of HTTP/2 or HTTP/3. More are refused, and
	// asked again by the client.
	Streams Count `toml:"streams" default:"100" min:"1" max:"10000"`
	// Names of [rate_limits.NAME] for the requests of every route.
	RateLimits []string `toml:"rate_limits"`
}

// Log says what is written about requests and about Doorward itself.
type Log struct {
	// The least important message of Doorward itself that is written.
	Level string `toml:"level" default:"info" enum:"debug,info,warn,error"`
	// The form of Doorward's own messages: JSON, or text for people.
	Format string `toml:"format" default:"json" enum:"json,console"`
	// The form of the line about each request: JSON, HAProxy's httplog, or none.
	Access string `toml:"access" default:"json" enum:"json,haproxy,off"`
	// Where both go: "stderr", "stdout", a file, "syslog" (the one of this machine), or
	// "syslog+unix:///path", "syslog+udp://host:514", "syslog+tcp://host:601".
	Output LogOutput `toml:"output" default:"stderr"`
	// The query string of a request is logged. It often holds secrets. That of pages of
	// sign-in never is.
	Query bool `toml:"query" default:"false"`
}
