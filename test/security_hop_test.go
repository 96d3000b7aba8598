package test_test

import (
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// edgeToken is a header field that the edge proves itself with to its servers.
const edgeToken = `
	[headers.request]
	set = { X-Edge-Token = "ours", Remote-User = "{client_ip}" }
	remove = ["X-Debug"]
`

// TestSecurityHOP has the cases of group HOP: what a Connection field may do.
func TestSecurityHOP(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, edgeToken)
	edgetest.Run(t, edge, rec, append(hopByHopCases(), connectionCases()...))
}

// connectionCases name fields in Connection that must not end here.
func connectionCases() []edgetest.Case {
	nominating := func(value string) string {
		return get("/", "Connection: "+value, "Cookie: a=b", "Authorization: Basic x",
			"X-Forwarded-User: admin", "X-Other: gone")
	}
	return []edgetest.Case{
		refused("H1-08_HOP-04_Connection_names_framing", append(each(nominating,
			"Content-Length", "Transfer-Encoding", "Host", "close, host", "content_length",
			"Transfer.Encoding", "Content-Type", "Expect"),
			sized("hello", "Connection: Content-Length"),
			chunked("5⏎hello⏎0⏎⏎", "Connection: Transfer-Encoding"))...),
		refused("HOP-01_HOP-02_Connection_names_an_identity", each(nominating,
			"close, X-Forwarded-User", "x-forwarded-user", "X-Real-Ip", "x-real-ip",
			`"X-Forwarded-User"`, ",X-Forwarded-User,,", "X-Forwarded-User;q=1",
			"\tX-Forwarded-User\t", "close⏎Connection: X-Forwarded-User",
			"close⏎connection: x-forwarded-user", "X_Forwarded_User", "X.Forwarded.User",
			"keep-alive,\tX-Forwarded-Groups")...),
		refused("HOP-03_Connection_names_credentials", each(nominating,
			"Cookie", "Authorization", "cookie, authorization", "close, COOKIE")...),
		refused("HOP-05_Connection_names_forwarding", each(nominating,
			"X-Forwarded-For, Forwarded, X-Forwarded-Proto", "Forwarded", "X-Forwarded-Host",
			"x-forwarded-proto", "X_Forwarded_For")...),
		{
			Name: "HOP-06_Connection_names_a_token_of_ours", Status: 200, Reach: 1,
			Never: []string{"theirs", "admin"},
			Send: []string{
				get("/", "Connection: X-Edge-Token"),
				get("/", "Connection: x-edge-token", "X-Edge-Token: theirs"),
				get("/", "X-Edge-Token: theirs", "remote-user: admin"),
				get("/", "x-edge-token: theirs", "X-EDGE-TOKEN: theirs", "Remote-User:"),
				get("/", "X.Edge.Token: theirs", "Remote.User: admin", "X~Debug: admin"),
				chunked("0⏎X-Edge-Token: theirs⏎remote-user: admin⏎X.Edge.Token: theirs⏎⏎"),
				get("/", "X_Edge_Token: theirs", "Remote_User: admin", "x-debug: admin"),
			},
			Check: func(t testing.TB, o *edgetest.Outcome) {
				wantField("X-Edge-Token", "ours")(t, o)
				wantField("Remote-User", "127.0.0.1")(t, o)
			},
		},
		served("HOP-02_other_fields_are_dropped_as_told", wantField("X-Other"),
			withLine("Connection: X-Other⏎X-Other: x"), withLine("X-Other: x⏎Connection: x-other"),
			withLine("Connection: , x-other ,⏎X-Other: x⏎x-other: y"),
			withLine("Connection: keep-alive⏎Connection: X-Other⏎X-Other: x")),
		refused("HOP-02_tokens_that_are_none", each(nominating, "X-Other\x80", "X Other",
			"@", "X-Other, (comment)", "close;", strings.Repeat("x-other,", 40))...),
	}
}

// hopByHopCases have fields that end at the edge whatever Connection says.
func hopByHopCases() []edgetest.Case {
	return []edgetest.Case{
		{
			Name: "HOP-07_fields_of_the_other_connection", Status: 200, Reach: 1,
			Never: []string{"Keep-Alive", "Proxy-", "Trailer", "Upgrade", "TE:", "HTTP2",
				"Connection",
				"secret"},
			Send: each(withLine, "Keep-Alive: timeout=secret", "Proxy-Connection: secret",
				"Proxy-Authorization: Basic secret", "Proxy-Authenticate: Basic secret",
				"Trailer: secret", "Upgrade: secret", "Upgrade: secret⏎Connection: upgrade",
				"TE: gzip;secret", "TE: deflate, secret", "HTTP2-Settings: secret",
				"Connection: HTTP2-Settings⏎HTTP2-Settings: secret", "Connection: keep-alive",
				"Connection: TE⏎TE: trailers;q=secret", "proxy-connection: secret",
				"Proxy: secret"),
		},
		served("HOP-07_TE_trailers_passes_alone", wantField("TE", "trailers"),
			withLine("TE: trailers"), withLine("Connection: TE⏎TE: Trailers")),
		{
			Name: "HOP-07_close", Status: 200, Closes: true, Reach: 1,
			Never: []string{"Connection"},
			Send: []string{withLine("Connection: close"), withLine("Connection: Close, keep-alive"),
				withLine("Connection: keep-alive⏎Connection: close"),
				request("GET / HTTP/1.0", "Host: app.example"),
				request("GET / HTTP/1.0", "Host: app.example", "Connection: close")},
		},
	}
}

// TestSecurityHOPAnswers has the case of group HOP that a server begins.
func TestSecurityHOPAnswers(t *testing.T) {
	edge, rec := startSite(t, func(p *edgetest.Peer) {
		for p.Request() != nil {
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 2⏎Set-Cookie: a=b⏎X-Other: x⏎" +
				"Strict-Transport-Security: max-age=1⏎Content-Security-Policy: none⏎" +
				"Connection: Set-Cookie, Strict-Transport-Security, Content-Security-Policy⏎" +
				"Connection: content-length, x-other⏎Keep-Alive: timeout=5⏎" +
				"Proxy-Connection: x⏎Proxy-Authenticate: x⏎Upgrade: h2c⏎Trailer: x⏎⏎ok")
		}
	}, "")
	edgetest.Run(t, edge, rec, []edgetest.Case{{
		Name: "HOP-08_answer_nominates_what_protects_the_client", Status: 200, Reach: 1,
		Send: []string{get("/")},
		Check: func(t testing.TB, o *edgetest.Outcome) {
			m := o.Answers[0]
			for name, want := range map[string]string{
				"Set-Cookie": "a=b", "X-Other": "x", "Content-Security-Policy": "none",
				"Content-Length": "2", "Connection": "", "Keep-Alive": "", "Proxy-Connection": "",
				"Proxy-Authenticate": "", "Upgrade": "", "Trailer": "",
				"Strict-Transport-Security": "max-age=1",
			} {
				if got := strings.Join(m.Values(name), "|"); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		},
	}})
}
