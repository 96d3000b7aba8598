package config_test

import (
	"os"
	"reflect"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"doorward/config"
)

const exampleFile = "../config.example.toml"

func TestExampleLoads(t *testing.T) {
	_, found := config.Load(exampleFile, noEnv)
	if len(found) > 0 {
		t.Errorf("%s:\n%v", exampleFile, found)
	}
}

func noEnv(string) (string, bool) { return "", false }

func TestExampleHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := toml.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	present := map[string]bool{}
	collect(present, reflect.TypeFor[config.Config](), v)
	for _, table := range tables(t) {
		for _, k := range table.keys {
			if name := table.typ.Name() + "." + k.name; k.name != "*" && !present[name] {
				t.Errorf("%s lacks the key %s of %s", exampleFile, k.name, table.typ.Name())
			}
		}
	}
}

// collect notes the keys that a value of type t has, at any depth.
func collect(present map[string]bool, t reflect.Type, v any) {
	switch t.Kind() {
	case reflect.Pointer:
		collect(present, t.Elem(), v)
		return
	case reflect.Slice:
		items, _ := v.([]any)
		for _, item := range items {
			collect(present, t.Elem(), item)
		}
		return
	case reflect.Map:
		entries, _ := v.(map[string]any)
		for _, entry := range entries {
			collect(present, t.Elem(), entry)
		}
		return
	}
	entries, ok := v.(map[string]any)
	if !ok || t.Kind() != reflect.Struct {
		return
	}
	for f := range t.Fields() {
		name := f.Tag.Get("toml")
		if value, ok := entries[name]; ok && name != "" {
			present[t.Name()+"."+name] = true
			collect(present, f.Type, value)
		}
	}
}
