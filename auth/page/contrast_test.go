package page_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"doorward/auth/page"
)

// luminance of a colour "#rrggbb", by the formula of WCAG 2.2.
func luminance(t testing.TB, color string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil || len(color) != 7 {
		t.Fatalf("%q is no colour", color)
	}
	sum := 0.0
	for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
		v := float64(n>>(8*i)&0xff) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += v * weight
	}
	return sum
}

func ratio(t testing.TB, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

var property = regexp.MustCompile(`--([a-z-]+):\s*(#[0-9a-f]{6})`)

// themes are the colours of a style: all of the light theme, and what the dark one
// has in their place.
func themes(style string) [2]map[string]string {
	first, second, _ := strings.Cut(style, "prefers-color-scheme")
	second, _, _ = strings.Cut(second, "\n*")
	all := [2]map[string]string{{}, {}}
	for _, m := range property.FindAllStringSubmatch(first, -1) {
		all[0][m[1]], all[1][m[1]] = m[2], m[2]
	}
	for _, m := range property.FindAllStringSubmatch(second, -1) {
		all[1][m[1]] = m[2]
	}
	return all
}

// TestContrast computes the contrast of all pairs of colours that the style puts
// together, for every accent that a company may have (WCAG AA).
func TestContrast(t *testing.T) {
	data, err := os.ReadFile("assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	const steps = "00 33 66 99 cc ff"
	accents := []string{"", "#0078d4", "#ffd400", "#0a2a4a", "#777777", "#e8590c"}
	for r := range strings.FieldsSeq(steps) {
		for g := range strings.FieldsSeq(steps) {
			for b := range strings.FieldsSeq(steps) {
				accents = append(accents, "#"+r+g+b)
			}
		}
	}
	pairs := map[string]float64{"text/page": 4.5, "text/card": 4.5, "text/soft": 4.5, "text/tint": 4.5,
		"mute/page": 4.5, "mute/card": 4.5, "mute/soft": 4.5, "mute/glow": 4.5, "text/glow": 4.5,
		"accent/page": 4.5, "accent/card": 4.5, "accent/tint": 4.5, "accent/soft": 4.5,
		"on-fill/fill": 4.5, "on-fill/fill-over": 4.5,
		"bad/bad-tint": 4.5, "good/good-tint": 4.5, "warn/warn-tint": 4.5, "field/card": 3}
	for _, accent := range accents {
		colors := themes(string(data))
		ofBrand := themes(brandStyle(t, newPages(t, page.Brand{Color: accent})))
		for i, theme := range []string{"light", "dark"} {
			for name, value := range ofBrand[i] {
				colors[i][name] = value
			}
			for pair, want := range pairs {
				a, b, _ := strings.Cut(pair, "/")
				if got := ratio(t, colors[i][a], colors[i][b]); got < want {
					t.Errorf("%s, accent %s: %s is %s on %s, %.2f of %.1f",
						theme, accent, pair, colors[i][a], colors[i][b], got, want)
				}
			}
		}
	}
}

// TestTones looks at the letters of monograms.
func TestTones(t *testing.T) {
	data, err := os.ReadFile("assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		_, rest, ok := strings.Cut(string(data), fmt.Sprintf(".tone-%d { --tone: ", i))
		if !ok {
			t.Fatalf("there is no tone %d", i)
		}
		if got := ratio(t, rest[:7], "#ffffff"); got < 4.5 {
			t.Errorf("tone %d has a contrast of %.2f", i, got)
		}
	}
}
