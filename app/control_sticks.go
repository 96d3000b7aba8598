package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"doorward/proxy/stick"
)

// ErrNoSticks says that a backend remembers nobody in a table.
var ErrNoSticks = errors.New("no stick table")

// Sticks are entries of the stick table of a backend.
type Sticks struct {
	// Backend has the table, On is what it remembers clients by.
	Backend string `json:"backend"`
	On      string `json:"on"`
	// Size is how many it has room for, Used how many it knows, Expire how long it
	// remembers them, in seconds; 0 is for ever.
	Size   int     `json:"size"`
	Used   int     `json:"used"`
	Expire float64 `json:"expire_seconds"`
	// Entries are those that were asked for, in no order; More says that there are
	// others.
	Entries []StickEntry `json:"entries"`
	More    bool         `json:"more"`
}

// StickEntry is a client that a table remembers.
type StickEntry struct {
	// Key is the client as text, Server the name of its server.
	Key    string `json:"key"`
	Server string `json:"server"`
	// Expires is in how many seconds it is forgotten without another request.
	Expires float64 `json:"expires_seconds"`
}

// StickChoice says which entries of a table are meant: those of a server, one key,
// or with neither of them all.
type StickChoice struct {
	// Server is the name of a server, Key a key in the form that a listing has.
	Server, Key string
	// Limit bounds a listing; 0 is 100.
	Limit int
}

// query is the choice as parameters.
func (c StickChoice) query() url.Values {
	q := url.Values{}
	if c.Server != "" {
		q.Set("server", c.Server)
	}
	if c.Key != "" {
		q.Set("key", c.Key)
	}
	if c.Limit != 0 {
		q.Set("limit", fmt.Sprint(c.Limit))
	}
	return q
}

// stickTable is the table of a backend.
func (a *App) stickTable(name string) (*stick.Table, error) {
	g := a.live.Load()
	if g.backends[name] == nil {
		return nil, noBackend(name, g.backendNames())
	}
	if t := g.persistence[name].Table; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("backend %q has %w: [backends.%s.stick] makes one",
		name, ErrNoSticks, name)
}

func (g *generation) backendNames() (names []string) {
	for _, c := range sortedBackends(g.cfg) {
		names = append(names, c.Name)
	}
	return names
}

func (a *App) doSticks(r *http.Request) (any, error) {
	name := r.PathValue("backend")
	t, err := a.stickTable(name)
	if err != nil {
		return nil, err
	}
	query, err := readQuery(r, "server", "key", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := readLimit(query)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	o := t.Options()
	list := Sticks{
		Backend: name, On: o.On, Size: t.Size(), Used: t.Len(now), Expire: o.Expire.Seconds(),
		Entries: []StickEntry{},
	}
	if query.Has("key") {
		list.find(t, query, now)
	} else {
		list.list(t, query, limit, now)
	}
	return list, nil
}

func (l *Sticks) add(e stick.Entry) {
	l.Entries = append(l.Entries, StickEntry{e.Key, e.Server, e.Expires.Seconds()})
}

func (l *Sticks) find(t *stick.Table, query url.Values, now time.Time) {
	e, ok := t.Find(query.Get("key"), now)
	if ok && (!query.Has("server") || e.Server == query.Get("server")) {
		l.add(e)
	}
}

// stickPage is how many entries are looked at between two looks at the limit.
const stickPage = 1024

func (l *Sticks) list(t *stick.Table, query url.Values, limit int, now time.Time) {
	server, chosen := query.Get("server"), query.Has("server")
	for at := stick.Cursor(0); ; {
		page, next := t.Entries(at, stickPage, now)
		for _, e := range page {
			switch {
			case chosen && e.Server != server:
			case len(l.Entries) == limit:
				l.More = true
				return
			default:
				l.add(e)
			}
		}
		if at = next; at == 0 {
			return
		}
	}
}

// cleared is how many clients were forgotten.
type cleared struct {
	Cleared int `json:"cleared"`
}

func (a *App) doClearSticks(r *http.Request) (any, error) {
	name := r.PathValue("backend")
	t, err := a.stickTable(name)
	if err != nil {
		return nil, err
	}
	query, err := readQuery(r, "server", "key", "all")
	if err != nil {
		return nil, err
	}
	if len(query) != 1 || query.Has("all") && query.Get("all") != "true" {
		return nil, misasked("say what to clear: one of server=NAME, key=KEY, all=true")
	}
	n, what := 0, "all"
	switch {
	case query.Has("server"):
		// The name may be that of a server which is gone and still has clients.
		what = "those of server " + query.Get("server")
		n = t.DeleteServer(query.Get("server"))
	case query.Has("key"):
		// A key may be a cookie that opens doors elsewhere, so the log does not have it.
		what = "one key"
		if t.Delete(query.Get("key")) {
			n = 1
		}
	default:
		n = t.Clear()
	}
	a.live.Load().log.Info("stick table cleared", zap.String("backend", name),
		zap.String("what", what), zap.Int("entries", n), zap.String("by", caller(r)))
	return cleared{n}, nil
}
