package stats_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/stats"
)

// filler gives every figure of a picture a value of its own.
type filler struct {
	n      int
	values []string // as JSON shows them
}

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch at, isTime := v.Addr().Interface().(*time.Time); {
	case isTime:
		*at = noon().Add(time.Duration(f.n) * time.Second)
		f.values = append(f.values, at.Format(time.RFC3339))
		return
	case v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(int64(f.n) * int64(time.Second))
		f.values = append(f.values, fmt.Sprint(f.n))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Servers" || v.Type() != reflect.TypeFor[stats.Backend]() {
				f.fill(v.Field(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0))
	case reflect.Map:
		n := reflect.New(v.Type().Elem()).Elem()
		f.fill(n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(fmt.Sprint("text", f.n))
		f.values = append(f.values, v.String())
	case reflect.Float64:
		v.SetFloat(float64(f.n))
		f.values = append(f.values, fmt.Sprint(f.n))
	default:
		v.SetInt(int64(f.n))
		f.values = append(f.values, fmt.Sprint(f.n))
	}
}

// leaves calls fn with the path of everything in a JSON value, such as
// "backends[].servers[].name".
func leaves(path string, value any, fn func(path string, value any)) {
	switch v := value.(type) {
	case map[string]any:
		fn(path, nil)
		for name, inner := range v {
			leaves(strings.TrimPrefix(path+"."+name, "."), inner, fn)
		}
	case []any:
		for _, inner := range v {
			leaves(path+"[]", inner, fn)
		}
	default:
		fn(path, v)
	}
}

func decode(t *testing.T, p *stats.Picture) any {
	t.Helper()
	text, err := stats.JSON(p)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestJSONHasEverythingOfThePicture(t *testing.T) {
	var p stats.Picture
	f := filler{n: 1_000_000}
	f.fill(reflect.ValueOf(&p).Elem())
	shown := map[string]bool{}
	leaves("", decode(t, &p), func(_ string, value any) {
		if n, ok := value.(float64); ok {
			shown[fmt.Sprintf("%.0f", n)] = true
		}
		shown[fmt.Sprint(value)] = true
	})
	if len(f.values) < 400 {
		t.Fatalf("only %d figures", len(f.values))
	}
	for i, value := range f.values {
		if !shown[value] {
			t.Errorf("figure %d is missing: %s", i, value)
		}
	}
}

func TestJSONOfNothingHasEmptyLists(t *testing.T) {
	value := decode(t, &stats.Picture{}).(map[string]any)
	for _, name := range []string{"frontends", "routes", "backends", "rate_limits", "certificates"} {
		if list, ok := value[name].([]any); !ok || len(list) != 0 {
			t.Errorf("%s is %v", name, value[name])
		}
	}
}

func TestJSONSaysNullForNoCheck(t *testing.T) {
	p := examplePicture()
	backend := decode(t, &p).(map[string]any)["backends"].([]any)[0].(map[string]any)
	servers := backend["servers"].([]any)
	if check, there := servers[1].(map[string]any)["check"]; check != nil || !there {
		t.Errorf("a server without a check says %v", check)
	}
	if check := servers[0].(map[string]any)["check"]; check == nil {
		t.Error("a server with a check says nothing")
	}
}

func TestJSONShowsNoMarkup(t *testing.T) {
	p := stats.Picture{Routes: []stats.RouteRow{{Route: stats.Route{Name: "</script><b>\u2028"}}}}
	text, err := stats.JSON(&p)
	if err != nil || strings.ContainsAny(string(text), "<>\u2028") {
		t.Errorf("%s, %v", text, err)
	}
}

var jsonRow = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| .+ \\|$")

// TestJSONIsDocumented: each name has a row in docs/statistics.md, and each row is
// about a name that there is.
func TestJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/statistics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## JSON\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []string
	for _, found := range jsonRow.FindAllStringSubmatch(section, -1) {
		rows = append(rows, found[1])
	}
	var p stats.Picture
	(&filler{n: 1}).fill(reflect.ValueOf(&p).Elem())
	names := map[string]bool{}
	leaves("", decode(t, &p), func(path string, _ any) {
		name := strings.TrimSuffix(path[strings.LastIndex(path, ".")+1:], "[]")
		if !strings.Contains(path, ".codes.") && !strings.Contains(path, ".events_total.") && name != "" {
			names[name] = true
		}
	})
	for name := range names {
		if !slices.Contains(rows, name) {
			t.Errorf("%s has no row", name)
		}
	}
	for _, row := range rows {
		if !names[row] {
			t.Errorf("the row of %s is about nothing", row)
		}
	}
}
