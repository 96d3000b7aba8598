package config_test

import (
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"

	"doorward/config"
)

// key is one key of a table, as its field describes it.
type key struct {
	name  string
	field reflect.StructField
	doc   string
}

// table is a struct of the configuration with its keys.
type table struct {
	typ  reflect.Type
	keys []key
}

// reflector knows the comments of the structs.
func reflector(t *testing.T) *jsonschema.Reflector {
	t.Helper()
	r := &jsonschema.Reflector{
		FieldNameTag:               "toml",
		RequiredFromJSONSchemaTags: true,
		ExpandedStruct:             true,
		Anonymous:                  true,
	}
	if err := r.AddGoComments("doorward/config", ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	for name, text := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(text), " ")
	}
	return r
}

// tables returns every struct that the configuration is made of, from the
// outside to the inside.
func tables(t *testing.T) []table {
	t.Helper()
	comments := reflector(t).CommentMap
	todo := []reflect.Type{reflect.TypeFor[config.Config]()}
	seen := map[reflect.Type]bool{todo[0]: true}
	var out []table
	for ; len(todo) > 0; todo = todo[1:] {
		here := table{typ: todo[0]}
		for f := range todo[0].Fields() {
			name := f.Tag.Get("toml")
			if name == "" || name == "-" {
				continue
			}
			doc := comments[path.Join("doorward/config."+todo[0].Name())+"."+f.Name]
			here.keys = append(here.keys, key{name, f, doc})
			if inner := tableType(f.Type); inner != nil && !seen[inner] {
				seen[inner] = true
				todo = append(todo, inner)
			}
		}
		out = append(out, here)
	}
	return out
}

// tableType returns the struct inside of a pointer, list or map, if it is one
// with keys.
func tableType(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return tableType(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if f.Tag.Get("toml") != "" {
				return t
			}
		}
	}
	return nil
}

func TestEveryKeyIsDescribed(t *testing.T) {
	for _, table := range tables(t) {
		for _, k := range table.keys {
			if k.doc == "" {
				t.Errorf("%s.%s has no comment", table.typ.Name(), k.field.Name)
			}
		}
	}
}
