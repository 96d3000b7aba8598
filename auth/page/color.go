package page

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// rgb is a colour of sRGB, each part from 0 to 255.
type rgb [3]float64

var errColor = errors.New(`a colour is written "#rrggbb" or "#rgb"`)

func parseColor(s string) (rgb, error) {
	digits, ok := strings.CutPrefix(s, "#")
	if len(digits) == 3 {
		d := digits
		digits = string([]byte{d[0], d[0], d[1], d[1], d[2], d[2]})
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || len(digits) != 6 || err != nil {
		return rgb{}, fmt.Errorf("%q: %w", s, errColor)
	}
	return rgb{float64(n >> 16), float64(n >> 8 & 0xff), float64(n & 0xff)}, nil
}

func (c rgb) String() string {
	var b [3]byte
	for i, v := range c {
		b[i] = byte(math.Round(min(max(v, 0), 255)))
	}
	return fmt.Sprintf("#%02x%02x%02x", b[0], b[1], b[2])
}

// mix is c with a share of another colour.
func (c rgb) mix(other rgb, share float64) rgb {
	for i := range c {
		c[i] += (other[i] - c[i]) * share
	}
	return c
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 {
	weights := rgb{0.2126, 0.7152, 0.0722}
	sum := 0.0
	for i, v := range c {
		v /= 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += v * weights[i]
	}
	return sum
}

// contrast is the ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// until is c with as little of another colour as brings its contrast with the
// ground to a ratio.
func (c rgb) until(ratio float64, ground, toward rgb) rgb {
	for share := 0.0; share < 1; share += 0.02 {
		if m := c.mix(toward, share); contrast(m, ground) >= ratio {
			return m
		}
	}
	return toward
}

// ground is what accents have to be told from, in one theme.
type ground struct {
	card, page, ink rgb
	// mute is what quiet texts are written in, on the backdrop too.
	mute rgb
	// tint is how much accent soft grounds have, glow how much the backdrop has; read
	// is the contrast of the accent as text, lift that of a button with the card.
	tint, glow, read, lift float64
}

// The grounds are those of assets/page.css; TestContrast measures both together.
var (
	lightGround = ground{card: rgb{255, 255, 255}, page: rgb{246, 247, 248},
		ink: rgb{0, 0, 0}, mute: rgb{88, 98, 107},
		tint: 0.09, glow: 0.22, read: 4.8, lift: 1.15}
	darkGround = ground{card: rgb{24, 27, 31}, page: rgb{14, 16, 19},
		ink: rgb{255, 255, 255}, mute: rgb{160, 170, 179},
		tint: 0.16, glow: 0.26, read: 6.5, lift: 2}
)

// enough is the contrast that texts on a button need (WCAG AA), with a little to
// spare for the rounding of colours.
const enough = 4.6

// shades are the accents of a theme as properties of CSS: the text on any of the
// theme's grounds, the ground of buttons with what is written on it, and soft ones.
func (g ground) shades(accent rgb) string {
	tint := g.card.mix(accent, g.tint)
	text := accent.until(g.read, tint, g.ink).until(g.read, g.page, g.ink)
	fill := accent.until(g.lift, g.card, g.ink)
	on, away := rgb{255, 255, 255}, rgb{0, 0, 0}
	// White letters are what people expect on a colour: it may give in a little.
	if contrast(fill, on) < 3.5 {
		on, away = rgb{17, 20, 22}, rgb{255, 255, 255}
	}
	fill = fill.until(enough, on, away)
	return fmt.Sprintf("--accent:%v;--fill:%v;--fill-over:%v;--on-fill:%v;--tint:%v;"+
		"--edge:%v;--glow:%v", text, fill, fill.mix(away, 0.14), on, tint,
		g.card.mix(accent, 0.4), g.backdrop(accent))
}

// backdrop has as much accent as quiet texts bear.
func (g ground) backdrop(accent rgb) rgb {
	share := g.glow
	for contrast(g.mute, g.page.mix(accent, share)) < enough {
		share *= 0.9
	}
	return g.page.mix(accent, share)
}
