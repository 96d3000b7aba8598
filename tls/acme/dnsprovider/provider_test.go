package dnsprovider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"

	"doorward/internal/porttest"
	"doorward/internal/safe"
	"doorward/tls/acme/dnsprovider"
)

// zone is a zone in the memory of a test's service: the texts of each name.
type zone struct {
	mu    sync.Mutex
	texts map[string][]string
	seen  []string // requests, in a few words
}

func newZone() *zone { return &zone{texts: map[string][]string{}} }

func (z *zone) note(format string, args ...any) {
	z.seen = append(z.seen, fmt.Sprintf(format, args...))
}

func (z *zone) of(name string) []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.texts[name])
}

func text(value string) []libdns.Record {
	return []libdns.Record{libdns.TXT{Name: "_acme-challenge", Text: value}}
}

// exercise writes two texts at one name and takes both away again.
func exercise(t *testing.T, p dnsprovider.Provider, z *zone) {
	t.Helper()
	const name = "_acme-challenge.example.com"
	ctx := context.Background()
	step := func(err error, want ...string) {
		t.Helper()
		got := z.of(name)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v, texts %q, want %q\n%s", err, got, want, strings.Join(z.seen, "\n"))
		}
	}
	_, err := p.AppendRecords(ctx, "example.com.", text("one"))
	step(err, "one")
	_, err = p.AppendRecords(ctx, "example.com.", text("two"))
	step(err, "one", "two")
	_, err = p.DeleteRecords(ctx, "example.com.", text("one"))
	step(err, "two")
	_, err = p.DeleteRecords(ctx, "example.com.", text("two"))
	step(err)
	_, err = p.DeleteRecords(ctx, "example.com.", text("two"))
	step(err)
}

func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func provider(t *testing.T, o dnsprovider.Options) dnsprovider.Provider {
	t.Helper()
	p, err := dnsprovider.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUpdates(t *testing.T) {
	const key = "c2VjcmV0IG9mIHRoZSB0ZXN0"
	z := newZone()
	pc, err := net.ListenPacket("udp", porttest.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	sock, err := net.Listen("tcp", pc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{
		Listener: sock, Net: "tcp", TsigSecret: map[string]string{"doorward.": key},
		MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept },
		Handler:       dns.HandlerFunc(z.update),
	}
	udp := &dns.Server{
		PacketConn: pc, TsigSecret: server.TsigSecret, MsgAcceptFunc: server.MsgAcceptFunc,
		Handler: server.Handler,
	}
	for _, s := range []*dns.Server{server, udp} {
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		safe.Go(nil, "dns", func() { _ = s.ActivateAndServe() })
		<-ready
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	o := dnsprovider.Options{
		Provider: dnsprovider.RFC2136, Server: sock.Addr().String(),
		KeyName: "doorward.", Key: key,
	}
	exercise(t, provider(t, o), z)
	o.Key = "b3RoZXI="
	_, err = provider(t, o).AppendRecords(context.Background(), "example.com.", text("x"))
	if err == nil || strings.Contains(err.Error(), o.Key) {
		t.Errorf("a wrong key: %v", err)
	}
}

// update takes signed updates of texts.
func (z *zone) update(w dns.ResponseWriter, m *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	answer := new(dns.Msg).SetReply(m)
	if m.IsTsig() == nil || w.TsigStatus() != nil {
		answer.Rcode = dns.RcodeNotAuth
		_ = w.WriteMsg(answer)
		return
	}
	for _, r := range m.Ns {
		txt, ok := r.(*dns.TXT)
		if !ok {
			continue
		}
		name := strings.TrimSuffix(txt.Hdr.Name, ".")
		value := strings.Join(txt.Txt, "")
		z.texts[name] = slices.DeleteFunc(z.texts[name], func(t string) bool { return t == value })
		if txt.Hdr.Class == dns.ClassINET {
			z.texts[name] = append(z.texts[name], value)
		}
	}
	answer.SetTsig("doorward.", dns.HmacSHA256, 300, int64(m.IsTsig().TimeSigned))
	_ = w.WriteMsg(answer)
}

func TestCloudflare(t *testing.T) {
	z := newZone()
	base := serve(t, z.cloudflare)
	o := dnsprovider.Options{Provider: dnsprovider.Cloudflare, Token: "s3cr3t", Base: base}
	exercise(t, provider(t, o), z)
	o.Token = "wrong"
	_, err := provider(t, o).AppendRecords(context.Background(), "example.com.", text("x"))
	if err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong token: %v", err)
	}
}

// cloudflare imitates what Cloudflare answers.
func (z *zone) cloudflare(w http.ResponseWriter, r *http.Request) {
	z.mu.Lock()
	defer z.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	z.note("%s %s %s", r.Method, r.URL, body)
	if r.Header.Get("Authorization") != "Bearer s3cr3t" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"success": false, "errors": [{"code": 10000, "message": "Authentication error"}]}`)
		return
	}
	const name = "_acme-challenge.example.com"
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/zones"):
		fmt.Fprint(w, `{"success": true, "result": [{"id": "Z1", "name": "example.com"}]}`)
	case r.Method == http.MethodPost:
		var record struct{ Content string }
		_ = json.Unmarshal(body, &record)
		value := strings.Trim(record.Content, `"`)
		z.texts[name] = append(z.texts[name], value)
		fmt.Fprintf(w, `{"success": true, "result": {"id": %q, "type": "TXT", "name": %q, "content": %q}}`,
			value, name, record.Content)
	case r.Method == http.MethodDelete:
		id := path[strings.LastIndex(path, "/")+1:]
		z.texts[name] = slices.DeleteFunc(z.texts[name], func(t string) bool { return t == id })
		fmt.Fprintf(w, `{"success": true, "result": {"id": %q}}`, id)
	default:
		var records []string
		for _, text := range z.texts[name] {
			records = append(records, fmt.Sprintf(
				`{"id": %q, "type": "TXT", "name": %q, "content": %q}`, text, name, `"`+text+`"`))
		}
		fmt.Fprintf(w, `{"success": true, "result": [%s]}`, strings.Join(records, ","))
	}
}

// Requests hold credentials, so nobody may send them elsewhere.
func TestNobodyIsFollowedElsewhere(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("somebody came") })
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
	})
	for _, o := range []dnsprovider.Options{
		{Provider: dnsprovider.Cloudflare, Token: "s3cr3t"},
		{Provider: dnsprovider.Route53, AccessKeyID: "AKIDTEST", SecretAccessKey: "s3cr3t"},
		{Provider: dnsprovider.Azure, ClientSecret: "s3cr3t", SubscriptionID: "sub", ResourceGroup: "g"},
		{Provider: dnsprovider.Azure, SubscriptionID: "sub", ResourceGroup: "g"},
	} {
		o.Base, o.Login = base, base
		_, err := provider(t, o).AppendRecords(context.Background(), "example.com.", text("x"))
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", o.Provider, err)
		}
	}
}

func TestUnknownProvider(t *testing.T) {
	if _, err := dnsprovider.New(dnsprovider.Options{Provider: "bind"}); err == nil ||
		!strings.Contains(err.Error(), "rfc2136") {
		t.Errorf("%v", err)
	}
}
