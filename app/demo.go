package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"go.uber.org/zap"

	"doorward/auth/user"
	"doorward/internal/demo"
)

// DemoOptions are what a demo gets from outside.
type DemoOptions struct {
	// HTTP and HTTPS are the addresses to listen on.
	HTTP, HTTPS string
	// Dir keeps the internal CA and the configuration between runs; it is made
	// when it is missing.
	Dir string
	// Version is as in Options.
	Version string
}

// Demo is an edge with two small servers behind it, to try.
type Demo struct {
	*App
	// Root is the file with the certificate of the internal CA.
	Root string
	// Config is the configuration file, Control the socket.
	Config, Control string
	// User and Password sign in at DemoSignIn. The password is another one each time.
	User, Password string
	servers        []*demo.Server
}

// The hosts of the demo: one that is open to everybody, one that is not, where people
// sign in, and the statistics.
const (
	DemoHost    = "whoami.localhost"
	DemoPrivate = "private.localhost"
	DemoSignIn  = "login.localhost"
	DemoStats   = "stats.localhost"
)

// demoServers are the names of the servers.
var demoServers = [...]string{"whoami-1", "whoami-2"}

// StartDemo starts a demo. Its configuration is a file that may be changed and
// reloaded as any other, until the next demo writes it anew.
func StartDemo(o DemoOptions) (_ *Demo, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(o.HTTPS)
	if err != nil {
		return nil, fmt.Errorf("--https: %w", err)
	}
	d := &Demo{
		// Two demos differ in their ports.
		Config:  filepath.Join(o.Dir, "doorward-"+port+".toml"),
		Control: filepath.Join(o.Dir, "control-"+port+".sock"),
		Root:    filepath.Join(o.Dir, "internal-ca", "internal-ca.crt"),
	}
	if len(d.Control) > maxSocketPath {
		d.Control = ""
	}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if err := d.startServers(); err != nil {
		return nil, err
	}
	if err := d.writeConfig(o); err != nil {
		return nil, err
	}
	d.App, err = New(Options{
		Path: d.Config, Env: os.LookupEnv, StateDir: o.Dir, Version: o.Version,
	})
	if err != nil {
		return nil, err
	}
	if err := d.addUser(); err != nil {
		return nil, errors.Join(err, d.Stop(context.Background()))
	}
	if err := d.Start(); err != nil {
		return nil, err
	}
	return d, nil
}

// addUser makes the user of the demo, or gives it another password.
func (d *Demo) addUser() error {
	ctx, cancel := context.WithTimeout(context.Background(), openWithin)
	defer cancel()
	s := d.current.signIn
	d.User = "demo"
	text := strings.ToLower(rand.Text())
	d.Password = strings.Join([]string{text[:5], text[5:10], text[10:15], text[15:20]}, "-")
	person := s.directory.ByName(d.User)
	if person == nil {
		var err error
		if person, err = s.directory.Create(ctx, user.User{
			Name: d.User, Title: "Demo User", Email: "demo@example.com",
			Groups: []string{adminGroup}, State: user.Active,
		}); err != nil {
			return err
		}
	}
	phc, err := s.hasher.Hash(ctx, d.Password)
	if err != nil {
		return err
	}
	return s.directory.SetPassword(ctx, person.View().User.ID, phc)
}

func (d *Demo) startServers() error {
	for _, name := range demoServers {
		s, err := demo.Start(name, zap.NewNop())
		if err != nil {
			return err
		}
		d.servers = append(d.servers, s)
	}
	return nil
}

// Close ends the servers; to Stop the edge comes first.
func (d *Demo) Close() {
	for _, s := range d.servers {
		s.Close()
	}
}

var demoConfig = template.Must(template.New("").Funcs(template.FuncMap{"quote": quoteTOML}).Parse(
	`# What "doorward demo" runs with. Change it and reload; the next demo writes it anew.

[listen]
http = [{{quote .HTTP}}]
https = [{{quote .HTTPS}}]
control = {{quote .Control}}

[tls]
internal = ["localhost", "*.localhost"]   # certificates from a CA of our own

[state]
url = {{quote .State}}

[sign_in]
host = {{quote .SignIn}}

[groups.admins]
title = "Administrators"

[stats]
host = {{quote .Stats}}
access = { groups = ["admins"] }

[timeouts]
drain = "1s"

[log]
format = "console"
access = "haproxy"

[headers.response]                        # a browser would remember it for other demos
remove = ["Strict-Transport-Security"]

[[route]]
name = "whoami"
hosts = [{{quote .Host}}]
backend = "whoami"
access = "public"
app = { title = "Who am I", description = "Shows the request, to everybody" }

[[route]]
name = "private"
hosts = [{{quote .Private}}]
backend = "whoami"
access = "any-user"                       # or { groups = ["admins"] }
identity_headers = "authentik"            # the server learns who you are
app = { title = "Who am I, signed in", description = "The same servers, behind the gate" }

[[route]]
hosts = ["localhost"]
access = "public"
redirect = {{quote .Redirect}}

[backends.whoami]
description = "Two servers that show the request they got"

[backends.whoami.check]
path = "/status/200"
expect = [200]
{{range .Servers}}
[[backends.whoami.server]]
name = {{quote .Name}}
url = {{quote .URL}}
{{end}}`))

// quoteTOML makes a basic string of TOML. Nothing in a path or an address needs
// more than that.
func quoteTOML(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (d *Demo) writeConfig(o DemoOptions) error {
	type server struct{ Name, URL string }
	data := struct {
		HTTP, HTTPS, Control, Host, Private, SignIn, Stats, State, Redirect string
		Servers                                                             []server
	}{
		HTTP: o.HTTP, HTTPS: o.HTTPS, Control: d.Control, Host: DemoHost, Private: DemoPrivate,
		SignIn: DemoSignIn, Stats: DemoStats,
	}
	_, port, _ := net.SplitHostPort(o.HTTPS)
	if port != "443" && port != "0" {
		data.SignIn += ":" + port
	}
	data.State = "file:" + filepath.Join(o.Dir, "state-"+port)
	data.Redirect = "https://" + net.JoinHostPort(DemoHost, port) + "{uri}"
	for i, s := range d.servers {
		data.Servers = append(data.Servers, server{demoServers[i], s.URL()})
	}
	f, err := os.OpenFile(d.Config, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(demoConfig.Execute(f, data), f.Close())
}
