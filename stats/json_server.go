package stats

import "time"

type backendJSON struct {
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Algorithm   string       `json:"algorithm"`
	Cookie      string       `json:"cookie,omitempty"`
	Status      string       `json:"status"`
	Up          bool         `json:"up"`
	LastChange  time.Time    `json:"last_change,omitzero"`
	Downtime    float64      `json:"downtime_seconds_total"`
	Downs       int64        `json:"downs_total"`
	Active      int64        `json:"active"`
	ActiveMax   int64        `json:"active_max"`
	Queued      int64        `json:"queued"`
	QueuedMax   int64        `json:"queued_max"`
	QueueLimit  int64        `json:"queue_limit"`
	Traffic     trafficJSON  `json:"traffic"`
	Seen        seenJSON     `json:"seen"`
	Stick       *stickJSON   `json:"stick,omitempty"`
	Servers     []serverJSON `json:"servers"`
}

type stickJSON struct {
	On      string  `json:"on"`
	Size    int64   `json:"size"`
	Used    int64   `json:"used"`
	Expire  float64 `json:"expire_seconds"`
	Matched int64   `json:"matched_total"`
	Stored  int64   `json:"stored_total"`
	Evicted int64   `json:"evicted_total"`
	Refused int64   `json:"refused_total"`
}

type serverJSON struct {
	Name             string      `json:"name"`
	Address          string      `json:"address"`
	URL              string      `json:"url"`
	Backup           bool        `json:"backup"`
	Status           string      `json:"status"`
	Up               bool        `json:"up"`
	Usable           bool        `json:"usable"`
	Check            *checkJSON  `json:"check"`
	Admin            string      `json:"admin"`
	AdminBy          string      `json:"admin_by,omitempty"`
	AdminAt          time.Time   `json:"admin_at,omitzero"`
	Weight           int         `json:"weight"`
	ConfiguredWeight int         `json:"weight_configured"`
	Share            int         `json:"slow_start_percent"`
	Active           int64       `json:"active"`
	ActiveMax        int64       `json:"active_max"`
	Limit            int64       `json:"active_limit"`
	Queued           int64       `json:"queued"`
	QueuedMax        int64       `json:"queued_max"`
	QueueLimit       int64       `json:"queue_limit"`
	Claims           int64       `json:"claims_total"`
	Connections      int64       `json:"connections_total"`
	Reused           int64       `json:"connections_reused_total"`
	Failures         int64       `json:"connections_failed_total"`
	Idle             int64       `json:"connections_idle"`
	Cookie           string      `json:"cookie,omitempty"`
	Traffic          trafficJSON `json:"traffic"`
	Seen             seenJSON    `json:"seen"`
}

type checkJSON struct {
	Status      string    `json:"status"`
	Code        int       `json:"code,omitempty"`
	Took        float64   `json:"duration_seconds"`
	Description string    `json:"description"`
	At          time.Time `json:"at,omitzero"`
	Running     bool      `json:"running"`
	Rise        int       `json:"rise"`
	Fall        int       `json:"fall"`
	Counter     int       `json:"health"`
	Fails       int64     `json:"failures_total"`
	Downs       int64     `json:"downs_total"`
	Downtime    float64   `json:"downtime_seconds_total"`
	LastChange  time.Time `json:"last_change,omitzero"`
}

func newBackendJSON(b *BackendRow) backendJSON {
	j := backendJSON{
		Name: b.Name, Description: b.Description, Algorithm: b.Algorithm, Cookie: b.Cookie,
		Status: b.Status(), Up: b.Up, LastChange: b.LastChange,
		Downtime: b.Downtime.Seconds(), Downs: b.Downs, Active: b.Active, ActiveMax: b.ActiveMax,
		Queued: b.Queued, QueuedMax: b.QueuedMax, QueueLimit: b.QueueLimit,
		Traffic: newTrafficJSON(&b.Traffic), Seen: newSeenJSON(&b.Seen),
		Servers: each(b.Servers, newServerJSON),
	}
	if s := b.Stick; s != nil {
		j.Stick = &stickJSON{
			On: s.On, Size: s.Size, Used: s.Used, Expire: s.Expire.Seconds(),
			Matched: s.Matched, Stored: s.Stored, Evicted: s.Evicted, Refused: s.Refused,
		}
	}
	return j
}

func newServerJSON(s *ServerRow) serverJSON {
	j := serverJSON{
		Name: s.Name, Address: s.Address, URL: s.URL, Backup: s.Backup,
		Status: s.Status(), Up: s.IsUp(), Usable: s.Usable(),
		Admin: s.Admin, AdminBy: s.AdminBy, AdminAt: s.AdminAt,
		Weight: s.Weight, ConfiguredWeight: s.ConfiguredWeight, Share: s.Share,
		Active: s.Active, ActiveMax: s.ActiveMax, Limit: s.Limit,
		Queued: s.Queued, QueuedMax: s.QueuedMax, QueueLimit: s.QueueLimit,
		Claims: s.Claims, Connections: s.Connections, Reused: s.Reused,
		Failures: s.Failures, Idle: s.Idle, Cookie: s.Cookie,
		Traffic: newTrafficJSON(&s.Traffic), Seen: newSeenJSON(&s.Seen),
	}
	if h := &s.Health; h.Checked {
		j.Check = &checkJSON{
			Status: h.Status, Code: h.Code, Took: h.Took.Seconds(), Description: h.Description,
			At: h.At, Running: h.Running, Rise: h.Rise, Fall: h.Fall, Counter: h.Counter,
			Fails: h.Fails, Downs: h.Downs, Downtime: h.Downtime.Seconds(), LastChange: h.LastChange,
		}
	}
	return j
}
