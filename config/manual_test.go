package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"doorward/config"
)

const manualFile = "../docs/configuration.md"

// TestManualHasEveryKey: the tables of the manual are made from the structs.
func TestManualHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	have := string(data)
	want := have
	for _, table := range tables(t) {
		mark := "<!-- keys: " + table.typ.Name() + " -->\n"
		before, after, found := strings.Cut(want, mark)
		_, rest, closed := strings.Cut(after, "<!-- end -->\n")
		if !found || !closed {
			t.Errorf("%s has no table for %s, between %q and %q", manualFile, table.typ.Name(),
				strings.TrimSpace(mark), "<!-- end -->")
			continue
		}
		want = before + mark + manualTable(table) + "<!-- end -->\n" + rest
	}
	if updating() {
		if err := os.WriteFile(manualFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	haveLines, wantLines := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range wantLines {
		if i >= len(haveLines) || haveLines[i] != wantLines[i] {
			t.Fatalf("line %d should be\n%s\nrun UPDATE=1 go test ./config", i+1, wantLines[i])
		}
	}
}

func TestManualShowsWhatWorks(t *testing.T) {
	data, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	schema := validator(t)
	blocks := strings.Split(string(data), "```toml\n")[1:]
	for i, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		if err := schema.Validate(decodeAny(t, text)); err != nil {
			t.Errorf("example %d: %v\n%s", i+1, err, text)
		}
		file := filepath.Join(folder(t, map[string]string{"a.toml": completed(text)}), "a.toml")
		_, found := config.Load(file, func(string) (string, bool) { return secret, true })
		if err := found.Err(); err != nil {
			t.Errorf("example %d: %v\n%s", i+1, err, text)
		}
	}
	if len(blocks) < 5 {
		t.Errorf("found %d examples, want the manual's", len(blocks))
	}
}

// completed adds to an example what it leaves to others: certificates, and the
// servers of backends.
func completed(text string) string {
	text = strings.ReplaceAll(text, "${file:/run/secrets/webhook}", "https://hooks.example.com/")
	if !strings.Contains(text, "[tls]") {
		text += "\n[tls]\ninternal = [\"*.localhost\"]\n"
	}
	named := regexp.MustCompile(`(?m)^(?:\[backends\.|backend = ")([a-z0-9-]+)`)
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		if table := "[backends." + m[1] + "]\n"; !strings.Contains(text, table) {
			text += "\n" + table + "servers = [\"http://10.0.0.1\"]\n"
		}
	}
	return text
}

func manualTable(table table) string {
	var b strings.Builder
	b.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, k := range table.keys {
		name := "`" + k.name + "`"
		if k.name == "*" {
			name = "any other"
		}
		cells := []string{name, manualType(k), manualDefault(k), k.doc}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", "\\|")
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	return b.String()
}

// manualType names the type of a key as the manual does.
func manualType(k key) string {
	tag := k.field.Tag
	many := k.field.Type.Kind() == reflect.Slice
	if words := tag.Get("enum"); words != "" {
		var out []string
		for word := range strings.SplitSeq(words, ",") {
			if k.field.Type.Kind() != reflect.Int {
				word = strconv.Quote(word)
			}
			out = append(out, "`"+word+"`")
		}
		if many {
			return "list of " + strings.Join(out, ", ")
		}
		return strings.Join(out, " or ")
	}
	name := typeName(k.field.Type)
	if tag.Get("is") == "path" {
		name = strings.Replace(name, "string", "path", 1)
	}
	if least := tag.Get("min"); least != "" {
		name += fmt.Sprintf(", %s to %s", inUnits(k.field.Type, least),
			inUnits(k.field.Type, tag.Get("max")))
	}
	return name
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[config.Duration](), reflect.TypeFor[config.Delay]():
		return "duration"
	case reflect.TypeFor[config.Size]():
		return "size"
	case reflect.TypeFor[config.Count]():
		return "count"
	case reflect.TypeFor[config.Networks]():
		return "networks"
	case reflect.TypeFor[config.Pins]():
		return "string or list"
	case reflect.TypeFor[config.Redirect](), reflect.TypeFor[config.Access](),
		reflect.TypeFor[config.IdentityHeaders]():
		return "string or table"
	case reflect.TypeFor[config.Expect]():
		return "list or table"
	case reflect.TypeFor[config.StatusRange]():
		return "status code"
	case reflect.TypeFor[config.LogOutput](), reflect.TypeFor[config.StateURL](),
		reflect.TypeFor[config.Secret]():
		return "string"
	case reflect.TypeFor[config.ErrorPages]():
		return "table of paths"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case reflect.Map:
		return "table of " + typeName(t.Elem()) + "s"
	case reflect.Struct:
		return "table"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	}
	return t.Kind().String()
}

// inUnits writes a bound as the type prints it.
func inUnits(t reflect.Type, text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return text
	}
	return fmt.Sprint(reflect.ValueOf(n).Convert(t).Interface())
}

func manualDefault(k key) string {
	if shown, ok := k.field.Tag.Lookup("shows"); ok {
		return shown
	}
	text, ok := k.field.Tag.Lookup("default")
	switch {
	case ok:
	case strings.HasPrefix(typeName(k.field.Type), "table"):
		return ""
	default:
		return "none"
	}
	switch k.field.Type.Kind() {
	case reflect.Slice:
		return "`[\"" + strings.ReplaceAll(text, ",", `", "`) + "\"]`"
	case reflect.Bool, reflect.Int:
		return "`" + text + "`"
	}
	if _, err := strconv.Atoi(text); err == nil && k.field.Type.Kind() == reflect.Int64 {
		return "`" + text + "`"
	}
	return "`\"" + text + "\"`"
}
