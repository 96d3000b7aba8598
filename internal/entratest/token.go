package entratest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// refreshLife is how long a refresh token may lie unused.
const refreshLife = 90 * 24 * time.Hour

// token answers the token endpoint.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, no := s.exchange(r)
	if no != nil {
		s.refuseJSON(w, no)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) exchange(r *http.Request) (map[string]any, *refusal) {
	v := r.PostForm // parameters in the query do not count
	if len(v) == 0 {
		return nil, &refusal{number: 900144, kind: "invalid_request",
			text: "The request body must contain the following parameter: 'grant_type'."}
	}
	for name, values := range v {
		if len(values) > 1 {
			return nil, &refusal{number: 90023, kind: "invalid_request",
				text: "The parameter '" + name + "' is given more than once."}
		}
	}
	id, known := s.tenantID(r.PathValue("tenant"))
	if !known {
		return nil, noTenant(r.PathValue("tenant"))
	}
	app, no := s.authenticate(r, id)
	if no != nil {
		return nil, no
	}
	q := &asked{base: base(r), tenant: id, app: app}
	if no := s.admit(q, app.ClientID); no != nil {
		return nil, no
	}
	switch v.Get("grant_type") {
	case "authorization_code":
		return s.redeem(q, v)
	case "refresh_token":
		return s.renew(q, v)
	case "client_credentials":
		return s.forApp(q, v)
	}
	return nil, &refusal{number: 70003, kind: "unsupported_grant_type",
		text: "The app requested an unsupported grant type '" + v.Get("grant_type") + "'."}
}

// redeem exchanges a code, once.
func (s *Server) redeem(q *asked, v url.Values) (map[string]any, *refusal) {
	g := s.codes[v.Get("code")]
	switch {
	case g == nil:
		return nil, invalid(9002313, "Invalid request. Request is malformed or invalid.")
	case g.app != q.app:
		return nil, invalid(700005, "Provided Authorization Code is intended to use against"+
			" other application.")
	case g.used:
		return nil, invalid(54005, "OAuth2 Authorization code was already redeemed, please retry"+
			" with a new valid code or use an existing refresh token.")
	case s.now().After(g.expires):
		return nil, invalid(70008, "The provided authorization code has expired.")
	case g.redirect != v.Get("redirect_uri"):
		return nil, invalid(500112, "The reply address does not match the reply address provided"+
			" when requesting Authorization code.")
	case q.tenant != "" && g.account.Tenant != q.tenant:
		return nil, invalid(700005, "The authorization code was issued by another tenant.")
	case g.challenge != "" && !proves(v.Get("code_verifier"), g.challenge, g.method):
		return nil, invalid(501481, "The Code_Verifier does not match the code_challenge supplied"+
			" in the authorization request.")
	}
	g.used = true
	if no := s.fresh(g); no != nil {
		return nil, no
	}
	return s.answer(q, g, g.nonce), nil
}

func invalid(number int, text string) *refusal {
	return &refusal{number: number, kind: "invalid_grant", text: text}
}

// proves is the check of RFC 7636, 4.6.
func proves(verifier, challenge, method string) bool {
	if method == "S256" {
		h := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(h[:])
	}
	return subtle.ConstantTimeCompare([]byte(verifier), []byte(challenge)) == 1
}

// renew exchanges a refresh token. The old one stays good, as it does at Entra.
func (s *Server) renew(q *asked, v url.Values) (map[string]any, *refusal) {
	g := s.refresh[v.Get("refresh_token")]
	switch {
	case g == nil:
		return nil, invalid(9002313, "Invalid request. Request is malformed or invalid.")
	case g.app != q.app:
		return nil, invalid(700005, "The refresh token was issued to another application.")
	case s.now().After(g.expires):
		return nil, invalid(700082, "The refresh token has expired due to inactivity.")
	}
	if no := s.fresh(g); no != nil {
		return nil, no
	}
	if scope := v.Get("scope"); scope != "" {
		next := *g
		next.scopes = strings.Fields(scope)
		g = &next
	}
	return s.answer(q, g, ""), nil
}

// fresh says why a person's grant is worth nothing any more.
func (s *Server) fresh(g *grant) *refusal {
	if g.epoch != g.account.epoch {
		return &refusal{number: 50173, kind: "invalid_grant", suberror: "bad_token", text: "The" +
			" provided grant has expired due to it being revoked, a fresh auth token is needed."}
	}
	if no := g.account.barred(); no != nil {
		no.kind = "invalid_grant"
		return no
	}
	if g.account.MFA && !g.session.mfa {
		no := needsMFA("invalid_grant")
		no.suberror = "basic_action"
		no.claims = `{"access_token":{"polids":{"essential":true,"values":["` +
			guid("policy") + `"]}}}`
		return no
	}
	return nil
}

// forApp gives a token to the app itself.
func (s *Server) forApp(q *asked, v url.Values) (map[string]any, *refusal) {
	if !strings.HasSuffix(v.Get("scope"), "/.default") {
		return nil, &refusal{number: 1002012, kind: "invalid_scope",
			text: "The provided value for scope " + v.Get("scope") + " is not valid."}
	}
	life := lifetime()
	g := &grant{asked: q, scopes: strings.Fields(v.Get("scope")), expires: s.now().Add(life)}
	return map[string]any{"token_type": "Bearer", "expires_in": int(life.Seconds()),
		"ext_expires_in": int(life.Seconds()), "access_token": s.keep(s.access, g)}, nil
}

// answer is what an app gets for a person's grant.
func (s *Server) answer(q *asked, g *grant, nonce string) map[string]any {
	life := lifetime()
	access := *g
	access.expires = s.now().Add(life)
	body := map[string]any{
		"token_type": "Bearer", "scope": granted(g.scopes),
		"expires_in": int(life.Seconds()), "ext_expires_in": int(life.Seconds()),
		"access_token": s.accessToken(q, &access),
	}
	if slices.Contains(g.scopes, "offline_access") {
		again := *g
		again.expires = s.now().Add(refreshLife)
		body["refresh_token"] = s.keep(s.refresh, &again)
	}
	if slices.Contains(g.scopes, "openid") && !g.account.Token.Omit {
		body["id_token"] = s.idToken(q, g, nonce)
	}
	return body
}

// accessToken is opaque: Graph's may look otherwise, but nobody else can verify
// them. One for an API of the app's own is a JWT.
func (s *Server) accessToken(q *asked, g *grant) string {
	for _, scope := range g.scopes {
		if api, ok := strings.CutPrefix(scope, "api://"); ok {
			audience, name, _ := strings.Cut(api, "/")
			return s.apiToken(q, g.account, API{Audience: audience, Scopes: []string{name}})
		}
	}
	return s.keep(s.access, g)
}

func (s *Server) keep(where map[string]*grant, g *grant) string {
	token := "EwB" + rand.Text() + rand.Text()
	where[token] = g
	return token
}

// granted is the answer's scope: another order than was asked for, and more.
func granted(asked []string) string {
	scopes := slices.DeleteFunc(slices.Clone(asked), func(scope string) bool {
		return scope == "offline_access"
	})
	for _, more := range []string{"profile", "email"} {
		if slices.Contains(scopes, "openid") && !slices.Contains(scopes, more) {
			scopes = append(scopes, more)
		}
	}
	slices.Sort(scopes)
	slices.Reverse(scopes)
	return strings.Join(scopes, " ")
}

// lifetime is between 60 and 90 minutes, by chance.
func lifetime() time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(1801))
	if err != nil {
		return time.Hour
	}
	return time.Hour + time.Duration(n.Int64())*time.Second
}
