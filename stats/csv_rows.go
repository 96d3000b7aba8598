package stats

import (
	"time"

	"doorward/internal/tally"
)

func (r record) frontend(f *FrontendRow) {
	t := &f.Traffic
	r["pxname"], r["svname"], r["type"], r["status"] = f.Name, "FRONTEND", 0, f.Status()
	r["scur"], r["smax"], r["slim"] = f.Connections, f.SessionsMax, unlessZero(f.Limit)
	r["stot"], r["rate"], r["rate_max"] = f.ConnectionsTotal, f.ConnectionRate, f.ConnectionRateMax
	r["conn_tot"], r["conn_rate"], r["conn_rate_max"] = r["stot"], r["rate"], r["rate_max"]
	r["req_rate"], r["req_rate_max"] = f.RequestRate, f.RequestRateMax
	r["dreq"], r["ereq"] = t.Of(tally.Denied), t.Of(tally.Invalid)
	r["intercepted"] = t.Of(tally.Local)
	r.traffic(t)
}

// traffic is what every line has.
func (r record) traffic(t *tally.Totals) {
	r["bin"], r["bout"], r["req_tot"] = t.BytesIn, t.BytesOut, t.Requests
	r["hrsp_1xx"], r["hrsp_2xx"], r["hrsp_3xx"] = t.Classes[1], t.Classes[2], t.Classes[3]
	r["hrsp_4xx"], r["hrsp_5xx"], r["hrsp_other"] = t.Classes[4], t.Classes[5], t.Classes[0]
}

// serving is what servers and backends have and listeners have not.
func (r record) serving(t *tally.Totals, s *Seen, node *Node) {
	r.traffic(t)
	r["econ"], r["eresp"] = t.Of(tally.ConnectFailed), t.Of(tally.AnswerFailed)
	r["wretr"], r["wredis"] = t.Of(tally.Retried), t.Of(tally.Redispatched)
	r["cli_abrt"], r["srv_abrt"] = t.Of(tally.ClientAborted), t.Of(tally.ServerAborted)
	r["rate"], r["rate_max"] = s.RequestRate, s.RequestRateMax
	r["qtime"], r["qtime_max"] = s.Queue.Mean, s.Queue.Max
	r["ctime"], r["ctime_max"] = s.Connect.Mean, s.Connect.Max
	r["rtime"], r["rtime_max"] = s.Response.Mean, s.Response.Max
	r["ttime"], r["ttime_max"] = s.Total.Mean, s.Total.Max
	r["lastsess"] = -1
	if !s.LastSession.IsZero() {
		r["lastsess"] = secondsSince(s.LastSession, node)
	}
}

func (r record) server(s *ServerRow, node *Node) {
	r["svname"], r["type"], r["status"] = s.Name, 2, s.Status()
	r["addr"], r["cookie"] = s.Address, s.Cookie
	r["qcur"], r["qmax"], r["qlimit"] = s.Queued, s.QueuedMax, unlessZero(s.QueueLimit)
	r["scur"], r["smax"], r["slim"] = s.Active, s.SessionsMax, unlessZero(s.Limit)
	r["stot"], r["lbtot"] = s.Claims, s.balanced()
	r["weight"], r["uweight"] = s.effectiveWeight(), s.Weight
	r["act"], r["bck"] = flag(!s.Backup), flag(s.Backup)
	r["lastchg"] = secondsSince(s.lastChange(node), node)
	r["connect"], r["reuse"] = s.Connections, s.Reused
	r["srv_icur"], r["used_conn_cur"] = s.Idle, s.Active
	r["admin"], r["admin_by"] = s.Admin, s.AdminBy
	if !s.AdminAt.IsZero() {
		r["admin_at"] = s.AdminAt.UTC().Format(time.RFC3339)
	}
	if s.Share < 100 && s.IsUp() {
		r["throttle"] = s.Share
	}
	if s.Health.Checked {
		r.check(&s.Health, s.Admin == "maint")
	}
	r.serving(&s.Traffic, &s.Seen, node)
}

