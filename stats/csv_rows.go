package stats

import (
	"maps"
	"time"

	"doorward/internal/tally"
)

func frontendRecord(f *FrontendRow) record {
	r := record{
		"pxname": f.Name, "svname": "FRONTEND", "type": 0, "sid": 0, "status": f.Status(),
		"scur": f.Connections, "smax": f.SessionsMax, "slim": unlessZero(f.Limit),
		"stot": f.ConnectionsTotal, "conn_tot": f.ConnectionsTotal,
		"rate": f.ConnectionRate, "rate_max": f.ConnectionRateMax,
		"conn_rate": f.ConnectionRate, "conn_rate_max": f.ConnectionRateMax,
		"req_rate": f.RequestRate, "req_rate_max": f.RequestRateMax,
		"dreq": f.Traffic.Of(tally.Denied), "ereq": f.Traffic.Of(tally.Invalid),
		"intercepted": f.Traffic.Of(tally.Local),
	}
	maps.Copy(r, trafficRecord(&f.Traffic))
	return r
}

// trafficRecord is what every line has.
func trafficRecord(t *tally.Totals) record {
	return record{
		"bin": t.BytesIn, "bout": t.BytesOut, "req_tot": t.Requests,
		"hrsp_1xx": t.Classes[1], "hrsp_2xx": t.Classes[2], "hrsp_3xx": t.Classes[3],
		"hrsp_4xx": t.Classes[4], "hrsp_5xx": t.Classes[5], "hrsp_other": t.Classes[0],
	}
}

// servingRecord is what servers and backends have and listeners have not.
func servingRecord(t *tally.Totals, s *Seen, node *Node) record {
	r := trafficRecord(t)
	maps.Copy(r, record{
		"econ": t.Of(tally.ConnectFailed), "eresp": t.Of(tally.AnswerFailed),
		"wretr": t.Of(tally.Retried), "wredis": t.Of(tally.Redispatched),
		"cli_abrt": t.Of(tally.ClientAborted), "srv_abrt": t.Of(tally.ServerAborted),
		"rate": s.RequestRate, "rate_max": s.RequestRateMax,
		"qtime": s.Queue.Mean, "qtime_max": s.Queue.Max,
		"ctime": s.Connect.Mean, "ctime_max": s.Connect.Max,
		"rtime": s.Response.Mean, "rtime_max": s.Response.Max,
		"ttime": s.Total.Mean, "ttime_max": s.Total.Max,
		"lastsess": -1,
	})
	if !s.LastSession.IsZero() {
		r["lastsess"] = secondsSince(s.LastSession, node)
	}
	return r
}

func serverRecord(s *ServerRow, node *Node) record {
	r := servingRecord(&s.Traffic, &s.Seen, node)
	maps.Copy(r, record{
		"svname": s.Name, "type": 2, "status": s.Status(), "addr": s.Address, "cookie": s.Cookie,
		"qcur": s.Queued, "qmax": s.QueuedMax, "qlimit": unlessZero(s.QueueLimit),
		"scur": s.Active, "smax": s.SessionsMax, "slim": unlessZero(s.Limit),
		"stot": s.Claims, "lbtot": max(0, s.Claims-s.Traffic.Of(tally.Sticky)),
		"weight": s.effectiveWeight(), "uweight": s.Weight, "act": 1, "bck": 0,
		"lastchg": secondsSince(s.lastChange(node), node),
		"connect": s.Connections, "reuse": s.Reused,
		"srv_icur": s.Idle, "used_conn_cur": s.Active,
		"admin": s.Admin, "admin_by": s.AdminBy,
	})
	if s.Backup {
		r["act"], r["bck"] = 0, 1
	}
	if s.Share < 100 && s.IsUp() {
		r["throttle"] = s.Share
	}
	if !s.AdminAt.IsZero() {
		r["admin_at"] = s.AdminAt.UTC().Format(time.RFC3339)
	}
	if s.Health.Checked {
		maps.Copy(r, checkRecord(&s.Server))
	}
	return r
}

// checkRecord is about the checks. Like HAProxy it says nothing of the last one
// while maintenance stops them.
func checkRecord(s *Server) record {
	h := &s.Health
	r := record{
		"chkfail": h.Fails, "chkdown": h.Downs, "downtime": int64(h.Downtime.Seconds()),
	}
	if s.Admin == "maint" {
		return r
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
	r["check_duration"], r["last_chk"] = h.Took, h.Description
	r["check_rise"], r["check_fall"], r["check_health"] = h.Rise, h.Fall, h.Counter
	return r
}

// checkDescriptions are HAProxy's sentences for the words of check_status.
var checkDescriptions = map[string]string{
	"UNK":     "Unknown",
	"INI":     "Initializing",
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

func backendRecord(b *BackendRow, node *Node) record {
	r := servingRecord(&b.Traffic, &b.Seen, node)
	active, backup := b.Usable()
	maps.Copy(r, record{
		"pxname": b.Name, "svname": "BACKEND", "type": 1, "sid": 0, "status": b.Status(),
		"qcur": b.Queued, "qmax": b.QueuedMax, "qlimit": unlessZero(b.QueueLimit),
		"scur": b.Active, "smax": b.SessionsMax, "stot": b.Traffic.Requests,
		"dreq": b.Traffic.Of(tally.Denied), "lbtot": b.balanced(),
		"act": active, "bck": backup, "chkdown": b.Downs,
		"lastchg": secondsSince(b.LastChange, node), "downtime": int64(b.Downtime.Seconds()),
		"cookie": b.Cookie, "algo": b.Algorithm,
		// HAProxy fills these in for Prometheus alone; its CSV has 0 here too.
		"agg_server_status": 0, "agg_server_check_status": 0, "agg_check_status": 0,
	})
	weight, configured, connect, reuse := 0, 0, int64(0), int64(0)
	for i := range b.Servers {
		s := &b.Servers[i]
		connect += s.Connections
		reuse += s.Reused
		if s.Usable() && s.Backup == (active == 0) {
			weight += s.effectiveWeight()
			configured += s.Weight
		}
	}
	r["weight"], r["uweight"], r["connect"], r["reuse"] = weight, configured, connect, reuse
	return r
}

// balanced is how many requests went where balancing sent them.
func (b *BackendRow) balanced() int64 {
	n := int64(0)
	for i := range b.Servers {
		s := &b.Servers[i]
		n += max(0, s.Claims-s.Traffic.Of(tally.Sticky))
	}
	return n
}

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
