package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// report is everything that was measured.
type report struct {
	Machine machine
	Rows    []rowResult
}

// rowResult is one row with the samples of all proxies.
type rowResult struct {
	Name, Title string
	Samples     []sample
	Lacking     []string // proxies that do not speak the row's protocol
	Gate        bool     // what is compared is the same proxy without its gate
}

func (r report) writeJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// write prints Markdown that reads as a table in a terminal too: medians, and the
// smallest and the largest for the figure that is compared.
func (r report) write(out io.Writer) error {
	load := [][]string{{"row", "proxy", "requests/s", "CPU us/request", "min-max", "of HAProxy",
		"of nginx", "p50", "p99", "peak MiB"}}
	idle := [][]string{{"row", "proxy", "KiB/connection", "min-max", "of HAProxy", "of nginx",
		"MiB in all"}}
	gate := [][]string{{"row", "proxy", "requests/s", "CPU us/request", "min-max", "of ungated",
		"p50", "p99", "peak MiB"}}
	certs := [][]string{{"row", "proxy", "CPU us/handshake", "min-max", "of HAProxy", "of nginx",
		"with one", "of that", "start", "reload", "MiB"}}
	for _, row := range r.Rows {
		switch {
		case row.Samples[0].Held != 0:
			idle = append(idle, row.lines(idleLine, sample.perConnection)...)
		case row.Samples[0].Start != 0:
			certs = append(certs, row.lines(certificatesLine, sample.perRequest)...)
		case row.Gate:
			gate = append(gate, row.lines(gateLine, sample.perRequest)...)
		default:
			load = append(load, row.lines(loadLine, sample.perRequest)...)
		}
	}
	text := r.Machine.String() + "\n"
	for _, table := range [][][]string{load, gate, idle, certs} {
		if len(table) > 1 {
			text += "\n" + markdown(table)
		}
	}
	_, err := io.WriteString(out, text)
	return err
}

// figures are the samples of one proxy in one row, with the one that is compared.
type figures struct {
	samples []sample
	compare func(sample) float64
	ratios  []string // to the medians of HAProxy and nginx
	ungated string   // ratio to the median of the same proxy without its gate
}

func (r rowResult) lines(line func(figures) []string, compare func(sample) float64) [][]string {
	var order []string
	of := map[string][]sample{}
	for _, s := range r.Samples {
		if of[s.Proxy] == nil {
			order = append(order, s.Proxy)
		}
		of[s.Proxy] = append(of[s.Proxy], s)
	}
	var lines [][]string
	for _, name := range order {
		f := figures{samples: of[name], compare: compare}
		for _, other := range []string{"haproxy", "nginx"} {
			ratio := ""
			if base := of[other]; base != nil {
				ratio = fmt.Sprintf("%.2f", median(of[name], compare)/median(base, compare))
			}
			f.ratios = append(f.ratios, ratio)
		}
		if base := of[f.samples[0].Ungated]; base != nil {
			f.ungated = fmt.Sprintf("%.2f", median(of[name], compare)/median(base, compare))
		}
		lines = append(lines, append([]string{r.Title, name}, line(f)...))
	}
	for _, name := range r.Lacking {
		nothing := slices.Repeat([]string{"-"}, len(lines[0])-2)
		lines = append(lines, append([]string{r.Title, name}, nothing...))
	}
	return lines
}

func loadLine(f figures) []string {
	return []string{
		fmt.Sprintf("%.0f", median(f.samples, sample.rate)),
		fmt.Sprintf("%.1f", median(f.samples, f.compare)),
		f.span(),
		f.ratios[0], f.ratios[1],
		latency(median(f.samples, func(s sample) float64 { return float64(s.P50) })),
		latency(median(f.samples, func(s sample) float64 { return float64(s.P99) })),
		f.resident(),
	}
}

func gateLine(f figures) []string {
	return []string{
		fmt.Sprintf("%.0f", median(f.samples, sample.rate)),
		fmt.Sprintf("%.1f", median(f.samples, f.compare)),
		f.span(),
		f.ungated,
		latency(median(f.samples, func(s sample) float64 { return float64(s.P50) })),
		latency(median(f.samples, func(s sample) float64 { return float64(s.P99) })),
		f.resident(),
	}
}

func idleLine(f figures) []string {
	return []string{fmt.Sprintf("%.1f", median(f.samples, f.compare)), f.span(),
		f.ratios[0], f.ratios[1], f.resident()}
}

func certificatesLine(f figures) []string {
	reload := "-"
	if f.samples[0].Reload != 0 {
		reload = latency(median(f.samples, func(s sample) float64 { return float64(s.Reload) }))
	}
	return []string{
		fmt.Sprintf("%.1f", median(f.samples, f.compare)), f.span(), f.ratios[0], f.ratios[1],
		fmt.Sprintf("%.1f", median(f.samples, func(s sample) float64 { return s.Alone })),
		fmt.Sprintf("%.2f", median(f.samples, sample.toAlone)),
		latency(median(f.samples, func(s sample) float64 { return float64(s.Start) })),
		reload,
		f.resident(),
	}
}

func (f figures) span() string {
	values := sorted(f.samples, f.compare)
	return fmt.Sprintf("%.1f-%.1f", values[0], values[len(values)-1])
}

func (f figures) resident() string {
	return fmt.Sprintf("%.0f", median(f.samples, func(s sample) float64 {
		return float64(s.Resident) / (1 << 20)
	}))
}

func latency(nanoseconds float64) string {
	return time.Duration(nanoseconds).Round(10 * time.Microsecond).String()
}

func sorted(samples []sample, of func(sample) float64) []float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values
}

// median is the middle value, the mean of two where two are in the middle.
func median(samples []sample, of func(sample) float64) float64 {
	values := sorted(samples, of)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// markdown aligns the columns: words to the left, figures to the right.
func markdown(table [][]string) string {
	const words = 2
	widths := make([]int, len(table[0]))
	for _, line := range table {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var text strings.Builder
	for n, line := range table {
		for i, cell := range line {
			if i < words {
				fmt.Fprintf(&text, "| %-*s ", widths[i], cell)
			} else {
				fmt.Fprintf(&text, "| %*s ", widths[i], cell)
			}
		}
		text.WriteString("|\n")
		if n == 0 {
			for i, width := range widths {
				if i < words {
					text.WriteString("|" + strings.Repeat("-", width+2))
				} else {
					text.WriteString("|" + strings.Repeat("-", width+1) + ":")
				}
			}
			text.WriteString("|\n")
		}
	}
	return text.String()
}
