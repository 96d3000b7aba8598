package gate_test

import (
	"bufio"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"doorward/internal/edgetest"
	"doorward/internal/entratest"
)

// The issuer as Entra ID has it, and the API that tokens are for.
const (
	bearerIssuer   = "https://" + entraLogin + "/" + entratest.TenantID + "/v2.0"
	bearerAudience = "api://orders"
)

// bearerHouse has routes that open to tokens of Entra ID: with a scope and a role, with a
// scope for whoever it is, and one that takes no tokens.
type bearerHouse struct {
	*entraHouse
	saw *protocolsServer
}

func newBearerHouse(t *testing.T) *bearerHouse {
	server := newProtocolsServer(t)
	h := &bearerHouse{&entraHouse{entra: startEntra(t, nil)}, server}
	address := strings.TrimPrefix(h.entra.URL, "https://")
	h.world = newProviderWorld(t, map[string]string{entraLogin: address, entraGraph: address})
	site := edgetest.Config{Text: `
		[sign_in]
		host = "login.example"
		local_users = false
		[[sign_in.provider]]
		name = "azure-ad"
		type = "entra"
		client_id = "doorward"
		client_secret = "` + entraSecret + `"
		tenant = "` + entratest.TenantID + `"
		ca_file = "` + h.entra.CAFile + `"
		[backends.app]
		servers = ["` + server.URL + `"]
		[[route]]
		hosts = ["app.example"]
		backend = "app"
		access = "any-user"
	`}
	for host, access := range map[string]string{
		"role": `{ roles = ["Orders.Read"] }`, "any": `"any-user"`,
		"mfa": `{ any_user = true, mfa = true }`,
	} {
		site.Text += `
		[[route]]
		hosts = ["` + host + `.example"]
		backend = "app"
		identity_headers = { X-Who = "{user}", X-Roles = "{roles}" }
		bearer = [{ provider = "azure-ad", audiences = ["other", "` + bearerAudience + `"],
			scopes = ["Orders.Read", "Orders.All"] }]
		access = ` + access + "\n"
	}
	h.gatedHouse = &gatedHouse{edgetest.Start(t, site), t}
	h.known()
	return h
}

// token is one of a program that acts for itself, with changes.
func (h *bearerHouse) token(t *testing.T, change func(*entratest.API)) string {
	t.Helper()
	api := entratest.API{
		ClientID: "11111111-2222-4333-8444-555555555555", Audience: bearerAudience,
		Roles: []string{"Orders.Read"}, Claims: map[string]any{"iss": bearerIssuer},
	}
	if change != nil {
		change(&api)
	}
	return h.entra.APIToken(t, api)
}

// claiming changes one claim.
func claiming(name string, value any) func(*entratest.API) {
	return func(a *entratest.API) { a.Claims[name] = value }
}

// A token with what the route asks for passes, and its server is told whose it is.
func TestTokensOfAProviderPass(t *testing.T) {
	h := newBearerHouse(t)
	person := func(a *entratest.API) {
		a.User, a.Roles, a.Scopes = entraOfAnn, nil, []string{"x", "Orders.All"}
	}
	for name, over := range h.protocolsOver(t, false) {
		t.Run("a program over "+name, func(t *testing.T) {
			forged := []string{"X-Who: root", "X_Who: root", "X-Roles: root"}
			a := protocolsAsk(t, over, "GET https://role.example/",
				append(forged, "Authorization: Bearer "+h.token(t, nil))...)
			if a.StatusCode != 200 || a.ProtoMajor != protocolsMajor(name) ||
				strings.Contains(a.body, "root") ||
				strings.Count(a.body, "X-Who: azure-ad:"+entratest.TenantID+"/") != 1 ||
				!strings.Contains(a.body, "X-Roles: Orders.Read\r\n") {
				t.Errorf("%d over %s\n%s", a.StatusCode, a.Proto, a.body)
			}
		})
		t.Run("a person over "+name, func(t *testing.T) {
			a := protocolsAsk(t, over, "POST https://any.example/",
				"Authorization: bearer "+h.token(t, person))
			if a.StatusCode != 200 || !strings.Contains(a.body, "X-Who: azure-ad:") {
				t.Errorf("%d\n%s", a.StatusCode, a.body)
			}
		})
	}
	if strings.Contains(h.Log(), "eyJ") {
		t.Error("a token is in the log")
	}
}

// bearerCase is a token that does not open a route, and what is answered.
type bearerCase struct {
	host, authorization string
	status              int
	fault               string // of WWW-Authenticate
}

