package stats

import (
	"math"
	"strconv"
	"time"
)

// The size of a chart in its own units: one for each point of the hour, and
// whatever is fit for the height.
const (
	chartWidth  = Points
	chartHeight = 100
)

// chartModel is a chart of the last hour.
type chartModel struct {
	ID, Title string
	// Kind is how the script writes a value under the pointer.
	Kind string
	// Top is what the upper edge stands for. Plot is the drawing; its State is the
	// same as a number.
	Top, Plot cell
	// Fill is the area below the first line, nothing when it would hide others.
	Fill  shape
	Lines []chartLine
}

// chartLine is one line of it.
type chartLine struct {
	Label string
	// Last is the newest value as text.
	Last cell
	shape
}

// shape is the d attribute of the path with that ID. Class is what it is coloured
// by.
type shape struct {
	ID, Class, Path string
}

// chartsOf are requests, errors and latency.
func chartsOf(p *Picture, h *Series) []chartModel {
	requests := newChart(chartModel{ID: "ch-req", Title: "Requests", Kind: perSecond}, h,
		series{"all", func(p *Point) float32 { return p.Requests }})
	line := &requests.Lines[0]
	line.Last.Text = rateText(p.All.RequestRate) + "/s" // fresher than the last point
	requests.Fill = shape{ID: "ch-req-fill", Path: filled(line.Path, len(h.Points))}
	return []chartModel{
		requests,
		newChart(chartModel{ID: "ch-err", Title: "Errors", Kind: perSecond}, h,
			series{"4xx", func(p *Point) float32 { return p.ClientErrors }},
			series{"5xx", func(p *Point) float32 { return p.ServerErrors }}),
		newChart(chartModel{ID: "ch-lat", Title: "Latency", Kind: seconds}, h,
			series{"p50", func(p *Point) float32 { return p.P50 }},
			series{"p95", func(p *Point) float32 { return p.P95 }},
			series{"p99", func(p *Point) float32 { return p.P99 }}),
	}
}

// The kinds of charts.
const (
	perSecond = "rate"
	seconds   = "time"
)

// series is one line: a name and what it takes from a point.
type series struct {
	label string
	value func(*Point) float32
}

// newChart draws the lines to one scale.
func newChart(c chartModel, h *Series, all ...series) chartModel {
	top := 0.0
	for _, s := range all {
		top = max(top, most(h.Points, s.value))
	}
	top = roundUp(top)
	c.Top = cell{ID: c.ID + "-top", Text: c.text(top)}
	c.Plot = cell{ID: c.ID + "-plot", State: strconv.FormatFloat(top, 'g', -1, 64)}
	for _, s := range all {
		last := float32(0)
		if n := len(h.Points); n > 0 {
			last = s.value(&h.Points[n-1])
		}
		c.Lines = append(c.Lines, chartLine{
			Label: s.label,
			Last:  cell{ID: c.ID + "-" + s.label, Text: c.text(float64(last))},
			shape: shape{
				ID: c.ID + "-line-" + s.label, Class: "l-" + s.label,
				Path: linePath(h.Points, top, s.value),
			},
		})
	}
	return c
}

func (c *chartModel) text(f float64) string {
	if c.Kind == perSecond {
		return rateText(f) + "/s"
	}
	return tookText(time.Duration(f * float64(time.Second)))
}

// sparkOf is the requests of a backend as a small line.
func sparkOf(id string, h Series) shape {
	requests := func(p *Point) float32 { return p.Requests }
	top := max(most(h.Points, requests), 1)
	return shape{ID: id, Path: linePath(h.Points, top, requests)}
}

func most(points []Point, value func(*Point) float32) float64 {
	top := float32(0)
	for i := range points {
		top = max(top, value(&points[i]))
	}
	return float64(top)
}

// filled closes a line of so many points at the bottom.
func filled(line string, points int) string {
	if points == 0 {
		return ""
	}
	return line + "V" + strconv.Itoa(chartHeight) + "H" + strconv.Itoa(chartWidth-points+1) + "Z"
}

// linePath draws the points with the newest at the right edge, where the hour ends.
func linePath(points []Point, top float64, value func(*Point) float32) string {
	b := make([]byte, 0, 8*len(points))
	for i := range points {
		if i == 0 {
			b = append(b, 'M')
		} else {
			b = append(b, 'L')
		}
		b = strconv.AppendInt(b, int64(chartWidth-len(points)+i+1), 10)
		b = append(b, ' ')
		y := chartHeight * (1 - float64(value(&points[i]))/top)
		b = strconv.AppendFloat(b, math.Round(y*10)/10, 'f', -1, 64)
	}
	return string(b)
}

// roundUp is the next 1, 2 or 5 with zeros, so that the scale seldom changes and
// is easy to read. Nothing gets a scale of one.
func roundUp(f float64) float64 {
	if f <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(f)))
	for _, step := range []float64{1, 2, 5} {
		if f <= step*unit {
			return step * unit
		}
	}
	return 10 * unit
}
