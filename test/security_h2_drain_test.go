package test_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// TestSecurityH2Life has the cases of group H2, and of group SLOW over HTTP/2, about how
// connections begin, live with others and end.
func TestSecurityH2Life(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"H2-36_prefaces_that_stall":           slowPrefaces,
		"SLOW-08_idle_streams":                idleStreams,
		"H2-38_one_stream_too_many":           oneStreamTooMany,
		"H2-40_lengths_that_lie_beside_users": lyingLengths,
		"H2-41_stop_with_open_streams":        stopsWithStreams,
		"H2-41_reload_with_open_streams":      reloadsWithStreams,
		"H2-41_reload_of_rules_for_TLS":       rulesOfTLSChange,
		"H2-42_prior_knowledge":               priorKnowledge,
	} {
		t.Run(name, test)
	}
}

// slowPrefaces: what comes before the first request has as long as a head.
func slowPrefaces(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, slowTimeouts))
	hello := http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	start := time.Now()
	clients := map[string]*edgetest.Frames{}
	for name, text := range map[string]string{
		"silence": "", "a byte": "P", "half a preface": hello[:12], "no settings": http2.ClientPreface,
		"half of settings": hello[:len(hello)-4], "a drip": strings.Repeat(hello, 10),
		"half a head":           hello + "\x00\x00\x05\x01\x05\x00\x00\x00\x01\x82",
		"a head without an end": hello + "\x00\x00\x01\x01\x01\x00\x00\x00\x01\x82",
	} {
		f := edge.DialFrames(t, &tls.Config{ServerName: "app.example"})
		clients[name] = f
		if name == "a drip" {
			go dripOver(f, text)
		} else {
			f.Raw(text)
		}
	}
	for name, f := range clients {
		for err := error(nil); err == nil; { // nothing is acknowledged, which might complete a frame
			_, err = f.Framer.ReadFrame()
		}
		if end := f.End(); end == edgetest.Open {
			t.Errorf("%s: the connection stays open", name)
		}
		within(t, start, slow)
	}
	if n := rec.Count(); n > 0 {
		t.Errorf("%d requests reached the server", n)
	}
	edge.Canaries(t)
}

// dripOver is drip within TLS.
func dripOver(f *edgetest.Frames, text string) {
	tick := time.NewTicker(slow / 10)
	defer tick.Stop()
	for i := range text {
		if _, err := f.Conn().Write([]byte{text[i]}); err != nil {
			return
		}
		<-tick.C
	}
}

// idleStreams: a hundred streams whose bodies never come have as long as any body, and
// their connection no longer than one without a request.
func idleStreams(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, slowTimeouts))
	f, start := edge.DialHTTP2(t, "app.example"), time.Now()
	for i := range uint32(100) {
		f.Headers(2*i+1, false, edgetest.Post("app.example", "/", "content-length: 1000")...)
	}
	for i := range uint32(100) {
		if r := f.Wait(2*i + 1); r.Status != "408" {
			t.Fatalf("stream %d: %+v, want 408", 2*i+1, r)
		}
	}
	within(t, start, slow)
	end := f.End()
	if end != edgetest.Closed || f.GoAway == nil || f.GoAway.ErrCode != http2.ErrCodeNo {
		t.Errorf("connection %v, GOAWAY %+v", end, f.GoAway)
	}
	within(t, start, 2*slow-slow/4)
	wait(t, "the end of the servers' connections", func() bool { return rec.Open() == 0 })
	edge.Canaries(t)
}

func oneStreamTooMany(t *testing.T) {
	for most, limit := range map[int]string{100: "", 7: "[limits]\nstreams = 7\n"} {
		t.Run(fmt.Sprint(most), func(t *testing.T) { refusesAfter(t, most, limit) })
	}
}

