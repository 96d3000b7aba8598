package app

import (
	"time"

	"doorward/proxy"
	"doorward/proxy/backend"
)

// foretell says which server would get the request, as far as that can be said without
// sending one: the turns of a backend go on with each question that is a real one.
func (q *inquiry) foretell(b *backend.Backend, status *BackendStatus) {
	out := &q.out
	out.Backend, out.BackendStatus, out.Balance = b.Name(), status.Status, status.Algorithm
	out.Servers = takers(status, q.cfg.Backends[b.Name()].UseAllBackups)
	switch name := q.remembered(b); {
	case name != "":
		out.Server, out.ServerBy = name, "the stick table remembers it"
	case len(out.Servers) == 1:
		out.Server, out.ServerBy = out.Servers[0], "it is the only one"
	case len(out.Servers) > 1 && status.Algorithm == "first":
		out.Server, out.ServerBy = out.Servers[0], "the first, while it has room"
	}
}

// takers are the servers that requests are shared out over. Those for backup are when
// nobody else is left.
func takers(status *BackendStatus, allBackups bool) []string {
	var names, backups []string
	for i := range status.Servers {
		switch s := &status.Servers[i]; {
		case !s.Usable:
		case s.Backup:
			backups = append(backups, s.Name)
		default:
			names = append(names, s.Name)
		}
	}
	switch {
	case len(names) > 0:
		return names
	case allBackups:
		return backups
	}
	return backups[:min(1, len(backups))]
}

// remembered is the server that the user, or the client's address, belongs to. What
// cookies and fields say is not known here.
func (q *inquiry) remembered(b *backend.Backend) string {
	p := q.persistence[b.Name()]
	key := ""
	switch {
	case p.Table == nil:
		return ""
	case p.On.Kind == proxy.ByUser && q.view != nil:
		key = q.view.User.Name
	case p.On.Kind == proxy.ByAddress && q.client.IsValid():
		key = q.client.String()
	default:
		return ""
	}
	e, ok := p.Table.Find(key, time.Now())
	if s := b.Server(e.Server); ok && s != nil && s.KeepsClients() {
		return s.Name()
	}
	return ""
}
