package stats

import (
	"bytes"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// csvFields are the columns, HAProxy's in its order: programs know them by number,
// so that a column may only be added at the end. Behind "-" are our own, and
// programs must find those by name.
const csvFields = "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ," +
	"eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid," +
	"sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code," +
	"check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate," +
	"req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess," +
	"last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration," +
	"check_desc,agent_desc,check_rise,check_fall,check_health,agent_rise,agent_fall," +
	"agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses," +
	"wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max," +
	"rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight," +
	"agg_server_status,agg_server_check_status,agg_check_status,srid,sess_other,h1sess,h2sess," +
	"h3sess,req_other,h1req,h2req,h3req,proto,priv_idle_cur,reqbin,reqbout,resbin,resbout," +
	"cache_hint_hits,-,admin,admin_by,admin_at"

// record is a line: values by the names of their columns. What is not there, or
// nil, is empty.
type record map[string]any

// CSV is the picture as HAProxy's ";csv" would show it: a line for each listener,
// then each backend after its servers. Where we have no such thing the column is
// empty.
func CSV(p *Picture) []byte {
	var b bytes.Buffer
	b.WriteString("# " + csvFields + ",\n")
	names := strings.Split(csvFields, ",")
	r := record{}
	write := func(proxy, server int) {
		r["pid"], r["iid"], r["sid"], r["mode"], r["-"] = 1, proxy, server, "http", "-"
		for _, name := range names {
			b.Write(csvValue(b.AvailableBuffer(), r[name]))
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		clear(r)
	}
	for i := range p.Frontends {
		r.frontend(&p.Frontends[i])
		write(i+1, 0)
	}
	for i := range p.Backends {
		backend, proxy := &p.Backends[i], len(p.Frontends)+i+1
		for j := range backend.Servers {
			r["pxname"] = backend.Name
			r.server(&backend.Servers[j], &p.Node)
			write(proxy, j+1)
		}
		r.backend(backend, &p.Node)
		write(proxy, 0)
	}
	return b.Bytes()
}

// ServeCSV answers with CSV, as plain text like HAProxy, so that a browser shows it.
func (s *Sampler) ServeCSV(w http.ResponseWriter, _ *http.Request) {
	p := s.Picture()
	serveText(w, "text/plain; charset=utf-8", CSV(&p))
}

// serveText answers with figures of this moment. A client that is gone is nobody
// to tell.
func serveText(w http.ResponseWriter, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
}

// csvValue appends a value. HAProxy's times are whole milliseconds, its rates whole
// numbers.
func csvValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return csvText(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'f', 0, 64)
	case time.Duration:
		return strconv.AppendInt(b, v.Milliseconds(), 10)
	}
	return b
}

// formula is where a spreadsheet would begin to calculate: at the beginning, or
// after what it may take for the end of a cell. The wide ones count in Japanese.
var formula = regexp.MustCompile(`(^|[;,"])( *[=+\-@＝＋－＠])`)

// isPlain says that text has nothing to call or to refer to, which makes it safe
// with any beginning. Names are such text, and programs compare them.
func isPlain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') &&
			!strings.ContainsRune("_.:-", r)
	})
}

// csvText appends text as HAProxy does: in quotes only if it must be, quotes
// doubled. Control characters become spaces, since programs read line by line. A
// quote mark before a formula makes it text for spreadsheets (UI-02); quotes alone
// would not.
func csvText(b []byte, text string) []byte {
	if isPlain(text) {
		return append(b, text...)
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = formula.ReplaceAllString(text, "$1'$2")
	if !strings.ContainsAny(text, `",`) {
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(text, `"`, `""`)...)
	return append(b, '"')
}
