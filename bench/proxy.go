package main

import (
	"bytes"
	"embed"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
)

//go:embed config
var configFiles embed.FS

// proxy is one contender.
type proxy struct {
	name     string
	template string // its file in config, without .tmpl
	command  func(file string) []string
	rows     []string // those it takes part in; empty: all but those of the gate
	version  []string // the command that prints it
	gate     *gate    // what makes it ask who somebody is
	ungated  string   // the same without that, which has the same requests

	http, https string // where it listens
	control     string // the socket of Doorward's commands
	http2       bool   // a client that wants HTTP/2 gets it
	cookie      string // of somebody who has signed in
	process     *process
}

var gatedRows = []string{"gated-h1", "gated-h2"}

func contenders(doorward string) []*proxy {
	return []*proxy{
		{
			name: "doorward", template: "doorward.toml", version: []string{doorward, "version"},
			command: func(file string) []string { return []string{doorward, "run", "--config", file} },
		},
		{
			// With all that an operator would turn on, which may cost next to nothing: checks
			// of the servers, a stick table, a limit, statistics.
			name: "doorward-watched", template: "doorward.toml", version: []string{doorward, "version"},
			command: func(file string) []string { return []string{doorward, "run", "--config", file} },
		},
		{
			name: "haproxy", template: "haproxy.cfg", version: []string{"haproxy", "-v"},
			command: func(file string) []string { return []string{"haproxy", "-db", "-f", file} },
		},
		{
			// What an operator gains who reads the manual up to the end. It changes
			// nothing but bulk between plain sockets.
			name: "haproxy-splice", template: "haproxy.cfg", version: []string{"haproxy", "-v"},
			command: func(file string) []string { return []string{"haproxy", "-db", "-f", file} },
			rows:    []string{"down", "up"},
		},
		{
			name: "nginx", template: "nginx.conf", version: []string{"nginx", "-v"},
			command: nginxCommand,
		},
		{
			name: "doorward-gated", template: "doorward.toml", version: []string{doorward, "version"},
			command: func(file string) []string { return []string{doorward, "run", "--config", file} },
			rows:    gatedRows, ungated: "doorward", gate: doorwardGate(doorward),
		},
		{
			// A request of its own to oauth2-proxy for each, over connections that are kept.
			name: "nginx-oauth2-proxy", template: "nginx.conf",
			version: []string{oauth2Proxy, "--version"}, command: nginxCommand,
			rows: gatedRows, ungated: "nginx", gate: oauth2ProxyGate(),
		},
	}
}

// available are the names of all, without the one that takes minutes to build where
// that was not done.
func available() []string {
	var names []string
	for _, p := range contenders("") {
		if _, err := exec.LookPath(oauth2Proxy); err == nil || p.name != "nginx-oauth2-proxy" {
			names = append(names, p.name)
		}
	}
	return names
}

// nginxCommand logs to standard error until the file says otherwise, since the
// place compiled in belongs to root.
func nginxCommand(file string) []string {
	return []string{"nginx", "-e", "stderr", "-p", filepath.Dir(file), "-c", file}
}

// Default is the file of the certificate for names that have none.
func (s setting) Default() string {
	if len(s.Named) > 0 {
		return s.Named[0].File
	}
	return s.Certificate
}

// render writes a program's configuration file and returns its path.
func (s setting) render(name string) (string, error) {
	t, err := template.ParseFS(configFiles, "config/"+name+".tmpl")
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, s); err != nil {
		return "", err
	}
	file := filepath.Join(s.Dir, name)
	return file, os.WriteFile(file, text.Bytes(), 0o600)
}
