package main

import (
	"strings"
	"testing"
	"time"
)

const wrkReport = `Running 3s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.83ms  312.55us   9.71ms   91.02%
    Req/Sec    35.25k     1.03k   37.01k    70.00%
  Latency Distribution
     50%  980.00us
     75%    1.91ms
     90%    2.07ms
     99%    1.20s 
  105254 requests in 3.10s, 36.34MB read
Requests/sec:  33952.90
Transfer/sec:     11.72MB
`

func TestParseWrk(t *testing.T) {
	o, err := parseWrk(wrkReport)
	if err != nil {
		t.Fatal(err)
	}
	want := outcome{Requests: 105254, Seconds: 3.1, P50: 980 * time.Microsecond, P99: 1200 * time.Millisecond}
	if o != want {
		t.Errorf("parseWrk = %+v, want %+v", o, want)
	}
}

func TestParseWrkRefusesWhatIsNoMeasurement(t *testing.T) {
	for name, text := range map[string]string{
		"refused requests": wrkReport + "  Non-2xx or 3xx responses: 3\n",
		"broken connections": strings.Replace(wrkReport, "Requests/sec",
			"  Socket errors: connect 0, read 1, write 0, timeout 0\nRequests/sec", 1),
		"no answer":    strings.Replace(wrkReport, "105254", "0", 1),
		"no total":     strings.Replace(wrkReport, "requests in", "", 1),
		"no latencies": strings.Replace(wrkReport, "%", "", -1),
		"nothing":      "",
	} {
		if o, err := parseWrk(text); err == nil {
			t.Errorf("%s: parseWrk = %+v without an error", name, o)
		}
	}
}

const h2loadReport = `Application protocol: h2
Warm-up phase is over for thread #0.
Main benchmark duration is started for thread #0.
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 1.50s, 4.00 req/s, 2.83MB/s
requests: 4 total, 4 started, 4 done, 4 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 3 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 2.83MB (2965826) total, 2.89MB (3029952) headers (space savings 51.02%), 291B (291) data
                     min         max         mean         sd        +/- sd
time for request:       38us      4.87ms       919us       356us    73.42%
req/s           :       1.42        2.76        2.70        0.62    75.00%
`

var twoStreams = row{conns: 1, streams: 2, size: smallBytes}

func TestCheckH2load(t *testing.T) {
	if err := checkH2load(h2loadReport, twoStreams); err != nil {
		t.Errorf("checkH2load = %v", err)
	}
	for name, change := range map[string][2]string{
		"HTTP/1.1":          {"protocol: h2", "protocol: http/1.1"},
		"failed":            {"0 failed", "1 failed"},
		"errored":           {"0 errored", "12 errored"},
		"timeout":           {"0 timeout", "3 timeout"},
		"redirected":        {"0 3xx", "4 3xx"},
		"refused":           {"0 5xx", "4 5xx"},
		"short answers":     {"(291)", "(193)"},
		"an idle client":    {"1.42 ", "0.00 "},
		"no counts":         {"succeeded", "done"},
		"no sum of traffic": {"data", "bytes"},
	} {
		text := strings.Replace(h2loadReport, change[0], change[1], 1)
		if err := checkH2load(text, twoStreams); err == nil || text == h2loadReport {
			t.Errorf("%s: checkH2load gives no error", name)
		}
	}
}

func TestParseH2loadLog(t *testing.T) {
	o, err := parseH2loadLog([]byte("1795394735410983\t0\t1006\n1795394735410995\t200\t1042\n"+
		"1795394735411014\t200\t27\n"), twoStreams)
	want := outcome{Requests: 3, P50: 1006 * time.Microsecond, P99: 1042 * time.Microsecond}
	if err != nil || o != want {
		t.Errorf("parseH2loadLog = %+v, %v, want %+v", o, err, want)
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"a failed stream":      "1\t-1\t5\n",
		"a refused request":    "1\t503\t5\n",
		"no statuses":          strings.Repeat("1\t0\t5\n", 3),
		"a line that is short": "1\t200\n",
		"a time that is none":  "1\t200\tsoon\n",
	} {
		if o, err := parseH2loadLog([]byte(text), twoStreams); err == nil {
			t.Errorf("%s: parseH2loadLog = %+v without an error", name, o)
		}
	}
}

func TestParseStat(t *testing.T) {
	tail := ") S 17 4242 4242 0 -1 4194560 1 0 0 0 120 34 5 6 20 0 9 0 1 2 3\n"
	for _, name := range []string{"nginx", "a b", "evil) S 1 (x", ""} {
		got, err := parseStat([]byte("4242 (" + name + tail))
		if err != nil {
			t.Errorf("parseStat of %q: %v", name, err)
		}
		if want := (stat{pid: 4242, parent: 17, cpu: 1540 * time.Millisecond}); got != want {
			t.Errorf("parseStat of %q = %+v, want %+v", name, got, want)
		}
	}
	for _, line := range []string{"", "4242", "4242 (x", "4242 (x) S 17", "x (x" + tail,
		strings.Replace("1 (x"+tail, "120", "a", 1)} {
		if got, err := parseStat([]byte(line)); err == nil {
			t.Errorf("parseStat(%q) = %+v without an error", line, got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	const text = "Name:\tnginx\nVmHWM:\t   21504 kB\nVmRSS:\t    1024 kB\nVmOdd:\t 7 MB\nVmBad:\t x kB\n"
	for name, want := range map[string]int64{"VmHWM": 21504 << 10, "VmRSS": 1 << 20} {
		if got, err := parseStatus([]byte(text), name); got != want || err != nil {
			t.Errorf("parseStatus of %s = %d, %v, want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"VmSwap", "VmOdd", "VmBad", "Vm"} {
		if got, err := parseStatus([]byte(text), name); err == nil {
			t.Errorf("parseStatus of %s = %d without an error", name, got)
		}
	}
}

func TestParseCPU(t *testing.T) {
	for text, want := range map[string][2]int{
		"cpu  10 1 5 100 50 1 1 2 7 7\ncpu0 9 9 9 9\n": {20, 170},
		"cpu  10 1 5 100\n":                            {16, 116},
		"":                                             {0, 0},
	} {
		if work, all := parseCPU(text); work != want[0] || all != want[1] {
			t.Errorf("parseCPU(%q) = %d, %d, want %v", text, work, all, want)
		}
	}
}

func TestSelectRows(t *testing.T) {
	all, err := selectRows("")
	if err != nil || len(all) != len(rows()) {
		t.Errorf("selectRows of nothing = %d rows, %v, want all", len(all), err)
	}
	two, err := selectRows("up,small-h1")
	if err != nil || len(two) != 2 || two[0].name != "up" || two[1].name != "small-h1" {
		t.Errorf("selectRows = %v, %v, want up and small-h1 in this order", two, err)
	}
	if _, err := selectRows("up,sideways"); err == nil || !strings.Contains(err.Error(), "idle-tls") {
		t.Errorf("selectRows of an unknown row = %v, want an error that lists them", err)
	}
}
