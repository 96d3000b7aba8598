package app_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"doorward/app"
	"doorward/stats"
)

// authority is a CA that issues nothing, and counts who asks.
type authority struct {
	*httptest.Server
	asked  atomic.Int64
	folder string
	caFile string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{folder: t.TempDir()}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.asked.Add(1)
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"type": "urn:ietf:params:acme:error:serverInternal", "detail": "closed today"}`)
	}))
	t.Cleanup(a.Close)
	a.caFile = filepath.Join(a.folder, "ca.pem")
	a.writeRoots(t, "")
	return a
}

// writeRoots writes whom to trust, and something behind it.
func (a *authority) writeRoots(t *testing.T, more string) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw})
	if err := os.WriteFile(a.caFile, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// site orders certificates for its hosts, but for *.test.
func (a *authority) site(t *testing.T, acme, hosts, more string) string {
	t.Helper()
	config := strings.Replace(site(server(t, "app"), ""), "[log]",
		fmt.Sprintf("[tls.acme]\ndirectory = %q\nca_file = %q\n%s\n[log]", a.URL, a.caFile, acme), 1)
	return strings.Replace(config, `hosts = ["app.test"]`, "hosts = ["+hosts+"]", 1) + more
}

// kept is more for a site whose state is kept.
func (a *authority) kept() string {
	return fmt.Sprintf("[state]\nurl = \"file:%s/state\"\n", a.folder)
}

// certificate is what is shown of the certificate for a name.
func (e *edge) certificate(name string) stats.Certificate {
	e.t.Helper()
	for _, c := range e.View().Certificates {
		if slices.Contains(c.Names, name) {
			return c
		}
	}
	e.t.Fatalf("no certificate for %s among %+v", name, e.View().Certificates)
	return stats.Certificate{}
}

func TestCertificatesThatAreNotIssuedAreShown(t *testing.T) {
	a := newAuthority(t)
	e := start(t, a.site(t, "", `"www.example", "app.test", "~x[0-9]", "192.0.2.1"`,
		a.kept()+"[stats]\nhost = \"stats.example\"\n"))
	for _, name := range []string{"www.example", "stats.example"} {
		eventually(t, name+" fails", func() bool { return e.certificate(name).Error != "" })
		c := e.certificate(name)
		if c.Source != "acme" || c.State != "failing" || !c.NotAfter.IsZero() ||
			!strings.Contains(c.Error, "closed today") || !c.NextTry.After(time.Now()) ||
			!strings.HasPrefix(c.Issuer, "temporary, until 127.0.0.1") {
			t.Errorf("%+v", c)
		}
	}
	if c := e.certificate("*.test"); c.Source == "acme" || c.State != "" || c.NotAfter.IsZero() {
		t.Errorf("%+v", c)
	}
	if all := e.View().Certificates; len(all) != 3 {
		t.Errorf("there are others too: %+v", all)
	}
	said := e.lines("hosts have a temporary certificate, which no browser trusts, until the CA has issued one")
	if len(said) != 1 || len(said[0]["hosts"].([]any)) != 2 {
		t.Errorf("the log says %v", said)
	}
}

func TestOrdersGoOnWhileTheirConfigurationIsTheSame(t *testing.T) {
	a := newAuthority(t)
	config := func(acme string) string { return a.site(t, acme, `"www.example"`, a.kept()) }
	e := start(t, config(""))
	first := e.Orders()
	if e.mustReload(config("") + "[timeouts]\nclient = \"7s\"\n"); e.Orders() != first {
		t.Error("another change began them anew")
	}
	e.mustReload(config(`email = "ops@example.com"`))
	second := e.Orders()
	if second == first {
		t.Error("the change of a key changed nothing")
	}
	a.writeRoots(t, "\n")
	if e.mustReload(config(`email = "ops@example.com"`)); e.Orders() == second {
		t.Error("the change of a file changed nothing")
	}
	third := e.Orders()
	e.write(config(`ca_file = "none.pem"`))
	if _, err := e.Reload(); err == nil || e.Orders() != third {
		t.Errorf("a reload with a mistake: %v", err)
	}
	if err := os.Remove(a.caFile); err != nil {
		t.Fatal(err)
	}
	e.write(config(`email = "ops@example.com"`))
	if _, err := e.Reload(); err == nil || !strings.Contains(err.Error(), "tls.acme: ") ||
		!strings.Contains(err.Error(), "ca.pem") || e.Orders() != third {
		t.Errorf("a reload without the roots: %v", err)
	}
}

func TestNobodyIsAskedByACheck(t *testing.T) {
	a := newAuthority(t)
	file := filepath.Join(a.folder, "doorward.toml")
	if err := os.WriteFile(file, []byte(a.site(t, "", `"www.example"`, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := app.Check(app.Options{Path: file, Env: os.LookupEnv}); len(found.Errors()) > 0 {
		t.Error(found)
	}
	if n := a.asked.Load(); n != 0 {
		t.Errorf("the CA was asked %d times", n)
	}
}

func TestOrdersThatDoNotSurviveAreWarnedOf(t *testing.T) {
	a := newAuthority(t)
	for name, test := range map[string]struct {
		more string
		want bool
	}{"in memory": {"", true}, "in a file": {a.kept(), false}} {
		e := start(t, a.site(t, `challenges = ["tls-alpn-01"]`, `"www.example"`, test.more))
		report, err := e.Reload() // which goes on with what is there
		if got := strings.Contains(fmt.Sprint(report.Warnings),
			"tls.acme: certificates are kept in memory"); err != nil || got != test.want {
			t.Errorf("%s: %q, %v", name, report.Warnings, err)
		}
	}
}

func TestWildcardsNeedAFileOrTheDNS(t *testing.T) {
	a := newAuthority(t)
	file := filepath.Join(a.folder, "cert.pem")
	keyPair(t, file, 1, "*.one.example")
	config := func(hosts string) string {
		return strings.Replace(a.site(t, "", hosts, a.kept()), "internal =",
			fmt.Sprintf("certificates = [%q]\ninternal =", file), 1)
	}
	e := start(t, config(`"*.one.example", "*.test", "www.example"`))
	e.write(config(`"*.one.example", "*.two.example"`))
	_, err := e.Reload()
	var faults *app.ConfigError
	if !errors.As(err, &faults) || len(faults.Diagnostics.Errors()) != 1 {
		t.Fatalf("%v", err)
	}
	if d := faults.Diagnostics.Errors()[0]; d.Key != "route[0].hosts[1]" || d.Hint == "" ||
		!strings.Contains(d.Message, "no file covers the wildcard") {
		t.Errorf("%v", d)
	}
}

func TestCertificatesAtTheControlSocket(t *testing.T) {
	a := newAuthority(t)
	socket := filepath.Join(shortDir(t), "sock")
	config := func(s string) string {
		return strings.Replace(s, `control = ""`, fmt.Sprintf("control = %q", socket), 1)
	}
	all := config(a.site(t, "", `"www.example"`, a.kept()))
	e := start(t, all)
	client, ctx := app.Client{Socket: socket}, context.Background()
	for name, want := range map[string]string{
		"www.example":   "closed today",
		"WWW.Example.":  "closed today",
		"ww.example":    `did you mean "www.example"?`,
		"app.test":      "not among the names",
		"*.test":        "not among the names",
		"../../reload":  "not among the names",
		"a\nlevel=info": "not among the names",
	} {
		if _, err := client.RenewCertificate(ctx, name); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
	list, err := client.Certificates(ctx)
	if err != nil || len(list.Certificates) != 2 || list.Certificates[1].State != "failing" {
		t.Errorf("%+v, %v", list, err)
	}
	root, err := client.InternalRoot(ctx)
	if err != nil || root.PEM != string(e.Root()) {
		t.Errorf("%+v, %v", root, err)
	}
	e.mustReload(strings.Replace(all, `internal = ["*.test"]`, "", 1))
	if root, err := client.InternalRoot(ctx); err == nil {
		t.Errorf("the root of temporary certificates was given away: %+v", root)
	}
	if list, err := client.Certificates(ctx); err != nil || len(list.Certificates) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// An order takes longer than other commands may.
func TestARenewalMayTakeLongerThanOtherCommands(t *testing.T) {
	for name, test := range map[string]struct {
		most     time.Duration
		answered bool
	}{"as others": {-time.Minute, false}, "longer": {time.Minute, true}} {
		t.Run(name, func(t *testing.T) {
			late := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				<-time.After(100 * time.Millisecond)
				fmt.Fprint(w, "issued")
			})
			s := httptest.NewUnstartedServer(app.Unhurried(late, test.most))
			s.Config.WriteTimeout = 20 * time.Millisecond
			s.Start()
			defer s.Close()
			r, err := http.Get(s.URL)
			if err == nil {
				r.Body.Close()
			}
			if (err == nil) != test.answered {
				t.Errorf("%v", err)
			}
		})
	}
}