// check is about the checks. Like HAProxy it says nothing of the last one while
// maintenance stops them.
func (r record) check(h *Health, stopped bool) {
	r["chkfail"], r["chkdown"], r["downtime"] = h.Fails, h.Downs, int64(h.Downtime.Seconds())
	if stopped {
		return
	}
	status := h.Status
	if status == "" {
		status = "INI"
	}
	r["check_desc"] = checkDescriptions[status]
	if h.Running {
		status = "* " + status
	}
	r["check_status"], r["check_code"] = status, unlessZero(int64(h.Code))
	r["last_chk"] = h.Description
	if h.Took > 0 {
		r["check_duration"] = h.Took
	}
	r["check_rise"], r["check_fall"], r["check_health"] = h.Rise, h.Fall, h.Counter
}

// checkDescriptions are HAProxy's sentences for the words of check_status.
var checkDescriptions = map[string]string{
	"UNK":     "Unknown",
	"INI":     "Initializing",
	"HANA":    "Health analyze",
	"SOCKERR": "Socket error",
	"L4OK":    "Layer4 check passed",
	"L4TOUT":  "Layer4 timeout",
	"L4CON":   "Layer4 connection problem",
	"L6OK":    "Layer6 check passed",
	"L6TOUT":  "Layer6 timeout",
	"L6RSP":   "Layer6 invalid response",
	"L7OK":    "Layer7 check passed",
	"L7OKC":   "Layer7 check conditionally passed",
	"L7TOUT":  "Layer7 timeout",
	"L7RSP":   "Layer7 invalid response",
	"L7STS":   "Layer7 wrong status",
}

func (r record) backend(b *BackendRow, node *Node) {
	active, backup := b.Usable()
	r["pxname"], r["svname"], r["type"], r["status"] = b.Name, "BACKEND", 1, b.Status()
	r["cookie"], r["algo"] = b.Cookie, b.Algorithm
	r["qcur"], r["qmax"], r["qlimit"] = b.Queued, b.QueuedMax, unlessZero(b.QueueLimit)
	r["scur"], r["smax"], r["stot"] = b.Active, b.SessionsMax, b.Traffic.Requests
	r["dreq"] = b.Traffic.Of(tally.Denied)
	r["act"], r["bck"], r["chkdown"] = active, backup, b.Downs
	r["lastchg"], r["downtime"] = secondsSince(b.LastChange, node), int64(b.Downtime.Seconds())
	weight, configured, connect, reuse, balanced := 0, 0, int64(0), int64(0), int64(0)
	for i := range b.Servers {
		s := &b.Servers[i]
		connect += s.Connections
		reuse += s.Reused
		balanced += s.balanced()
		if s.Usable() && s.Backup == (active == 0) {
			weight += s.effectiveWeight()
			configured += s.Weight
		}
	}
	r["weight"], r["uweight"] = weight, configured
	r["connect"], r["reuse"], r["lbtot"] = connect, reuse, balanced
	// HAProxy counts these for Prometheus alone; its CSV has 0 here too.
	r["agg_server_status"], r["agg_server_check_status"], r["agg_check_status"] = 0, 0, 0
	r.serving(&b.Traffic, &b.Seen, node)
}

// balanced is how many requests balancing gave to the server, not persistence.
func (s *Server) balanced() int64 { return max(0, s.Claims-s.Traffic.Of(tally.Sticky)) }

// effectiveWeight is the weight that slow start allows, never less than 1 of one
// that has any.
func (s *Server) effectiveWeight() int { return (s.Weight*s.Share + 99) / 100 }

// lastChange is when checks or people last changed the server's state, or the
// start.
func (s *Server) lastChange(node *Node) time.Time {
	last := node.Started
	for _, t := range []time.Time{s.Health.LastChange, s.AdminAt} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// secondsSince is whole seconds, never below 0.
func secondsSince(t time.Time, node *Node) int64 {
	return max(0, int64(node.Now.Sub(t).Seconds()))
}

// unlessZero is nil in place of 0.
func unlessZero(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}
