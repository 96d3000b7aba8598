package health_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"doorward/health"
)

// shared is a server of HTTP/2 without TLS.
func shared(t *testing.T, h http.HandlerFunc) *socket {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: h, Protocols: &protocols}
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() { _ = s.Close(); done.Wait() })
	return &socket{address: l.Addr().String()}
}

// over2 is a check over HTTP/2.
func over2() health.CheckOptions {
	o := quick(health.HTTP)
	o.Request.Version = "2"
	return o
}

func TestChecksOverHTTP2(t *testing.T) {
	peer := shared(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/large":
			w.Header().Set("X-Large", strings.Repeat("x", 80<<10))
		case "/breaks":
			panic(http.ErrAbortHandler)
		case "/bad":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, r.Proto+" "+r.Method+" "+r.Host+" "+r.Header.Get("X-Probe")+" "+string(body))
	})
	for _, c := range []struct {
		path, want string
		expect     health.Expect
	}{
		{"/", "L7OK 200", health.Expect{Body: "HTTP/2.0 POST app.example me hello"}},
		{"/", `L7RSP 200: "zebra" is not in the body`, health.Expect{Body: "zebra"}},
		{"/bad", "L7STS 503: Service Unavailable", health.Expect{}},
		{"/slow", "L7TOUT: no answer in time", health.Expect{}},
		{"/large", "L7RSP: ", health.Expect{}},
		{"/breaks", "L7RSP: ", health.Expect{}},
	} {
		o := over2()
		o.Request.Method, o.Request.Path, o.Request.Body = "POST", c.path, "hello"
		o.Request.Fields = map[string]string{"X-Probe": "me"}
		o.Expect = c.expect
		got := health.Probe(t.Context(), check(t, o), peer).String()
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
}

// Another version than the server's is none of HTTP, to either side.
func TestChecksInTheWrongVersion(t *testing.T) {
	old := serve(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 999))
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
	})
	got := health.Probe(t.Context(), check(t, over2()), &socket{address: old.Addr().String()})
	if got.Outcome != health.L7Response || !strings.Contains(got.Description, "HTTP/1.1") {
		t.Errorf("HTTP/2 to a server of HTTP/1.1: %q", got)
	}
	young := shared(t, func(http.ResponseWriter, *http.Request) {})
	if got := health.Probe(t.Context(), check(t, quick(health.HTTP)), young); got.Outcome.OK() {
		t.Errorf("HTTP/1.1 to a server of HTTP/2: %q", got)
	}
}

func TestChecksOfGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	state := grpchealth.NewServer()
	state.SetServingStatus("app.v1.App", grpc_health_v1.HealthCheckResponse_SERVING)
	state.SetServingStatus("app.v1.Old", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, state)
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); done.Wait() })
	peer := &socket{address: l.Addr().String()}
	for service, want := range map[string]string{
		"": "L7OK 200", "app.v1.App": "L7OK 200", "app.v1.Old": "L7STS 200: NOT_SERVING",
		"app.v1.None": "L7STS 200: the server does not know the service",
	} {
		o := quick(health.GRPC)
		o.Service = service
		if got := health.Probe(t.Context(), check(t, o), peer); got.String() != want {
			t.Errorf("%q: %q, want %q", service, got, want)
		}
	}
}

func TestServersThatAreNoneOfGRPC(t *testing.T) {
	for _, c := range []struct {
		name, status, body, want string
		code                     int
	}{
		{"good", "0", "\x00\x00\x00\x00\x02\x08\x01", "L7OK 200", 200},
		{"empty message", "0", "\x00\x00\x00\x00\x00", "L7STS 200: UNKNOWN", 200},
		{"unknown number", "0", "\x00\x00\x00\x00\x02\x08\x07", "L7STS 200: status 7", 200},
		{"not implemented", "12", "", "L7STS 200: the server has no grpc.health.v1.Health", 200},
		{"other status", "14", "", "L7STS 200: grpc-status 14: away 100%", 200},
		{"no status", "", "<html>", "L7STS 200: the answer is none of gRPC", 200},
		{"another code", "", "", "L7STS 404: Not Found", 404},
		{"nothing", "0", "", "L7RSP 200: the answer is none of grpc.health.v1.Health", 200},
		{"compressed", "0", "\x01\x00\x00\x00\x02\x08\x01", "L7RSP 200: the answer is none of grpc.health.v1.Health", 200},
		{"length that lies", "0", "\x00\x00\x00\x00\x09\x08\x01", "L7RSP 200: the answer is none of grpc.health.v1.Health", 200},
		{"another field", "0", "\x00\x00\x00\x00\x02\x10\x01", "L7RSP 200: the answer is none of grpc.health.v1.Health", 200},
		{"two fields", "0", "\x00\x00\x00\x00\x04\x08\x01\x10\x01", "L7RSP 200: the answer is none of grpc.health.v1.Health", 200},
		{"number cut off", "0", "\x00\x00\x00\x00\x02\x08\x81", "L7RSP 200: the answer is none of grpc.health.v1.Health", 200},
		{"too long", "0", "\x00\x00\x00\x00\x02\x08\x01" + strings.Repeat("x", 99), "L7RSP 200: the answer is none of grpc.health.v1.Health", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer := shared(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.code)
				_, _ = io.WriteString(w, c.body)
				w.(http.Flusher).Flush()
				if c.status != "" {
					w.Header().Set(http.TrailerPrefix+"Grpc-Status", c.status)
					w.Header().Set(http.TrailerPrefix+"Grpc-Message", "away 100%25")
				}
			})
			if got := health.Probe(t.Context(), check(t, quick(health.GRPC)), peer); got.String() != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