func (h *bearerHouse) bearerCases(t *testing.T) map[string]bearerCase {
	role := func(status int, fault string, change func(*entratest.API)) bearerCase {
		return bearerCase{"role", "Bearer " + h.token(t, change), status, fault}
	}
	bad := func(token string) bearerCase {
		return bearerCase{"role", "Bearer " + token, 401, "invalid_token"}
	}
	invalid := func(change func(*entratest.API)) bearerCase { return bad(h.token(t, change)) }
	ago := time.Now().Add(-time.Hour).Unix()
	little := func(scope string) bearerCase {
		return role(403, "insufficient_scope", func(a *entratest.API) { a.Roles = []string{scope} })
	}
	scoped := func(a *entratest.API) { a.Roles, a.Scopes = nil, []string{"Orders.Read"} }
	good := h.token(t, nil)
	head, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	last := map[bool]string{true: "B", false: "A"}[strings.HasPrefix(signature, "A")]
	hidden := h.entra.NewKey(false)
	signing := h.entra.SigningKey()
	h.entra.SignWith(hidden)
	unknown := h.token(t, nil)
	h.entra.SignWith(signing)
	return map[string]bearerCase{
		"no token":                   {"role", "", 401, ""},
		"a scheme of somebody else":  {"role", "Digest x", 401, ""},
		"no scope at all":            little("Orders.Write"),
		"a scope that begins alike":  little("Orders.ReadX"),
		"a scope in other letters":   little("orders.read"),
		"a scope and not the role":   role(403, "-", scoped),
		"no second factor":           {"mfa", "Bearer " + good, 403, "-"},
		"OIDC-18_another audience":   invalid(func(a *entratest.API) { a.Audience = "api://else" }),
		"OIDC-18_our own sign-in":    invalid(func(a *entratest.API) { a.Audience = "doorward" }),
		"OIDC-18_no audience":        invalid(claiming("aud", nil)),
		"OIDC-16_another issuer":     invalid(claiming("iss", h.entra.Authority(entratest.TenantID))),
		"OIDC-16_no issuer":          invalid(claiming("iss", nil)),
		"OIDC-16_another tenant":     invalid(claiming("tid", "00000000-1111-4222-8333-444444444444")),
		"TIME-06_over":               invalid(claiming("exp", ago)),
		"TIME-06_without an end":     invalid(claiming("exp", nil)),
		"TIME-06_not yet":            invalid(claiming("nbf", time.Now().Add(time.Hour).Unix())),
		"OIDC-21_an ID token":        invalid(claiming("nonce", "x")),
		"OIDC-19_a key of nobody":    bad(unknown),
		"OIDC-19_no signature":       bad(none + "." + claims + "."),
		"OIDC-19_a changed one":      bad(head + "." + claims + "." + last + signature[1:]),
		"nothing that is a token":    bad("x"),
		"a route without `bearer`":   {"app", "Bearer " + good, 401, "none"},
		"one of ours where none are": {"role", "Bearer dw_x", 401, ""},
	}
}

// Other tokens do not pass, over either protocol, and no server learns of them; the answer
// says which of the two it is, a token that is not good or one that is not enough (RFC
// 6750, section 3.1).
func TestTokensOfAProviderAreRefused(t *testing.T) {
	h := newBearerHouse(t)
	cases := h.bearerCases(t)
	over := h.protocolsOver(t, false)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for protocol, over := range over {
				fields := []string{"Accept: */*"}
				if c.authorization != "" {
					fields = append(fields, "Authorization: "+c.authorization)
				}
				a := protocolsAsk(t, over, "GET https://"+c.host+".example/", fields...)
				asks := strings.Join(a.Header.Values("WWW-Authenticate"), " | ")
				if want := c.demand(); a.StatusCode != c.status || asks != want ||
					a.Header.Get("Location") != "" {
					t.Errorf("over %s: %d with %q, want %d with %q\n%s",
						protocol, a.StatusCode, asks, c.status, want, a.body)
				}
				if a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("over %s it may be kept: %v", protocol, a.Header)
				}
			}
		})
	}
	m := h.DialTLS(t, "role.example").Send("GET / HTTP/1.1⏎Host: role.example⏎" +
		"Authorization: Bearer " + h.token(t, nil) + "⏎Authorization: Bearer x⏎⏎").Answer()
	if m.Status != http.StatusBadRequest {
		t.Errorf("two tokens: %d", m.Status)
	}
	if saw := h.saw.seen(); saw != nil {
		t.Errorf("the server was asked %q", saw)
	}
	known := []string{entraLogin, "127.0.0.1"}
	if hosts := h.world.strangers(known...); len(hosts) > 0 {
		t.Errorf("tokens made the edge ask %q", hosts)
	}
	if a := protocolsAsk(t, over["HTTP/2"], "GET https://role.example/",
		"Authorization: Bearer "+h.token(t, nil)); a.StatusCode != 200 {
		t.Errorf("after all of these a good one gets %d", a.StatusCode)
	}
}

// demand is what WWW-Authenticate has to say.
func (c bearerCase) demand() string {
	switch c.fault {
	case "-":
		return ""
	case "none":
		return `Doorward realm="` + c.host + `.example"`
	case "":
		return `Bearer realm="` + c.host + `.example"`
	}
	return `Bearer realm="` + c.host + `.example", error="` + c.fault + `"`
}

// What a token has opened ends with it.
func TestWhatATokenOfAProviderOpenedEndsWithIt(t *testing.T) {
	h := newBearerHouse(t)
	over := h.protocolsOver(t, false)
	end := time.Now().Add(5 * time.Second).Truncate(time.Second)
	short, long := h.token(t, claiming("exp", end.Unix())), h.token(t, nil)
	ends, stays := map[string]*lasting{}, map[string]*lasting{}
	for name, over := range over {
		ends[name], stays[name] = h.bearerStream(t, over, short), h.bearerStream(t, over, long)
	}
	wait(t, "the end of the token", func() bool { return time.Now().After(end) })
	for name, over := range over {
		if !ends[name].ends() {
			t.Errorf("over %s it goes on a second after the token ended", name)
		}
		if !stays[name].goes() {
			t.Errorf("over %s that of another token has ended", name)
		}
		a := protocolsAsk(t, over, "GET https://role.example/", "Authorization: Bearer "+short)
		if a.StatusCode != 401 ||
			!strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("over %s a token that was good gets %d", name, a.StatusCode)
		}
	}
}

// bearerStream opens an answer without an end.
func (h *bearerHouse) bearerStream(t *testing.T, over http.RoundTripper, token string) *lasting {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://role.example/time", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := over.RoundTrip(r)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", a, err)
	}
	t.Cleanup(func() { _ = a.Body.Close() })
	lines := bufio.NewReader(a.Body)
	l := &lasting{
		pieces: pieces(t.Context(), func() (string, error) { return lines.ReadString('\n') }),
	}
	if !l.goes() {
		t.Fatal("it does not go on")
	}
	return l
}
