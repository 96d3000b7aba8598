package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/pelletier/go-toml/v2"
	validation "github.com/santhosh-tekuri/jsonschema/v6"

	"doorward/config"
)

// updating says that the files made from the structs are written, not compared:
// UPDATE=1 go test ./config
func updating() bool { return os.Getenv("UPDATE") != "" }

func TestSchemaIsMadeFromTheStructs(t *testing.T) {
	want := makeSchema(t)
	if updating() {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(config.Schema(), want) {
		t.Error("schema.json does not fit the structs: run UPDATE=1 go test ./config")
	}
}

// hasVariable matches texts whose value only Load knows.
const hasVariable = `\$\{`

func makeSchema(t *testing.T) []byte {
	t.Helper()
	r := reflector(t)
	r.Mapper = schemaOf
	s := r.Reflect(&config.Config{})
	s.Title = "Doorward configuration"
	for _, table := range tables(t) {
		own := s.Definitions[table.typ.Name()]
		if table.typ == reflect.TypeFor[config.Config]() {
			own = s
		}
		if own == nil {
			t.Fatalf("the schema has no definition of %v", table.typ)
		}
		for _, k := range table.keys {
			p, _ := own.Properties.Get(k.name)
			if k.name == "*" {
				own.Properties.Delete("*")
				own.AdditionalProperties = &jsonschema.Schema{Type: "string", Description: k.doc}
				continue
			}
			refine(t, p, k)
		}
	}
	orString(s.Definitions["Redirect"])
	orString(s.Definitions["Access"], "public", "any-user")
	orStatuses(s.Definitions["Expect"])
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// schemaOf gives the types that are not written as what they are in Go.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	text := func(pattern string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: pattern + "|" + hasVariable}
	}
	list := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}}
	switch t {
	case reflect.TypeFor[config.Duration](), reflect.TypeFor[config.Delay]():
		return text(`^([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*$`)
	case reflect.TypeFor[config.Size](), reflect.TypeFor[config.Count]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "integer", Minimum: "0"}, text(`^[0-9]+ ?([kKmMgG]([iI][bB])?|[bB])?$`),
		}}
	case reflect.TypeFor[config.LogOutput](), reflect.TypeFor[config.StateURL](),
		reflect.TypeFor[config.Secret]():
		return &jsonschema.Schema{Type: "string"}
	case reflect.TypeFor[config.StatusRange]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "integer", Minimum: "100", Maximum: "599"},
			text(`^[1-5]([0-9]{2}|xx|XX|[0-9]{2}-[1-5][0-9]{2})$`),
		}}
	case reflect.TypeFor[config.Networks]():
		return list
	case reflect.TypeFor[config.IdentityHeaders]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "string", Enum: []any{"authentik", "remote-user", "forwarded", "none"}},
			{Type: "object", AdditionalProperties: &jsonschema.Schema{Type: "string"}},
		}}
	case reflect.TypeFor[config.Pins]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, list}}
	case reflect.TypeFor[config.ErrorPages]():
		return &jsonschema.Schema{
			Type:                 "object",
			PatternProperties:    map[string]*jsonschema.Schema{"^[45][0-9][0-9]$": {Type: "string"}},
			AdditionalProperties: jsonschema.FalseSchema,
		}
	}
	return nil
}

// refine adds what the tags say about a key.
func refine(t *testing.T, p *jsonschema.Schema, k key) {
	t.Helper()
	p.Description = k.doc
	tag := k.field.Tag
	if text, ok := tag.Lookup("default"); ok {
		p.Default = defaultValue(k.field.Type, text)
	}
	if least := tag.Get("min"); least != "" && p.Type == "integer" {
		p.Minimum, p.Maximum = json.Number(least), json.Number(tag.Get("max"))
	}
	words := tag.Get("enum")
	if words == "" {
		return
	}
	if p.Items != nil {
		p = p.Items
	}
	enum := &jsonschema.Schema{}
	forms := []*jsonschema.Schema{enum, {Type: "string", Pattern: hasVariable}}
	for word := range strings.SplitSeq(words, ",") {
		if prefix, named := strings.CutSuffix(word, "NAME"); named {
			forms = append(forms, &jsonschema.Schema{Type: "string", Pattern: "^" + prefix + "."})
			continue
		}
		n, err := strconv.Atoi(word)
		if err == nil && (p.Type == "integer" || tag.Get("is") == "word") {
			enum.Enum = append(enum.Enum, n)
		}
		if p.Type == "string" {
			enum.Enum = append(enum.Enum, word)
		}
	}
	if p.Type == "integer" {
		p.Enum = enum.Enum
		return
	}
	p.AnyOf = forms
	p.Type = ""
}

