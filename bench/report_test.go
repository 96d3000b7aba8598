package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func turns(proxy string, cpu ...time.Duration) []sample {
	var samples []sample
	for _, c := range cpu {
		samples = append(samples, sample{Proxy: proxy, CPU: c * time.Millisecond, Resident: 21 << 20,
			outcome: outcome{Requests: 1000, Seconds: 0.5, P50: time.Millisecond, P99: 2 * time.Millisecond}})
	}
	return samples
}

func TestReportShowsMediansAndTheRatiosToHAProxyAndNginx(t *testing.T) {
	guarded := turns("gated", 21)
	guarded[0].Ungated = "bare"
	r := report{
		Machine: machine{Date: "2026-11-22", CPU: "Z80", Cores: 2, Kernel: "6.1", Versions: []string{"wrk 4"}},
		Rows: []rowResult{
			{Title: "small", Samples: append(turns("doorward", 30, 10, 20), turns("haproxy", 40, 30)...)},
			{Title: "streams", Samples: append(turns("haproxy", 40), turns("nginx", 20)...),
				Lacking: []string{"doorward"}},
			{Title: "in", Gate: true, Samples: append(turns("bare", 20), guarded...)},
			{Title: "idle", Samples: []sample{
				{Proxy: "doorward", outcome: outcome{Requests: 1024}, Held: 20 << 20, Resident: 30 << 20},
			}},
			{Title: "many", Samples: []sample{{
				Proxy: "doorward", outcome: outcome{Requests: 100}, CPU: 66 * time.Millisecond, Alone: 600,
				Start: 2 * time.Second, Reload: 250 * time.Millisecond, Resident: 30 << 20,
			}, {
				Proxy: "nginx", outcome: outcome{Requests: 100}, CPU: 88 * time.Millisecond, Alone: 800,
				Start: 9 * time.Second, Resident: 90 << 20,
			}}},
		},
	}
	var out strings.Builder
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	const want = `2026-11-22; Z80, 2 cores (one for the proxy, one for load and servers); Linux 6.1; wrk 4.

| row     | proxy    | requests/s | CPU us/request |   min-max | of HAProxy | of nginx | p50 | p99 | peak MiB |
|---------|----------|-----------:|---------------:|----------:|-----------:|---------:|----:|----:|---------:|
| small   | doorward |       2000 |           20.0 | 10.0-30.0 |       0.57 |          | 1ms | 2ms |       21 |
| small   | haproxy  |       2000 |           35.0 | 30.0-40.0 |       1.00 |          | 1ms | 2ms |       21 |
| streams | haproxy  |       2000 |           40.0 | 40.0-40.0 |       1.00 |     2.00 | 1ms | 2ms |       21 |
| streams | nginx    |       2000 |           20.0 | 20.0-20.0 |       0.50 |     1.00 | 1ms | 2ms |       21 |
| streams | doorward |          - |              - |         - |          - |        - |   - |   - |        - |

| row | proxy | requests/s | CPU us/request |   min-max | of ungated | p50 | p99 | peak MiB |
|-----|-------|-----------:|---------------:|----------:|-----------:|----:|----:|---------:|
| in  | bare  |       2000 |           20.0 | 20.0-20.0 |            | 1ms | 2ms |       21 |
| in  | gated |       2000 |           21.0 | 21.0-21.0 |       1.05 | 1ms | 2ms |       21 |

| row  | proxy    | KiB/connection |   min-max | of HAProxy | of nginx | MiB in all |
|------|----------|---------------:|----------:|-----------:|---------:|-----------:|
| idle | doorward |           20.0 | 20.0-20.0 |            |          |         30 |

| row  | proxy    | CPU us/handshake |     min-max | of HAProxy | of nginx | with one | of that | start | reload | MiB |
|------|----------|-----------------:|------------:|-----------:|---------:|---------:|--------:|------:|-------:|----:|
| many | doorward |            660.0 | 660.0-660.0 |            |     0.75 |    600.0 |    1.10 |    2s |  250ms |  30 |
| many | nginx    |            880.0 | 880.0-880.0 |            |     1.00 |    800.0 |    1.10 |    9s |      - |  90 |
`
	if out.String() != want {
		t.Errorf("the report is\n%s\nwant\n%s", &out, want)
	}
}

func TestMachineOwnsUpToOtherWork(t *testing.T) {
	for busy, want := range map[float64]bool{0.01: false, 0.3: true} {
		if got := strings.Contains((machine{Busy: busy}).String(), "30% of the machine"); got != want {
			t.Errorf("busy %v: the text speaks of other work: %v, want %v", busy, got, want)
		}
	}
}

func TestReportKeepsEverySampleAsJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "samples.json")
	r := report{Rows: []rowResult{{Name: "small", Samples: turns("nginx", 10, 20)}}}
	if err := r.writeJSON(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if got := back.Rows[0].Samples; len(got) != 2 || got[1] != r.Rows[0].Samples[1] {
		t.Errorf("read back %+v, want %+v", got, r.Rows[0].Samples)
	}
}