func refusesAfter(t *testing.T, most int, limit string) {
	rec, release := gated(t)
	edge := edgetest.Start(t, tunnelSite(rec, limit))
	f := edge.DialHTTP2(t, "app.example")
	if n := f.Settings[http2.SettingMaxConcurrentStreams]; n != uint32(most) {
		t.Errorf("the edge says that %d streams may be open, want %d", n, most)
	}
	last := uint32(2*most + 1)
	for id := uint32(1); id <= last; id += 2 {
		f.Headers(id, true, edgetest.Get("app.example", "/gate")...)
	}
	if r := f.Wait(last); !r.Reset || r.Code != http2.ErrCodeRefusedStream {
		t.Errorf("stream %d: %+v, want it refused", most+1, r)
	}
	wait(t, "the others at the server", func() bool { return rec.Count() == most })
	release()
	for id := uint32(1); id < last; id += 2 {
		if r := f.Wait(id); r.Status != "200" {
			t.Errorf("stream %d: %+v", id, r)
		}
	}
	if r := f.Ask(last+2, edgetest.Get("app.example", "/")...); r.Status != "200" {
		t.Errorf("when there is room again: %+v", r)
	}
	if n := rec.Count(); n != most+1 {
		t.Errorf("the server got %d requests, want %d", n, most+1)
	}
}

// gated starts a server that answers requests for /gate when they are released.
func gated(t *testing.T) (rec *edgetest.Recorder, release func()) {
	t.Helper()
	gate := make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	rec = edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			if m.Path == "/gate" {
				<-gate
			}
			p.Send(edgetest.EchoOf(m))
		}
	})
	t.Cleanup(release)
	return rec, release
}

// lyingLengths has attackers send bodies shorter and longer than they said, while others
// ask over the same connections to the server: each gets its own answer.
func lyingLengths(t *testing.T) {
	const users, rounds = 20, 500
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send(edgetest.EchoOf(m))
			_, _ = p.Recorder().Take()
		}
	})
	site := tunnelSite(rec, "")
	site.Log = `access = "off"`
	edge := edgetest.Start(t, site)
	var all sync.WaitGroup
	for user := range users {
		f, w := honest(t, edge, "app.example")
		all.Go(func() {
			for round := 0; round < rounds; round += 10 {
				first := w.next
				for i := range 10 {
					w.open(true, edgetest.Get("app.example", fmt.Sprintf("/%d/%d", user, round+i))...)
				}
				w.flush()
				for i := range 10 {
					r, err := f.TryWait(first + 2*uint32(i))
					want := fmt.Sprintf("GET /%d/%d", user, round+i)
					if err != nil || r.Status != "200" || string(r.Body) != want {
						t.Errorf("user %d got %+v, %v; want %q", user, r, err, want)
						return
					}
				}
			}
		})
	}
	for range 3 {
		f, w := honest(t, edge, "app.example")
		all.Go(func() {
			w.pour(60, func(w *wire) { // the budget has 200
				const admin = "GET /admin HTTP/1.1\r\nHost: app.example\r\n\r\n"
				for length, body := range map[string]string{"100": admin, "0": admin, "1": admin} {
					id := w.open(false, edgetest.Post("app.example", "/", "content-length: "+length)...)
					f.Check(w.WriteData(id, true, []byte(body)))
				}
			})
			for id := uint32(1); id < w.next; id += 2 {
				r, err := f.TryWait(id)
				if err != nil || !r.Reset || r.Code != http2.ErrCodeProtocol || r.Status == "200" {
					t.Errorf("stream %d: %+v, %v; want a reset", id, r, err)
					return
				}
			}
		})
	}
	all.Wait()
	edge.Canaries(t)
}

// opened has a hundred streams wait for a server.
func opened(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder) *edgetest.Frames {
	t.Helper()
	f := edge.DialHTTP2(t, "app.example")
	for i := range uint32(100) {
		f.Headers(2*i+1, true, edgetest.Get("app.example", "/gate")...)
	}
	wait(t, "all requests at the server", func() bool { return rec.Count() == 100 })
	return f
}

