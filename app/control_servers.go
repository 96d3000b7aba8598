package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"doorward/internal/tally"
	"doorward/proxy/backend"
	"doorward/stats"
)

// Servers are the servers of an instance, by backend.
type Servers struct {
	// Now is when they were looked at.
	Now time.Time `json:"now"`
	// Backends are in the order of their names.
	Backends []BackendStatus `json:"backends"`
}

// BackendStatus is a backend with its servers.
type BackendStatus struct {
	// Name, Description and Algorithm are as configured.
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Algorithm   string `json:"algorithm"`
	// Status is "UP", or "DOWN" when no server takes requests.
	Status string `json:"status"`
	// Queued is how many requests wait for any of the servers, QueueLimit how many
	// may.
	Queued     int64 `json:"queued"`
	QueueLimit int64 `json:"queue_limit"`
	// Servers are in the order of the configuration.
	Servers []ServerStatus `json:"servers"`
}

// ServerStatus is a server as checks, people and requests have made it. The keys
// mean what they mean in the JSON of the statistics.
type ServerStatus struct {
	// Name and Backup are as configured, Address is where it is.
	Name    string `json:"name"`
	Address string `json:"address"`
	Backup  bool   `json:"backup"`
	// Status is HAProxy's word: "UP", "UP 2/3", "DOWN", "DOWN 1/2", "DRAIN", "MAINT",
	// "no check". Since is when that began, apart from the figures; zero when nothing
	// ever happened to it.
	Status string    `json:"status"`
	Since  time.Time `json:"since,omitzero"`
	// Up is the verdict of the checks; Usable says that it takes new requests.
	Up     bool `json:"up"`
	Usable bool `json:"usable"`
	// Check is the last check; nil when it is not checked.
	Check *CheckStatus `json:"check"`
	// Admin is "ready", "drain" or "maint". AdminBy and AdminAt are who changed that
	// or the weight, and when; "" and zero when nobody did.
	Admin   string    `json:"admin"`
	AdminBy string    `json:"admin_by,omitempty"`
	AdminAt time.Time `json:"admin_at,omitzero"`
	// Weight is its share, ConfiguredWeight the one in the file, SlowStart the percent
	// of it that it gets by now.
	Weight           int `json:"weight"`
	ConfiguredWeight int `json:"weight_configured"`
	SlowStart        int `json:"slow_start_percent"`
	// Active is how many requests it has, ActiveLimit how many it may have; Queued is
	// how many wait for it alone, QueueLimit how many may. A limit of 0 is none.
	Active      int64 `json:"active"`
	ActiveLimit int64 `json:"active_limit"`
	Queued      int64 `json:"queued"`
	QueueLimit  int64 `json:"queue_limit"`
	// Requests is how many it was given, Errors how many of them had no connection or
	// no whole answer.
	Requests int64 `json:"requests_total"`
	Errors   int64 `json:"errors_total"`
}

// CheckStatus is the last check of a server.
type CheckStatus struct {
	// Status is HAProxy's word ("L7OK"), Code the status code of an answer, 0 without
	// one. Description is a line about it.
	Status      string `json:"status"`
	Code        int    `json:"code,omitempty"`
	Description string `json:"description"`
	// Took is how long it took, in seconds; At when it ended, zero before the first.
	Took float64   `json:"duration_seconds"`
	At   time.Time `json:"at,omitzero"`
	// Fails counts checks that failed while the server was up, Downs how often it
	// went down.
	Fails int64 `json:"failures_total"`
	Downs int64 `json:"downs_total"`
}

func (a *App) doServers(r *http.Request) (any, error) {
	query, err := readQuery(r, "backend")
	if err != nil {
		return nil, err
	}
	list := newServers(a.View())
	if !query.Has("backend") {
		return list, nil
	}
	b, err := list.backend(query.Get("backend"))
	if err != nil {
		return nil, err
	}
	list.Backends = []BackendStatus{*b}
	return list, nil
}

func (a *App) doState(r *http.Request) (any, error) {
	var asked struct {
		State string `json:"state"`
	}
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	if _, ok := backend.ParseAdmin(asked.State); !ok {
		return nil, misasked("state %q is none of ready, drain, maint", asked.State)
	}
	return a.change(r, func(backendName, server string) error {
		return a.SetAdmin(backendName, server, asked.State, caller(r))
	})
}

func (a *App) doWeight(r *http.Request) (any, error) {
	var asked struct {
		Weight *askedWeight `json:"weight"`
	}
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	if asked.Weight == nil {
		return nil, misasked("the body has no weight")
	}
	return a.change(r, func(backendName, server string) error {
		return a.SetWeight(backendName, server, int(*asked.Weight), caller(r))
	})
}

// DefaultWeight stands for the weight in the file.
const DefaultWeight = -1

// askedWeight is a number, or "default".
type askedWeight int

// MarshalJSON implements json.Marshaler.
func (w askedWeight) MarshalJSON() ([]byte, error) {
	if w == DefaultWeight {
		return []byte(`"default"`), nil
	}
	return json.Marshal(int(w))
}

// UnmarshalJSON implements json.Unmarshaler.
func (w *askedWeight) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte(`"default"`)) {
		*w = DefaultWeight
		return nil
	}
	var n int
	if err := json.Unmarshal(text, &n); err != nil || n < 0 || n > backend.MaxWeight {
		return fmt.Errorf(`a weight is 0 to %d, or "default"`, backend.MaxWeight)
	}
	*w = askedWeight(n)
	return nil
}

// change changes the server in the path, and answers what it is then.
func (a *App) change(r *http.Request, set func(backendName, server string) error) (any, error) {
	backendName, server := r.PathValue("backend"), r.PathValue("server")
	if err := set(backendName, server); err != nil {
		return nil, err
	}
	list := newServers(a.View())
	b, err := list.backend(backendName)
	if err != nil {
		return nil, err
	}
	return b.server(server)
}

func newServers(v stats.View) Servers {
	list := Servers{Now: v.Node.Now, Backends: []BackendStatus{}}
	for i := range v.Backends {
		b := &v.Backends[i]
		row := BackendStatus{
			Name: b.Name, Description: b.Description, Algorithm: b.Algorithm, Status: b.Status(),
			Queued: b.Queued, QueueLimit: b.QueueLimit, Servers: []ServerStatus{},
		}
		for j := range b.Servers {
			row.Servers = append(row.Servers, newServerStatus(&b.Servers[j]))
		}
		list.Backends = append(list.Backends, row)
	}
	return list
}

func newServerStatus(s *stats.Server) ServerStatus {
	row := ServerStatus{
		Name: s.Name, Address: s.Address, Backup: s.Backup,
		Status: s.Status(), Since: s.Health.LastChange, Up: s.IsUp(), Usable: s.Usable(),
		Admin: s.Admin, AdminBy: s.AdminBy, AdminAt: s.AdminAt,
		Weight: s.Weight, ConfiguredWeight: s.ConfiguredWeight, SlowStart: s.Share,
		Active: s.Active, ActiveLimit: s.Limit, Queued: s.Queued, QueueLimit: s.QueueLimit,
		Requests: s.Traffic.Requests,
		Errors:   s.Traffic.Of(tally.ConnectFailed) + s.Traffic.Of(tally.AnswerFailed),
	}
	if s.Admin != backend.Ready.String() && row.Up {
		row.Since = s.AdminAt
	}
	if h := &s.Health; h.Checked {
		row.Check = &CheckStatus{
			Status: h.Status, Code: h.Code, Description: h.Description, Took: h.Took.Seconds(),
			At: h.At, Fails: h.Fails, Downs: h.Downs,
		}
	}
	return row
}
