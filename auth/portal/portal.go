// Package portal is the sign-in host: the pages and addresses where people sign in
// and out, see what they may open, and look after their account.
//
// It owns the flows: which provider is asked, what the answer makes of whose
// account, where the visitor goes afterwards and with what. It leaves the pages'
// looks to auth/page, sessions to auth/session, accounts to auth/directory,
// passwords to auth/local, what providers say to auth/oidc, and who may pass to the
// gate in auth.
//
// A Portal belongs to one configuration and is cheap to make. Whatever has to
// outlive it is handed in: sessions, accounts, [Loops], [Rechecks].
package portal

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"

	"doorward/auth/cookie"
	"doorward/auth/page"
)

// answerTime is how long a request may take, the provider's part included.
const answerTime = 30 * time.Second

// Portal is the http.Handler of the sign-in host. It may be used by many
// goroutines.
type Portal struct {
	o         Options
	host      string
	providers map[string]*Provider
	pages     map[string]handler
	foreign   *http.CrossOriginProtection
}

// handler answers a request of a visitor.
type handler func(w http.ResponseWriter, r *visitor)

// New makes the handler of the sign-in host. The options are checked by who makes
// them: New cannot fail.
func New(o Options) *Portal {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	o.CookieDomain = strings.ToLower(o.CookieDomain)
	p := &Portal{
		o: o, host: canonicalHost(o.Host),
		providers: make(map[string]*Provider, len(o.Providers)),
		foreign:   http.NewCrossOriginProtection(),
	}
	for i := range o.Providers {
		p.providers[o.Providers[i].Name] = &o.Providers[i]
	}
	p.pages = p.routes()
	return p
}

func (p *Portal) now() time.Time { return p.o.Now() }

// routes are the addresses with a name of their own, each with its method.
func (p *Portal) routes() map[string]handler {
	return map[string]handler{
		"GET /":                    p.showPortal,
		"GET /sign_in":             p.showSignIn,
		"POST /sign_in":            p.signIn,
		"POST /sign_in/password":   p.changeFirst,
		"GET /sign_out":            p.showSignOut,
		"POST /sign_out":           p.signOut,
		"GET /account":             p.showAccount,
		"POST /account":            p.saveAccount,
		"GET /account/sessions":    p.showSessions,
		"POST /account/sessions":   p.endSessions,
		"GET /account/tokens":      p.showTokens,
		"POST /account/tokens":     p.changeTokens,
		"GET /account/password":    p.showPassword,
		"POST /account/password":   p.changePassword,
		"GET /account/identities":  p.showIdentities,
		"POST /account/identities": p.changeIdentities,
		"GET /setup":               p.showSetup,
		"POST /setup":              p.setUp,
		"GET /consent":             p.showConsent,
		"POST /consent":            p.consent,
		"GET /whoami":              p.whoami,
	}
}

// visitor is a request with what is known of who sent it.
type visitor struct {
	*http.Request
	client netip.Addr
}

// ServeHTTP implements http.Handler.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	r = r.WithContext(ctx)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case canonicalHost(r.Host) != p.host:
		http.Error(w, "no such host", http.StatusNotFound)
	case !p.o.Secure(r):
		p.insist(w, r)
	default:
		p.serve(w, &visitor{Request: r, client: clientOf(r)})
	}
}

// insist sends a visitor to HTTPS. Over plain HTTP no cookie is read or set.
func (p *Portal) insist(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "this host speaks HTTPS only", http.StatusForbidden)
		return
	}
	w.Header().Set("Location", "https://"+p.host+r.URL.RequestURI())
	w.WriteHeader(http.StatusPermanentRedirect)
}

func (p *Portal) serve(w http.ResponseWriter, r *visitor) {
	path, method := r.URL.Path, r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if strings.HasPrefix(path, "/assets/") {
		p.o.Pages.Assets().ServeHTTP(w, r.Request)
		return
	}
	if rest, ok := strings.CutPrefix(path, "/source/oauth/"); ok {
		p.source(w, r, strings.TrimSuffix(rest, "/"))
		return
	}
	if name, ok := strings.CutPrefix(path, "/sign_in/with/"); ok && method == http.MethodGet {
		p.signInWith(w, r, name)
		return
	}
	answer, ok := p.pages[method+" "+path]
	switch {
	case !ok && p.allowed(path) != "":
		p.wrongMethod(w, r, p.allowed(path))
	case !ok:
		p.notFound(w, r)
	case method == http.MethodPost && p.forged(r.Request):
		p.o.Log.Info("a form of another site was refused",
			zap.String("path", path), zap.Stringer("client", r.client))
		p.tell(w, r, 0, page.Message{Kind: page.Foreign, Retry: r.URL.RequestURI()})
	default:
		answer(w, r)
	}
}

// source answers what providers send: the visitor with the answer, and word that
// somebody has signed out there.
func (p *Portal) source(w http.ResponseWriter, r *visitor, rest string) {
	kind, name, _ := strings.Cut(rest, "/")
	isGet := r.Method == http.MethodGet
	switch {
	case kind == "callback" && isGet:
		p.callback(w, r, name)
	case kind == "frontchannel" && isGet:
		p.frontChannel(w, r, name)
	case kind == "backchannel" && r.Method == http.MethodPost:
		p.backChannel(w, r, name)
	case kind == "callback", kind == "frontchannel":
		p.wrongMethod(w, r, http.MethodGet)
	case kind == "backchannel":
		p.wrongMethod(w, r, http.MethodPost)
	default:
		p.notFound(w, r)
	}
}

// allowed are the methods of a page, empty for what is none.
func (p *Portal) allowed(path string) string {
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		if p.pages[m+" "+path] != nil {
			methods = append(methods, m)
		}
	}
	return strings.Join(methods, ", ")
}

// wrongMethod refuses a method, and says which there are (RFC 9110 section 15.5.6).
func (p *Portal) wrongMethod(w http.ResponseWriter, r *visitor, allowed string) {
	w.Header().Set("Allow", allowed)
	p.refuse(w, r, http.StatusMethodNotAllowed)
}

// forged tells whether a form may come from a page that is not ours. A browser
// says where a form comes from; who brings a cookie of ours and says nothing is not
// believed either.
func (p *Portal) forged(r *http.Request) bool {
	silent := r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == ""
	return p.foreign.Check(r) != nil || silent && cookie.Ours(r)
}

// redirect sends the visitor on with a GET, whatever the request was.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// clientOf is the address of the client, zero when it has none.
func clientOf(r *http.Request) netip.Addr {
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return at.Addr().Unmap()
	}
	at, _ := netip.ParseAddr(r.RemoteAddr)
	return at.Unmap()
}
