package entratest

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate says which app asks: by secret in the form or in the header, by an
// assertion, or by a token of an issuer that the app trusts.
func (s *Server) authenticate(r *http.Request, tenant string) (*App, *refusal) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if name, password, ok := r.BasicAuth(); ok {
		id, secret = unescape(name), unescape(password) // RFC 6749, 2.3.1
	}
	app := s.app(id)
	if app == nil {
		return nil, &refusal{number: 700016, kind: "unauthorized_client", text: "Application with" +
			" identifier '" + id + "' was not found in the directory."}
	}
	switch assertion := r.PostForm.Get("client_assertion"); {
	case assertion != "":
		if r.PostForm.Get("client_assertion_type") != assertionType {
			return nil, &refusal{number: 700020, kind: "invalid_request",
				text: "The client_assertion_type is not valid."}
		}
		names := []string{r.PathValue("tenant"), tenant}
		return app, s.believes(app, assertion, audiences(base(r), names))
	case slices.Contains(app.Secrets, secret) && secret != "":
		return app, nil
	case slices.Contains(app.ExpiredSecrets, secret) && secret != "":
		return nil, stranger(7000222, "The provided client secret keys are expired.")
	case secret != "":
		return nil, stranger(7000215, "Invalid client secret provided. Ensure the secret being"+
			" sent in the request is the client secret value, not the client secret ID.")
	}
	return nil, stranger(7000218, "The request body must contain the following parameter:"+
		" 'client_assertion' or 'client_secret'.")
}

func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

func stranger(number int, text string) *refusal {
	return &refusal{number: number, kind: "invalid_client", text: text,
		status: http.StatusUnauthorized}
}

// believes checks an assertion: one of the app's own (RFC 7523), or a token of
// another issuer.
func (s *Server) believes(app *App, assertion string, audiences []string) *refusal {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.PS256, jose.RS256,
		jose.ES256})
	if err != nil || len(token.Headers) != 1 {
		return stranger(50027, "JWT token is invalid or malformed.")
	}
	var c jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&c); err != nil {
		return stranger(50027, "JWT token is invalid or malformed.")
	}
	if c.Issuer != app.ClientID {
		return s.trusts(app, token, c)
	}
	if no := s.signedBy(app, token); no != nil {
		return no
	}
	switch {
	case c.Subject != app.ClientID:
		return stranger(700021, "Client assertion application identifier doesn't match"+
			" 'client_id'.")
	case len(c.Audience) != 1 || !slices.Contains(audiences, c.Audience[0]):
		return stranger(700023, "Client assertion audience claim does not match Realm issuer.")
	case c.ID == "" || s.seen[c.ID]:
		return stranger(700027, "Client assertion contains no 'jti' of its own.")
	}
	s.seen[c.ID] = true
	return s.timely(c)
}

// audiences are what assertions may be for: the token endpoint or the issuer.
func audiences(base string, tenants []string) (urls []string) {
	for _, t := range tenants {
		urls = append(urls, base+"/"+t+"/oauth2/v2.0/token", issuer(base, t))
	}
	return urls
}

// timely demands a life, and one of at most ten minutes; clocks may differ a bit.
func (s *Server) timely(c jwt.Claims) *refusal {
	now, end := s.now(), c.Expiry.Time() // a claim that is missing is long past
	if end.Before(now) || end.After(now.Add(11*time.Minute)) ||
		c.NotBefore != nil && c.NotBefore.Time().After(now.Add(5*time.Minute)) {
		return stranger(700024, "Client assertion is not within its valid time range.")
	}
	return nil
}

// signedBy finds the app's certificate that the assertion names by its thumbprint
// and verifies the signature with it.
func (s *Server) signedBy(app *App, token *jwt.JSONWebToken) *refusal {
	name := token.Headers[0].ExtraHeaders["x5t#S256"]
	i := slices.IndexFunc(app.Certificates, func(c *x509.Certificate) bool {
		thumb := sha256.Sum256(c.Raw)
		return name == base64.RawURLEncoding.EncodeToString(thumb[:])
	})
	if i < 0 {
		return stranger(700027, "The certificate with identifier used to sign the client assertion"+
			" is not registered on application.")
	}
	if token.Headers[0].Algorithm == string(jose.ES256) {
		return stranger(5002738, "Invalid JWT token. The algorithm is not supported.")
	}
	return verify(token, app.Certificates[i].PublicKey)
}

func verify(token *jwt.JSONWebToken, key crypto.PublicKey) *refusal {
	if err := token.Claims(key, new(map[string]any)); err != nil {
		return stranger(700027, "Client assertion failed signature validation.")
	}
	return nil
}

// trusts looks for a federated credential of the app that the token fits.
func (s *Server) trusts(app *App, token *jwt.JSONWebToken, c jwt.Claims) *refusal {
	for _, f := range app.Federated {
		if f.Issuer != c.Issuer || f.Subject != c.Subject || !c.Audience.Contains(f.Audience) {
			continue
		}
		if no := verify(token, f.Key); no != nil {
			return no
		}
		if c.Expiry.Time().Before(s.now()) {
			return stranger(700024, "Client assertion is not within its valid time range.")
		}
		return nil
	}
	return stranger(700213, "No matching federated identity record found for presented assertion"+
		" subject '"+c.Subject+"'.")
}
