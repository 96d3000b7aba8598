package stats

// column is one figure of the large table; all of them are HAProxy's, in its
// order. Key names its cells; Long is its name where the heading above it is not
// seen, Hint is for those who do not know it. Phone says that a narrow screen shows
// it unasked.
type column struct {
	Key, Label, Long, Hint string
	Phone                  bool
}

// Class is how its cells look: limits are seldom what one looks for, and checks
// are words, not numbers.
func (c *column) Class() string {
	switch c.Key {
	case "qlim", "rlim", "slim":
		return " limit"
	case "lastchk":
		return " words"
	}
	return ""
}

// columnGroup is columns under one heading.
type columnGroup struct {
	Label   string
	Columns []column
}

var columnGroups = []columnGroup{
	{"Queue", []column{
		{"qcur", "Cur", "Queue", "requests that wait now", true},
		{"qmax", "Max", "Queue max", "most requests that waited at a time", false},
		{"qlim", "Limit", "Queue limit", "how many may wait", false},
	}},
	{"Session rate", []column{
		{"rcur", "Cur", "Rate", "sessions in the last second", true},
		{"rmax", "Max", "Rate max", "most sessions in a second", false},
		{"rlim", "Limit", "Rate limit", "how many may begin in a second", false},
	}},
	{"Sessions", []column{
		{"scur", "Cur", "Sessions", "sessions now: connections of a frontend, requests of a server", true},
		{"smax", "Max", "Sessions max", "most sessions at a time", false},
		{"slim", "Limit", "Sessions limit", "how many there may be", false},
		{"stot", "Total", "Total", "all sessions since the start", true},
		{"lbtot", "LbTot", "Balanced", "sessions that balancing gave to the server, not persistence", false},
		{"last", "Last", "Last", "time since the last session", false},
	}},
	{"Bytes", []column{
		{"bin", "In", "Bytes in", "what clients sent", false},
		{"bout", "Out", "Bytes out", "what clients got", true},
	}},
	{"Denied", []column{
		{"dreq", "Req", "Denied req", "requests that rules refused", false},
		{"dresp", "Resp", "Denied resp", "answers that rules refused", false},
	}},
	{"Errors", []column{
		{"ereq", "Req", "Errors req", "requests that were wrong or broke off", false},
		{"econ", "Conn", "Errors conn", "connections to a server that failed", false},
		{"eresp", "Resp", "Errors resp", "answers that were wrong or broke off", true},
	}},
	{"Warnings", []column{
		{"wretr", "Retr", "Retries", "requests that were tried again", false},
		{"wredis", "Redis", "Redispatches", "requests that were sent to another server", false},
	}},
	{"Server", []column{
		{"lastchk", "LastChk", "Last check", "result of the last check", true},
		{"weight", "Wght", "Weight", "weight", false},
		{"act", "Act", "Active", "active server; in totals, how many take requests", false},
		{"bck", "Bck", "Backup", "backup server; in totals, how many take requests", false},
		{"chk", "Chk", "Failed checks", "checks that failed while the server was up", false},
		{"dwn", "Dwn", "Downs", "how often it went down", false},
		{"dwntme", "Dwntme", "Downtime", "how long it was down, all in all", false},
		{"thrtle", "Thrtle", "Throttle", "percent of its share while it starts slowly", false},
	}},
}

// columns are those of all groups.
var columns = flatten(columnGroups)

// placed is a column and whether it is the first of its group.
type placed struct {
	column
	First bool
}

func flatten(groups []columnGroup) []*placed {
	var all []*placed
	for _, g := range groups {
		for i, c := range g.Columns {
			all = append(all, &placed{c, i == 0})
		}
	}
	return all
}
