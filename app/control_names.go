package app

import (
	"fmt"
	"slices"
	"strings"

	"doorward/config"
)

// backend finds a backend.
func (l *Servers) backend(name string) (*BackendStatus, error) {
	var names []string
	for i := range l.Backends {
		if l.Backends[i].Name == name {
			return &l.Backends[i], nil
		}
		names = append(names, l.Backends[i].Name)
	}
	return nil, noBackend(name, names)
}

// server finds a server.
func (b *BackendStatus) server(name string) (*ServerStatus, error) {
	var names []string
	for i := range b.Servers {
		if b.Servers[i].Name == name {
			return &b.Servers[i], nil
		}
		names = append(names, b.Servers[i].Name)
	}
	return nil, noServer(b.Name, name, names)
}

// ServerName names a server among those of all backends.
type ServerName struct {
	// Backend and Server are the names.
	Backend, Server string
}

// String is how Choose takes it.
func (n ServerName) String() string { return n.Backend + "/" + n.Server }

// Choose finds servers by words of the form "BACKEND/SERVER", or "BACKEND/*" for all
// of a backend, each once and in the order of the words. When one word names nothing
// there are none.
func (l *Servers) Choose(words []string) ([]ServerName, error) {
	var chosen []ServerName
	for _, word := range words {
		backendName, server, ok := strings.Cut(word, "/")
		if !ok {
			return nil, l.unclear(word)
		}
		b, err := l.backend(backendName)
		if err != nil {
			return nil, err
		}
		names := []ServerName{{backendName, server}}
		if server == "*" {
			names = names[:0]
			for i := range b.Servers {
				names = append(names, ServerName{backendName, b.Servers[i].Name})
			}
		} else if _, err := b.server(server); err != nil {
			return nil, err
		}
		for _, n := range names {
			if !slices.Contains(chosen, n) {
				chosen = append(chosen, n)
			}
		}
	}
	return chosen, nil
}

// unclear is the error for a word without a slash.
func (l *Servers) unclear(word string) error {
	for i := range l.Backends {
		b := &l.Backends[i]
		if b.Name == word {
			return fmt.Errorf("%q is a backend: name one of its servers, or %q for all",
				word, word+"/*")
		}
		if _, err := b.server(word); err == nil {
			return fmt.Errorf("%q has no backend before it (did you mean %q?)",
				word, b.Name+"/"+word)
		}
	}
	return fmt.Errorf("%q names no server: write BACKEND/SERVER", word)
}

// noBackend and noServer are errors about names that nothing has, with the one that
// was meant perhaps.
func noBackend(name string, known []string) error {
	return fmt.Errorf("%w: %q%s", ErrNoBackend, name, meant(name, known))
}

func noServer(backendName, name string, known []string) error {
	return fmt.Errorf("%w: %q in backend %q%s", ErrNoServer, name, backendName, meant(name, known))
}

func meant(name string, known []string) string {
	if near := config.Nearest(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
