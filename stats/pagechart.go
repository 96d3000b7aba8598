package stats

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// The size of a chart in its own units: one for each point of an hour, and
// whatever is fit for the height.
const (
	chartWidth  = Points
	chartHeight = 100
)

// spans are how much of the past a chart may show. It shows the least that holds
// what there is: the first minutes on an hour's scale are a peak at the edge.
var spans = [...]struct {
	points       int
	from, middle string
}{
	{12, "2 min ago", "1 min"}, {60, "10 min ago", "5 min"},
	{180, "30 min ago", "15 min"}, {Points, "1 hour ago", "30 min"},
}

// chartModel is a chart of the last hour, or of what there is of it.
type chartModel struct {
	ID, Title string
	// Kind is how the script writes a value under the pointer.
	Kind string
	// Top is what the upper edge stands for. Plot is the drawing; its State is the
	// same as a number.
	Top, Plot cell
	// From is when the left edge is, Middle the middle. The State of From is the
	// seconds from there to now.
	From, Middle cell
	// Wait says why there is nothing to see, if so; None is what it says of a chart
	// without values.
	Wait cell
	None string
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
	paper := paperOf(h)
	requests := newChart(chartModel{
		ID: "ch-req", Title: "Requests", Kind: perSecond, None: "No requests in this time",
	}, h, series{"all", func(p *Point) float32 { return p.Requests }})
	line := &requests.Lines[0]
	line.Last.Text = rateText(p.All.RequestRate) + "/s" // fresher than the last point
	requests.Fill = shape{ID: "ch-req-fill", Path: paper.filled(line.Path)}
	return []chartModel{
		requests,
		newChart(chartModel{
			ID: "ch-err", Title: "Errors", Kind: perSecond, None: "No errors in this time",
		}, h,
			series{"4xx", func(p *Point) float32 { return p.ClientErrors }},
			series{"5xx", func(p *Point) float32 { return p.ServerErrors }}),
		newChart(chartModel{
			ID: "ch-lat", Title: "Latency", Kind: seconds, None: "No requests in this time",
		}, h,
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
	paper, most := paperOf(h), 0.0
	paper.gaps = c.Kind == seconds // without requests there is no time of them
	for _, s := range all {
		most = max(most, paper.most(s.value))
	}
	paper.top = roundUp(most)
	c.Top, c.Wait = cell{ID: c.ID + "-top"}, cell{ID: c.ID + "-wait"}
	switch {
	case len(h.Points) < 2:
		c.Wait.Text = "Collecting: a point every 10 seconds"
	case most == 0:
		c.Wait.Text = c.None
	default:
		c.Top.Text = c.scale(paper.top)
	}
	c.Plot = cell{ID: c.ID + "-plot", State: strconv.FormatFloat(paper.top, 'g', -1, 64)}
	span := spans[paper.span]
	past := time.Duration(span.points) * Step
	c.From = cell{ID: c.ID + "-from", Text: span.from, State: fmt.Sprint(past.Seconds())}
	c.Middle = cell{ID: c.ID + "-middle", Text: span.middle}
	for _, s := range all {
		last := float32(0)
		if n := len(h.Points); n > 0 {
			last = s.value(&h.Points[n-1])
		}
		c.Lines = append(c.Lines, chartLine{
			Label: s.label,
			Last:  cell{ID: c.ID + "-" + s.label, Text: c.text(float64(last))},
			shape: shape{
				ID: c.ID + "-line-" + s.label, Class: "l-" + s.label, Path: paper.line(s.value),
			},
		})
	}
	return c
}

// text is a value with its unit.
func (c *chartModel) text(f float64) string {
	switch {
	case c.Kind == perSecond:
		return rateText(f) + "/s"
	case f == 0:
		return noFigure
	}
	return tookText(time.Duration(f * float64(time.Second)))
}

// scale is a value of the scale with its unit: a round number.
func (c *chartModel) scale(f float64) string {
	short := func(f float64) string { return strconv.FormatFloat(math.Round(f*1000)/1000, 'f', -1, 64) }
	switch {
	case c.Kind == perSecond && f < 1000:
		return short(f) + "/s"
	case c.Kind == perSecond:
		return countText(int64(f)) + "/s"
	case f < 0.001:
		return short(f*1e6) + " µs"
	case f < 1:
		return short(f*1000) + " ms"
	}
	return short(f) + " s"
}

// sparkOf is the requests of a backend as a small line, as long as those of all.
func sparkOf(id string, h Series, all *Series) shape {
	requests := func(p *Point) float32 { return p.Requests }
	paper := paperOf(&h)
	paper.span = paperOf(all).span
	paper.top = max(paper.most(requests), 1)
	return shape{ID: id, Path: paper.line(requests)}
}

// paper is what lines are drawn on: points, the last of which is at the right edge.
type paper struct {
	points []Point
	span   int     // of spans
	top    float64 // what the upper edge stands for
	gaps   bool    // a value of 0 is none
}

func paperOf(h *Series) paper {
	p := paper{points: h.Points}
	for p.span < len(spans)-1 && spans[p.span].points < len(h.Points) {
		p.span++
	}
	return p
}

func (p *paper) most(value func(*Point) float32) float64 {
	top := float32(0)
	for i := range p.points {
		top = max(top, value(&p.points[i]))
	}
	return float64(top)
}

// left is where a point is.
func (p *paper) left(i int) int {
	return chartWidth - (len(p.points)-1-i)*(chartWidth/spans[p.span].points)
}

// line draws the points, from two on.
func (p *paper) line(value func(*Point) float32) string {
	if len(p.points) < 2 {
		return ""
	}
	b := make([]byte, 0, 8*len(p.points))
	gap := func(i int) bool { return p.gaps && value(&p.points[i]) == 0 }
	for i := range p.points {
		if gap(i) {
			continue
		}
		begins := i == 0 || gap(i-1)
		if begins {
			b = append(b, 'M')
		} else {
			b = append(b, 'L')
		}
		b = strconv.AppendInt(b, int64(p.left(i)), 10)
		b = append(b, ' ')
		y := chartHeight * (1 - float64(value(&p.points[i]))/p.top)
		b = strconv.AppendFloat(b, math.Round(y*10)/10, 'f', -1, 64)
		if begins && (i == len(p.points)-1 || gap(i+1)) {
			b = append(b, "h0"...) // a dot
		}
	}
	return string(b)
}

// filled closes a line at the bottom.
func (p *paper) filled(line string) string {
	if line == "" {
		return ""
	}
	return line + "V" + strconv.Itoa(chartHeight) + "H" + strconv.Itoa(p.left(0)) + "Z"
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
