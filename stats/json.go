package stats

import (
	"encoding/json"
	"net/http"
	"time"

	"doorward/internal/tally"
)

// JSON is the whole picture. docs/statistics.md lists the names, which stay:
// programs may rely on them, and must expect more. Durations are in seconds, what
// a thing does not have is left out or null.
func JSON(p *Picture) ([]byte, error) {
	body, err := json.Marshal(newPictureJSON(p))
	if err != nil {
		return nil, err
	}
	return append(body, '\n'), nil
}

// ServeJSON answers with JSON.
func (s *Sampler) ServeJSON(w http.ResponseWriter, _ *http.Request) {
	p := s.Picture()
	body, err := JSON(&p)
	if err != nil {
		http.Error(w, "The figures cannot be shown as JSON.", http.StatusInternalServerError)
		return
	}
	serveText(w, "application/json; charset=utf-8", body)
}

type pictureJSON struct {
	Now          time.Time         `json:"now"`
	Node         nodeJSON          `json:"node"`
	Reload       reloadJSON        `json:"reload"`
	All          seenJSON          `json:"all"`
	Bounds       []float64         `json:"bucket_bounds_seconds"`
	Frontends    []frontendJSON    `json:"frontends"`
	Routes       []routeJSON       `json:"routes"`
	Backends     []backendJSON     `json:"backends"`
	Limits       []limitJSON       `json:"rate_limits"`
	Certificates []certificateJSON `json:"certificates"`
	SignIn       *signInJSON       `json:"sign_in"`
}

type nodeJSON struct {
	Host             string    `json:"host"`
	Version          string    `json:"version"`
	Go               string    `json:"go_version"`
	PID              int       `json:"pid"`
	Started          time.Time `json:"started"`
	Draining         bool      `json:"draining"`
	Connections      int64     `json:"connections"`
	MaxConnections   int64     `json:"connections_limit"`
	ConnectionsTotal int64     `json:"connections_total"`
	Refused          int64     `json:"connections_refused_total"`
	FailedHandshakes int64     `json:"tls_handshake_failures_total"`
	Abuses           int64     `json:"http2_abuses_total"`
	Panics           int64     `json:"panics_total"`
	Processors       int       `json:"processors"`
	Goroutines       int       `json:"goroutines"`
	Memory           int64     `json:"memory_bytes"`
	CPU              float64   `json:"cpu_seconds_total"`
	CPURate          float64   `json:"cpu_rate"`
}

type signInJSON struct {
	Users    int              `json:"users"`
	Sessions int              `json:"sessions"`
	Events   map[string]int64 `json:"events_total"`
	Unkept   int64            `json:"events_unkept_total"`
}

type reloadJSON struct {
	Done     int64     `json:"done_total"`
	Refused  int64     `json:"refused_total"`
	At       time.Time `json:"at,omitzero"`
	FailedAt time.Time `json:"failed_at,omitzero"`
	Error    string    `json:"error,omitempty"`
}

type seenJSON struct {
	RequestRate       float64    `json:"request_rate"`
	RequestRateMax    float64    `json:"request_rate_max"`
	ConnectionRate    float64    `json:"connection_rate"`
	ConnectionRateMax float64    `json:"connection_rate_max"`
	BytesInRate       float64    `json:"bytes_in_rate"`
	BytesOutRate      float64    `json:"bytes_out_rate"`
	SessionsMax       int64      `json:"sessions_max"`
	LastSession       time.Time  `json:"last_session,omitzero"`
	Queue             timingJSON `json:"queue"`
	Connect           timingJSON `json:"connect"`
	Response          timingJSON `json:"response"`
	Total             timingJSON `json:"total"`
}

type timingJSON struct {
	Mean float64 `json:"mean_seconds"`
	Max  float64 `json:"max_seconds"`
}

type trafficJSON struct {
	Requests      int64            `json:"requests_total"`
	BytesIn       int64            `json:"bytes_in_total"`
	BytesOut      int64            `json:"bytes_out_total"`
	Codes         map[string]int64 `json:"codes"`
	Denied        int64            `json:"denied_total"`
	Invalid       int64            `json:"invalid_total"`
	ConnectFailed int64            `json:"connect_failures_total"`
	AnswerFailed  int64            `json:"answer_failures_total"`
	Retried       int64            `json:"retries_total"`
	Redispatched  int64            `json:"redispatches_total"`
	ClientAborted int64            `json:"client_aborts_total"`
	ServerAborted int64            `json:"server_aborts_total"`
	Local         int64            `json:"local_answers_total"`
	Sticky        int64            `json:"sticky_total"`
	Queue         histogramJSON    `json:"queue"`
	Connect       histogramJSON    `json:"connect"`
	Response      histogramJSON    `json:"response"`
	Total         histogramJSON    `json:"total"`
}

type histogramJSON struct {
	Sum    float64              `json:"sum_seconds"`
	Counts [tally.Buckets]int64 `json:"counts"`
}

type frontendJSON struct {
	Name             string      `json:"name"`
	TLS              bool        `json:"tls"`
	Open             bool        `json:"open"`
	Status           string      `json:"status"`
	Connections      int64       `json:"connections"`
	ConnectionsTotal int64       `json:"connections_total"`
	Limit            int64       `json:"connections_limit"`
	Traffic          trafficJSON `json:"traffic"`
	Seen             seenJSON    `json:"seen"`
}

type routeJSON struct {
	Name    string      `json:"name"`
	Backend string      `json:"backend,omitempty"`
	Traffic trafficJSON `json:"traffic"`
	Seen    seenJSON    `json:"seen"`
}

type limitJSON struct {
	Name    string `json:"name"`
	By      string `json:"by"`
	LogOnly bool   `json:"log_only"`
	Keys    int64  `json:"keys"`
	Queued  int64  `json:"queued"`
	Passed  int64  `json:"passed_total"`
	Refused int64  `json:"refused_total"`
	Delayed int64  `json:"delayed_total"`
}

type certificateJSON struct {
	Names    []string  `json:"names"`
	Source   string    `json:"source"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after,omitzero"`
	State    string    `json:"state,omitempty"`
	Error    string    `json:"error,omitempty"`
	NextTry  time.Time `json:"next_try,omitzero"`
}
