package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// smallBody is what the servers answer on /: 97 bytes.
	smallBody  = "A small answer, as long as the JSON of one record in a list or of an error message generally is.\\n"
	smallBytes = len(smallBody) - 1 // the \n is one byte
	// bigBytes is how much they answer on /big, and what uploads send to /upload,
	// which has an answer of uploadBytes.
	bigBytes    = 1 << 20
	uploadBytes = len("read\n")
)

// lab is one run: the servers, the proxies in front of them, and their folder.
type lab struct {
	dir       string
	setting   setting
	origin    *process
	proxies   []*proxy
	cores     cores
	authority *authority // behind the certificates of many names; nil before the first
}

// cores is who runs where.
type cores struct{ proxy, load int }

// setting is what the configuration files are made from.
type setting struct {
	Dir         string
	Certificate string  // chain and key in one file
	Named       []named // the certificates of single names, for nginx
	Root        bool    // nginx wants to be told which user it is
	Servers     []string
	HTTP, HTTPS string // of the proxy whose file it is
	Hosts       []string
	Headers     map[string]string
	Small       string
	Splice      bool // for HAProxy
	Watched     bool // for Doorward
	Metrics     string
	Gated       bool   // who asks for an app must have signed in
	Helper      string // where the program listens that the gate asks
}

func openLab(o options) (*lab, error) {
	where, err := twoCores()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, cores: where, setting: setting{
		Dir:         dir,
		Certificate: filepath.Join(dir, "edge.pem"),
		Root:        os.Geteuid() == 0,
		Hosts:       []string{"app1.bench.test", "app2.bench.test", "app3.bench.test"},
		Headers: map[string]string{
			// Strict-Transport-Security is not among them: it means nothing over plain
			// HTTP (RFC 6797, section 7.2), and not every proxy sends it there.
			"Cross-Origin-Opener-Policy": "same-origin",
			"X-Content-Type-Options":     "nosniff",
			"X-Frame-Options":            "DENY",
			"Referrer-Policy":            "no-referrer",
			"Permissions-Policy":         "geolocation=(), microphone=(), camera=()",
		},
		Small: smallBody,
	}}
	if err := l.furnish(o); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// furnish writes what needs no running process: certificate, big file, list of
// proxies.
func (l *lab) furnish(o options) error {
	names := slices.Concat(l.setting.Hosts, []string{signInHost})
	if err := writeCertificate(l.setting.Certificate, names); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(l.dir, "big"), make([]byte, bigBytes), 0o644); err != nil {
		return err
	}
	wanted := strings.Split(o.only, ",")
	for _, p := range contenders(o.binary) {
		if i := slices.Index(wanted, p.name); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			l.proxies = append(l.proxies, p)
		}
	}
	if len(wanted) > 0 {
		return fmt.Errorf("no proxy is called %s", strings.Join(wanted, " or "))
	}
	return nil
}

func (l *lab) start(ctx context.Context) error {
	ports, err := freeAddresses(2)
	if err != nil {
		return err
	}
	l.setting.Servers = ports
	file, err := l.setting.render("origin.conf")
	if err != nil {
		return err
	}
	l.origin, err = startProcess(l.cores.load, l.dir, nginxCommand(file))
	if err != nil {
		return err
	}
	if err := l.origin.listening(ctx, ports...); err != nil {
		return err
	}
	for _, p := range l.proxies {
		if err := l.launch(ctx, p, l.setting); err != nil {
			return err
		}
	}
	return nil
}

// launch starts a proxy on ports and in a folder of its own and waits until it
// listens.
func (l *lab) launch(ctx context.Context, p *proxy, s setting) error {
	ports, err := freeAddresses(4)
	if err != nil {
		return err
	}
	p.http, p.https = ports[0], ports[1]
	s.Watched, s.Metrics = p.name == "doorward-watched", ports[2]
	s.Gated, s.Helper = p.gate != nil, ports[3]
	if s.Dir, err = os.MkdirTemp(l.dir, p.name+"-"); err != nil {
		return err
	}
	p.control = filepath.Join(s.Dir, "doorward.sock")
	s.HTTP, s.HTTPS, s.Splice = p.http, p.https, p.name == "haproxy-splice"
	file, err := s.render(p.template)
	if err != nil {
		return err
	}
	p.process, err = startProcess(l.cores.proxy, s.Dir, p.command(file))
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	if err := p.process.listening(ctx, p.http, p.https); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	if p.gate == nil || p.gate.helper == nil {
		return nil
	}
	return l.help(ctx, p, s)
}

// help starts the program that the proxy's gate asks, on the proxy's core: what it
// uses is part of what a request costs.
func (l *lab) help(ctx context.Context, p *proxy, s setting) error {
	command, err := p.gate.helper(s)
	if err != nil {
		return err
	}
	helper, err := startProcess(l.cores.proxy, s.Dir, command)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.process.helper = helper
	return helper.listening(ctx, s.Helper)
}

// close stops every process and removes the folder.
func (l *lab) close() {
	for _, p := range l.proxies {
		p.process.stop()
	}
	l.origin.stop()
	os.RemoveAll(l.dir)
}

// freeAddresses finds ports that nobody listens on, all different.
func freeAddresses(n int) ([]string, error) {
	var found []string
	var failed error
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		defer l.Close()
		found = append(found, l.Addr().String())
	}
	return found, failed
}