// defaultValue reads the text of a tag as TOML would.
func defaultValue(typ reflect.Type, text string) any {
	switch typ.Kind() {
	case reflect.Bool:
		return text == "true"
	case reflect.Slice:
		return strings.Split(text, ",")
	}
	if n, err := strconv.Atoi(text); err == nil && typ.Kind() != reflect.String {
		return n
	}
	return text
}

// orString allows one text, or any, in place of the table.
func orString(s *jsonschema.Schema, only ...any) {
	inner := *s
	inner.Description = ""
	*s = jsonschema.Schema{
		Description: s.Description,
		OneOf:       []*jsonschema.Schema{{Type: "string", Enum: only}, &inner},
	}
}

// orStatuses allows the list of status codes in place of the table.
func orStatuses(s *jsonschema.Schema) {
	status, _ := s.Properties.Get("status")
	inner := *s
	inner.Description = ""
	*s = jsonschema.Schema{
		Description: s.Description,
		OneOf:       []*jsonschema.Schema{{Type: "array", Items: status.Items}, &inner},
	}
}

func validator(t *testing.T) *validation.Schema {
	t.Helper()
	doc, err := validation.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := validation.NewCompiler()
	if err := c.AddResource("doorward.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("doorward.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaAcceptsTheExample(t *testing.T) {
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := validator(t).Validate(decodeAny(t, string(data))); err != nil {
		t.Error(err)
	}
}

func TestSchemaJudges(t *testing.T) {
	schema := validator(t)
	for _, c := range []struct {
		text string
		good bool
	}{
		{"", true},
		{"[listen]\nhttp = []", true},
		{"[limits]\nhead_bytes = 4096", true},
		{"[limits]\nhead_bytes = \"${HEAD:-4KiB}\"", true},
		{"[log]\nlevel = \"${LEVEL:-info}\"", true},
		{"[[route]]\nredirect = \"/x\"", true},
		{"[[route]]\nredirect = { to = \"/x\", status = 301 }", true},
		{"[[route]]\n[route.headers]\nX-A = \"1\"\nrequest = { remove = [\"B\"] }", true},
		{"[backends.a]\nretry_on = [\"connect\", 503, \"504\"]", true},
		{"[backends.a.tls]\npin_sha256 = [\"x\"]", true},
		{"[timeouts]\ndrain_delay = \"0s\"", true},
		{"[[route]]\naccess = \"any-user\"\nidentity_headers = \"authentik\"", true},
		{"[[route]]\naccess = { groups = [\"a\"], mfa = true }\nidentity_headers = { X-User = \"{user}\" }", true},
		{"[[sign_in.provider]]\nname = \"a\"\ntype = \"entra\"\nrecheck = \"0s\"", true},
		{"[stats]\nusers = { ops = \"x\" }\naccess = \"public\"", true},
		{"[backends.a]\nbalance = \"header:X-User\"\nstick = { on = \"cookie:SID\" }", true},
		{"[backends.a.check]\nexpect = [200, \"2xx\", \"300-310\", \"${OK}\"]", true},
		{"[backends.a.check]\nexpect = { status = [200], body = \"ok\", header = { X-A = \"*\" } }", true},
		{"[backends.a.check]\nexpect = 200", false},
		{"[backends.a.check]\nexpect = [\"2xxx\"]", false},
		{"[backends.a.check]\nexpect = [99]", false},
		{"[backends.a.check]\nexpect = { boddy = \"ok\" }", false},
		{"[backends.a]\nbalance = \"header:\"", false},
		{"[backends.a]\nstick = { on = \"uri\" }", false},
		{"[rate_limits.a]\nby = \"address\"", false},
		{"[mail]\nport = 0", false},
		{"[listne]", false},
		{"[listen]\nhttp = \":80\"", false},
		{"[timeouts]\nconnect = 5", false},
		{"[timeouts]\nconnect = \"soon\"", false},
		{"[limits]\nhead_bytes = \"much\"", false},
		{"[limits]\nhead_bytes = -1", false},
		{"[log]\nlevel = \"loud\"", false},
		{"[[route]]\naccess = \"private\"", false},
		{"[[route]]\nidentity_headers = \"authentic\"", false},
		{"[[route]]\nidentity_headers = { X-User = 1 }", false},
		{"[[sign_in.provider]]\ntype = \"saml\"", false},
		{"[[route]]\nredirect = { to = \"/x\", status = 200 }", false},
		{"[route]", false},
		{"[error_pages]\n200 = \"x\"", false},
		{"[backends.a]\nretry_on = [\"always\"]", false},
		{"[[backends.a.server]]\nweight = 257", false},
	} {
		err := schema.Validate(decodeAny(t, c.text))
		if (err == nil) != c.good {
			t.Errorf("%q: valid = %v, want %v: %v", c.text, err == nil, c.good, err)
		}
	}
}

// decodeAny reads TOML as the JSON that an editor checks.
func decodeAny(t *testing.T, text string) any {
	t.Helper()
	var v map[string]any
	if err := toml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := validation.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
