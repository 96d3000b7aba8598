package config

// Route says which requests it takes and what happens to them. Exactly one of
// Backend, Redirect and Respond is set.
type Route struct {
	// The name in logs and statistics. No two routes may share one.
	Name string `toml:"name" shows:"the first host"`
	// Hosts: "app.example.com", "*.example.com" (one label) or "~regex". Port, case
	// and a dot at the end do not matter. Not given: every host.
	Hosts []string `toml:"hosts"`
	// Paths: "/app" (and below), "=/exact" or "~regex". Not given: every path.
	Paths []string `toml:"paths"`
	// Methods, for example ["GET", "HEAD"]. Not given: every method.
	Methods []string `toml:"methods"`
	// Fields the request must have, and the tables [route.headers.request] and
	// [route.headers.response] with changes.
	Headers RouteHeaders `toml:"headers"`
	// Query parameters the request must have: name = "value", "~regex", or "*".
	Query map[string]string `toml:"query"`
	// Networks the client must be in, otherwise the next route is tried.
	Networks Networks `toml:"networks"`

	// The backend that gets the request.
	Backend string `toml:"backend"`
	// Answers with a redirect: "https://{host}{uri}", or { to, status }.
	Redirect *Redirect `toml:"redirect"`
	// Answers with a fixed text or file.
	Respond *Respond `toml:"respond"`

	// Who may pass: "public", "any-user", or a table. Without [sign_in]: "public", or
	// { networks = [...] }.
	Access Access `toml:"access" shows:"without [sign_in] \"public\"; with it there is none"`
	// Paths that are open to everybody all the same, written as in paths.
	PublicPaths []string `toml:"public_paths"`
	// How the server learns who somebody is: authentik, remote-user, forwarded, none, or
	// a table of field = "{user}". Clients can send these fields on no route.
	IdentityHeaders IdentityHeaders `toml:"identity_headers" shows:"\"none\""`
	// How letters beyond ASCII stand in them: as UTF-8, or as %C3%A4.
	IdentityEncoding string `toml:"identity_encoding" default:"utf8" enum:"utf8,percent"`
	// How the route is shown on the portal. Not given: it is not.
	App *App `toml:"app"`
	// The provider that people are sent to here. Not given: they choose.
	Provider string `toml:"provider"`
	// Requests with which browsers ask whether a page of another site may send one
	// (CORS), and which never carry a session: they go to the server as nobody's, are
	// answered with yes for the route's origins, or are refused.
	Preflight string `toml:"preflight" default:"pass" enum:"pass,answer,deny"`
	// Tokens of providers that let programs pass.
	Bearer []Bearer `toml:"bearer"`
	// Tokens of users (Authorization: Bearer dw_...) let programs pass.
	Tokens bool `toml:"tokens" default:"false"`
	// Such a token may stand in the place of the password of basic authentication.
	BasicAuth bool `toml:"basic_auth" default:"false"`
	// A text that everybody has to agree to before the route opens.
	Consent string `toml:"consent"`
	// Asks clients for certificates, and tells the server about them.
	ClientCertificate *ClientCertificate `toml:"client_certificate"`
	// Removes this prefix from the path before the server gets it.
	StripPrefix string `toml:"strip_prefix"`
	// Replaces one prefix of the path by another.
	ReplacePrefix *ReplacePrefix `toml:"replace_prefix"`
	// Protocols a connection may be upgraded to. An empty list: none.
	Upgrades []string `toml:"upgrades" default:"websocket"`
	// Hosts whose pages may open a WebSocket here: names, "*.example.com", or "same"
	// for the request's own host. Others get 403. Not given: every page may, and on a
	// route that asks for sign-in "same". With preflight = "answer" theirs are the pages
	// that may send other requests, too.
	Origins []string `toml:"origins"`
	// What becomes of paths with an encoded slash (%2F) and the like: 400, or
	// passed on as they are.
	EncodedSlashes string `toml:"encoded_slashes" default:"reject" enum:"reject,pass"`
	// Timeouts of this route's requests. What is not given is the backend's.
	Timeouts RouteTimeouts `toml:"timeouts"`
	// The largest request body. More: 413. 0: no limit.
	BodyBytes Size `toml:"body_bytes" shows:"limits.body_bytes"`
	// Names of [rate_limits.NAME] for this route's requests, after those of [limits].
	RateLimits []string `toml:"rate_limits"`
	// Status code = file: this route's pages. They win over [error_pages].
	ErrorPages ErrorPages `toml:"error_pages" is:"path"`

	where Diagnostic
}

// Warning returns a warning about the route, at its place in the file, for what
// only the whole routing table shows.
func (r *Route) Warning(message string) Diagnostic {
	d := r.where
	d.Message, d.Severity = message, Warning
	return d
}

// RouteTimeouts override those of the backend. Zero: not given.
type RouteTimeouts struct {
	// Silence of the client.
	Client Duration `toml:"client" shows:"timeouts.client"`
	// Silence of the server.
	Server Duration `toml:"server" shows:"the backend's"`
	// Silence in both directions after an upgrade.
	Tunnel Duration `toml:"tunnel" shows:"the backend's"`
}

// Redirect is an answer that sends the client elsewhere.
type Redirect struct {
	// Where to. Placeholders as in header values; {uri} is path and query.
	To string `toml:"to"`
	// The status code: 301, 302, 303, 307 or 308.
	Status int `toml:"status" default:"308" enum:"301,302,303,307,308"`
}

// Respond is an answer made by Doorward itself. At most one of Body and File
// is set.
type Respond struct {
	// The status code.
	Status int `toml:"status" default:"200" min:"200" max:"599"`
	// The text.
	Body string `toml:"body"`
	// A file with the body.
	File string `toml:"file" is:"path"`
	// The media type. Not given: text/plain for body, by its name for file.
	ContentType string `toml:"content_type" shows:"by content"`
}

// ReplacePrefix changes the beginning of the path.
type ReplacePrefix struct {
	// The prefix to replace, on whole segments.
	From string `toml:"from"`
	// What stands there instead.
	To string `toml:"to"`
}