// finishes sees the hundred streams served and the connection closed.
func finishes(t *testing.T, f *edgetest.Frames) {
	t.Helper()
	for i := range uint32(100) {
		r, err := f.TryWait(2*i + 1)
		if err != nil || r.Status != "200" || string(r.Body) != "GET /gate" {
			t.Fatalf("stream %d: %+v, %v", 2*i+1, r, err)
		}
	}
	if end := f.End(); end != edgetest.Closed {
		t.Errorf("connection %v, want it closed", end)
	}
}

// saysFarewell reads until the edge says which stream was the last.
func saysFarewell(t *testing.T, f *edgetest.Frames, last uint32) {
	t.Helper()
	for f.GoAway == nil || f.GoAway.LastStreamID != last {
		if err := f.Read(); err != nil {
			t.Fatalf("%v, GOAWAY %+v", err, f.GoAway)
		}
	}
	if f.GoAway.ErrCode != http2.ErrCodeNo {
		t.Errorf("GOAWAY %v", f.GoAway.ErrCode)
	}
}

// stopsWithStreams: what was asked for is served, what comes later is refused so that it
// may be asked elsewhere.
func stopsWithStreams(t *testing.T) {
	rec, release := gated(t)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	f := opened(t, edge, rec)
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), edgetest.Patience)
		defer cancel()
		stopped <- edge.App.Stop(ctx)
	}()
	saysFarewell(t, f, 199)
	r, err := f.Headers(201, true, edgetest.Get("app.example", "/late")...).TryWait(201)
	if err != nil || !r.Reset || r.Code != http2.ErrCodeRefusedStream {
		t.Errorf("a stream after the last: %+v, %v; want it refused", r, err)
	}
	release()
	finishes(t, f)
	f.Close()
	if err := <-stopped; err != nil {
		t.Errorf("stopping: %v", err)
	}
	if n := rec.Count(); n != 100 {
		t.Errorf("%d requests reached the server, want 100", n)
	}
}

// reloadsWithStreams: whoever is connected notices nothing.
func reloadsWithStreams(t *testing.T) {
	rec, release := gated(t)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	f := opened(t, edge, rec)
	if err := edge.Reload(tunnelSite(rec, `
		[[route]]
		name = "fresh"
		hosts = ["fresh.example"]
		respond = { status = 200, body = "fresh" }
	`)); err != nil {
		t.Fatal(err)
	}
	release()
	for i := range uint32(100) {
		if r := f.Wait(2*i + 1); string(r.Body) != "GET /gate" {
			t.Fatalf("stream %d: %+v", 2*i+1, r)
		}
	}
	if r := f.Ask(201, edgetest.Get("fresh.example", "/")...); string(r.Body) != "fresh" {
		t.Errorf("the new route: %+v", r)
	}
	if f.GoAway != nil {
		t.Errorf("GOAWAY %+v", f.GoAway)
	}
}

// rulesOfTLSChange: a connection whose handshake would be another one now ends, when its
// streams have.
func rulesOfTLSChange(t *testing.T) {
	rec, release := gated(t)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	f := opened(t, edge, rec)
	strict := tunnelSite(rec, "")
	strict.TLS = "min_version = \"1.3\"\n"
	if err := edge.Reload(strict); err != nil {
		t.Fatal(err)
	}
	saysFarewell(t, f, 199)
	release()
	finishes(t, f)
	edge.Canaries(t)
}

// priorKnowledge: nobody speaks HTTP/2 in clear text here.
func priorKnowledge(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	preface := http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	edgetest.Run(t, edge, rec, []edgetest.Case{
		{
			Name: "preface", Status: http.StatusHTTPVersionNotSupported, Closes: true,
			Send: []string{preface, preface + "\x00\x00\x01\x01\x05\x00\x00\x00\x01\x82"},
		},
		served("upgrade", func(t testing.TB, o *edgetest.Outcome) {
			if strings.Contains(strings.ToLower(o.Raw), "http2-settings") || strings.Contains(o.Raw, "h2c") {
				t.Errorf("the server got %q", o.Raw)
			}
		}, get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
			"HTTP2-Settings: AAMAAABkAARAAAAA")),
	})
}
