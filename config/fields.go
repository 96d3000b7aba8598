package config

import (
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// fieldByKey returns the field of a struct that a key fills.
func fieldByKey(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if name := f.Tag.Get("toml"); name == key && name != "-" && name != "*" && name != "" {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// keyFor returns the key that HAProxy calls by this name, "" if there is none.
func keyFor(t reflect.Type, name string) string {
	for f := range t.Fields() {
		if slices.Contains(split(f.Tag.Get("haproxy")), name) {
			return f.Tag.Get("toml")
		}
	}
	return ""
}

// restField returns the map for keys without a field of their own, tagged "*".
func restField(v reflect.Value) reflect.Value {
	for f := range v.Type().Fields() {
		if f.Tag.Get("toml") == "*" {
			return v.FieldByIndex(f.Index)
		}
	}
	return reflect.Value{}
}

// keys returns the keys of a struct in order.
func keys(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		switch name := f.Tag.Get("toml"); name {
		case "", "-", "*":
		default:
			out = append(out, name)
		}
	}
	return out
}

// laterKeys returns the keys of the contract that this version does not have.
func laterKeys(t reflect.Type) []string {
	f, _ := t.FieldByName("_")
	return split(f.Tag.Get("later"))
}

// setDefaults sets every field below v to its default.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for f := range v.Type().Fields() {
		if !f.IsExported() {
			continue
		}
		field := v.FieldByIndex(f.Index)
		if text, ok := f.Tag.Lookup("default"); ok {
			setDefault(field, text)
		} else {
			setDefaults(field)
		}
	}
}

// setDefault sets a field to the text of its tag. The tags are part of the
// program: one that cannot be read is a mistake in it, which a test finds.
func setDefault(v reflect.Value, text string) {
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := t.UnmarshalText([]byte(text)); err != nil {
			panic("config: default " + text + ": " + err.Error())
		}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(text == "true")
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		v.Set(reflect.ValueOf(split(text)))
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic("config: default " + text + ": " + err.Error())
		}
		v.SetInt(n)
	}
}

// setEntry adds to a map, which is made when there is none.
func setEntry(m, key, elem reflect.Value) {
	if m.IsNil() {
		m.Set(reflect.MakeMap(m.Type()))
	}
	m.SetMapIndex(key, elem)
}

// split returns the words of a tag, which are separated by commas.
func split(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(tag, ",")
}
