package entratest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// routes are all paths of login and of Graph.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, p Part, h http.HandlerFunc) {
		mux.HandleFunc(pattern, s.watch(p, h))
	}
	handle("GET /{tenant}/v2.0/.well-known/openid-configuration", Discovery, s.discover)
	handle("GET /{tenant}/oauth2/v2.0/authorize", Authorize, s.authorize)
	handle("POST /{tenant}/oauth2/v2.0/authorize", Authorize, s.authorize)
	handle("POST /{tenant}/oauth2/v2.0/token", TokenPart, s.token)
	handle("GET /{tenant}/oauth2/v2.0/logout", Logout, s.logout)
	handle("POST /{tenant}/oauth2/v2.0/logout", Logout, s.logout)
	handle("GET /oidc/userinfo", UserInfo, s.graph(s.userInfo, "openid"))
	handle("POST /oidc/userinfo", UserInfo, s.graph(s.userInfo, "openid"))
	handle("GET /v1.0/me", Me, s.graph(s.me, "User.Read"))
	handle("POST /v1.0/me/getMemberObjects", MemberObjects, s.graph(s.memberObjects, "User.Read"))
	handle("GET /v1.0/me/transitiveMemberOf", MemberOf, s.graph(s.memberOf, "User.Read"))
	handle("GET /v1.0/me/transitiveMemberOf/{cast}", MemberOf, s.graph(s.memberOf, "User.Read"))
	handle("POST /v1.0/directoryObjects/getByIds", Names, s.graph(s.names, "User.Read"))
	handle("GET /v1.0/me/photo", Photo, s.graph(s.photoSize, "User.Read"))
	handle("GET /v1.0/me/photo/$value", Photo, s.graph(s.photo, "User.Read"))
	handle("GET /v1.0/me/photos/{size}/$value", Photo, s.graph(s.photo, "User.Read"))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent) // browsers ask by themselves
	})
	unknown := s.watch(Unknown, http.NotFound)
	keys := s.watch(Keys, s.publish)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if s.keysAt() == "/"+path { // where they are may change
			keys(w, r)
			return
		}
		unknown(w, r)
	})
	return mux
}

func (s *Server) keysAt() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keysPath
}

// MoveKeys publishes the keys under another path after "/TENANT", and no longer
// under the old one.
func (s *Server) MoveKeys(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keysPath = path
}

// ChangeDiscovery lets the test change each document before it goes out; nil
// ends that.
func (s *Server) ChangeDiscovery(change func(document map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metadata = change
}

// base is how the provider is called by who asks.
func base(r *http.Request) string { return "https://" + r.Host }

// graphHost is the host of Graph in the cloud that a host belongs to.
func graphHost(login string) string {
	switch login {
	case "login.microsoftonline.com":
		return "graph.microsoft.com"
	case "login.microsoftonline.us":
		return "graph.microsoft.us"
	case "login.partner.microsoftonline.cn":
		return "microsoftgraph.chinacloudapi.cn"
	}
	return login
}

// discover answers with a tenant's document, changed by the test if it wants to.
func (s *Server) discover(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	change := s.metadata
	document, no := s.document(r)
	if no != nil {
		defer s.mu.Unlock()
		s.refuseJSON(w, no)
		return
	}
	s.mu.Unlock()
	if change != nil { // without the lock: it may ask the server
		change(document)
	}
	writeJSON(w, http.StatusOK, document)
}

// document has the fields that Entra's has. It names no PKCE methods although
// they work, no introspection, no revocation, no back-channel logout.
func (s *Server) document(r *http.Request) (map[string]any, *refusal) {
	name := r.PathValue("tenant")
	id, known := s.tenantID(name)
	if !known {
		return nil, noTenant(name)
	}
	if id != "" && name != "consumers" { // a domain has the id in its document
		name = id
	}
	if id == "" {
		id = "{tenantid}"
	}
	at := base(r) + "/" + name
	return map[string]any{
		"issuer":                        issuer(base(r), id),
		"authorization_endpoint":        at + "/oauth2/v2.0/authorize",
		"token_endpoint":                at + "/oauth2/v2.0/token",
		"device_authorization_endpoint": at + "/oauth2/v2.0/devicecode",
		"end_session_endpoint":          at + "/oauth2/v2.0/logout",
		"jwks_uri":                      at + s.keysPath,
		"userinfo_endpoint":             "https://" + graphHost(r.Host) + "/oidc/userinfo",
		"kerberos_endpoint":             at + "/kerberos",
		"token_endpoint_auth_methods_supported": []string{
			"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"response_types_supported":              []string{"code", "id_token", "code id_token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      strings.Fields("openid profile email offline_access"),
		"claims_supported": []string{"sub", "iss", "cloud_instance_name",
			"cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud", "exp",
			"iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver",
			"at_hash", "c_hash", "email"},
		"request_uri_parameter_supported": false,
		"http_logout_supported":           true,
		"frontchannel_logout_supported":   true,
		"tenant_region_scope":             nil,
		"cloud_instance_name":             strings.TrimPrefix(r.Host, "login."),
		"cloud_graph_host_name":           "graph.windows.net",
		"msgraph_host":                    graphHost(r.Host),
		"rbac_url":                        "https://pas.windows.net",
	}, nil
}

// publish answers with the key set of a tenant.
func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	id, known := s.tenantID(name)
	keys := []map[string]any{}
	for _, k := range s.keys.keys {
		if k.published {
			keys = append(keys, k.jwk(base(r), id))
		}
	}
	s.mu.Unlock()
	if !known {
		http.NotFound(w, r)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
