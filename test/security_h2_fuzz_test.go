package test_test

import (
	"bufio"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"doorward/internal/edgetest"
)

// TestSecurityH2Fuzz has the cases in which chance decides what is sent.
func TestSecurityH2Fuzz(t *testing.T) {
	t.Run("H1-66_what_passes_is_read_alike_by_all", testFramedMutants)
	t.Run("PATH-30_no_server_reads_a_closed_path", testFramedPaths)
}

// asker asks one thing after the other over HTTP/2.
type asker struct {
	t    *testing.T
	edge *edgetest.Edge
	f    *edgetest.Frames
	next uint32
}

// ask returns what came of a request; nothing when that was the end of the connection.
func (a *asker) ask(q edgetest.Framed) *edgetest.Reply {
	a.t.Helper()
	if a.f == nil || a.next > 200 || a.f.GoAway != nil {
		if a.f != nil {
			a.f.Close()
		}
		a.f, a.next = a.edge.DialHTTP2(a.t, "app.example"), 1
	}
	id := a.next
	a.next += 2
	a.f.Send(id, q, func() {})
	r, err := a.f.TryWait(id)
	if err != nil {
		if a.f.GoAway == nil {
			a.t.Errorf("%s: %v", q.String(), err)
		}
		a.next = 1000
	}
	return r
}

// soundHeads are what mutants are made of.
func soundHeads() []edgetest.Framed {
	var all []edgetest.Framed
	for _, input := range []string{
		get("/a?b=c"), get("/a", "x: y", "accept: */*"), sized("hello"), sized("hello", "x: y"),
		chunked("5⏎hello⏎0⏎⏎"), chunked("5⏎hello⏎0⏎x: y⏎⏎"), sized(smuggled),
		get("/", "te: trailers"), get("/", "cookie: a=b", "cookie: c=d"),
		request("OPTIONS * HTTP/1.1", "Host: app.example"),
		request("PUT /p HTTP/1.1", "Host: app.example:80", "Content-Length: 3", "A: b") + "abc",
	} {
		q, ok := edgetest.InFrames(input)
		if !ok {
			panic(input)
		}
		all = append(all, q)
	}
	return all
}

func testFramedMutants(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	rng := rand.New(rand.NewPCG(66, 2))
	a := &asker{t: t, edge: edge}
	mutants, passed := 2000, 0
	if testing.Short() {
		mutants = 300
	}
	for range mutants {
		q := framedMutant(rng)
		r := a.ask(q)
		requests, raw := rec.Take()
		whole := slices.DeleteFunc(slices.Clone(requests), func(m *edgetest.Message) bool {
			return m.Err != nil && edgetest.Cut(m.Err)
		})
		switch {
		case r.Status != "200" && len(whole) == 0:
		case r.Status != "200" || len(whole) != 1 || whole[0].Err != nil:
			t.Errorf("%s: %+v, the server got %q", q.String(), r, raw)
		default:
			passed++
			m := whole[0]
			stream := bufio.NewReader(strings.NewReader(m.Raw))
			if err := readAlike(stream, m); err != nil || stream.Buffered() > 0 {
				t.Errorf("%s became %q: %v", q.String(), m.Raw, err)
			}
			if want := m.Method + " " + m.Path; m.Method != "HEAD" && string(r.Body) != want {
				t.Errorf("answer %q to request %q", r.Body, want)
			}
		}
	}
	if t.Logf("%d of %d passed", passed, mutants); passed < mutants/20 {
		t.Errorf("only %d requests passed", passed)
	}
	edge.Canaries(t)
}

// framedMutant changes a sound request in one to three places.
func framedMutant(rng *rand.Rand) edgetest.Framed {
	all := soundHeads()
	q := all[rng.IntN(len(all))]
	for range 1 + rng.IntN(3) {
		fields := &q.Head
		if len(q.Trailers) > 0 && rng.IntN(3) == 0 {
			fields = &q.Trailers
		}
		i := rng.IntN(len(*fields))
		f := &(*fields)[i]
		switch rng.IntN(8) {
		case 0:
			*fields = slices.Insert(*fields, rng.IntN(len(*fields)+1), *f)
		case 1:
			if len(*fields) > 1 {
				*fields = slices.Delete(*fields, i, i+1)
			}
		case 2:
			j := rng.IntN(len(*fields))
			(*fields)[i], (*fields)[j] = (*fields)[j], (*fields)[i]
		case 3:
			f.Name = garbled(rng, f.Name)
		case 4:
			q.Body += odd[rng.IntN(len(odd))]
			q.HasBody = true
		case 5:
			name, value, _ := strings.Cut(marks[rng.IntN(len(marks))], ":")
			*fields = append(*fields, hpack.HeaderField{Name: strings.ToLower(name), Value: value})
		default:
			f.Value = garbled(rng, f.Value)
		}
	}
	return q
}

// garbled has an odd piece in a text, in place of a part or beside it.
func garbled(rng *rand.Rand, text string) string {
	at, piece := rng.IntN(len(text)+1), odd[rng.IntN(len(odd))]
	if rng.IntN(2) == 0 {
		at = len(text) * rng.IntN(2)
	}
	return text[:at] + piece + text[min(at+rng.IntN(2)*len(piece), len(text)):]
}

func testFramedPaths(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + pathRules})
	rng := rand.New(rand.NewPCG(30, 2))
	a := &asker{t: t, edge: edge}
	passed := 0
	for range 1000 {
		target := randomPath(rng)
		r := a.ask(head(":path", target))
		requests, raw := rec.Take()
		if r.Status != "200" {
			if len(requests) > 0 || r.Status != "400" && r.Status != "403" && !r.Reset {
				t.Fatalf("%q: %+v, the server got %q", target, r, raw)
			}
			continue
		}
		passed++
		got := requests[0].Path
		for name, read := range readings {
			if p := read(got); p == "/admin" || strings.HasPrefix(p, "/admin/") {
				t.Errorf("%q is forwarded as %q, which %s reads as %q", target, got, name, p)
			}
		}
	}
	if passed < 30 {
		t.Errorf("only %d paths passed", passed)
	}
}
