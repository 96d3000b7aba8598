package config

import (
	"cmp"
	"encoding"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills structs from a tree. Unlike the library's it does not stop at
// the first mistake.
type decoder struct {
	*report
	dir string
}

// formed is a value that may be written in more than one form.
type formed interface {
	// decode reports whether the value at p could be used; if not it has said why.
	decode(d *decoder, p place) bool
}

// config decodes a whole tree over the defaults.
func (d *decoder) config(cfg *Config, root place) {
	v := reflect.ValueOf(cfg).Elem()
	setDefaults(v)
	d.table(v, root)
}

// value decodes the value at p. The tag is that of the struct field which holds
// the value, its list or its map.
func (d *decoder) value(v reflect.Value, tag reflect.StructTag, p place) bool {
	switch target := v.Addr().Interface().(type) {
	case formed:
		return target.decode(d, p)
	case encoding.TextUnmarshaler:
		return d.text(target, p) && d.inRange(v, tag, p)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		setDefaults(v.Elem())
		return d.value(v.Elem(), tag, p)
	case reflect.Struct:
		return d.table(v, p)
	case reflect.Map:
		return d.entries(v, tag, p)
	case reflect.Slice:
		return d.list(v, tag, p)
	case reflect.Bool:
		if !d.want(p, boolKind) {
			return false
		}
		v.SetBool(p.node.text == "true")
		return true
	case reflect.String:
		return d.string(v, tag, p)
	default:
		return d.integer(v, p) && d.oneOf(tag, p) && d.inRange(v, tag, p)
	}
}

// table decodes a table into a struct.
func (d *decoder) table(v reflect.Value, p place) bool {
	if !d.want(p, tableKind) {
		return false
	}
	rest := restField(v)
	for _, name := range p.node.names {
		at := p.key(name)
		f, known := fieldByKey(v.Type(), name)
		switch {
		case known && !(rest.IsValid() && at.node.kind == stringKind):
			p.node.flawed = !d.value(v.FieldByIndex(f.Index), f.Tag, at) || p.node.flawed
		case rest.IsValid():
			var text string
			if d.value(reflect.ValueOf(&text).Elem(), "", at) {
				setEntry(rest, reflect.ValueOf(name), reflect.ValueOf(text))
			}
		default:
			p.node.flawed = true
			d.unknown(v.Type(), name, at)
		}
	}
	return true
}

// unknown reports a key that the struct does not have, where the key stands.
func (d *decoder) unknown(t reflect.Type, name string, at place) {
	at.given = false
	if slices.Contains(laterKeys(t), name) {
		d.errorf(at, "", "is not available in this version of Doorward")
		return
	}
	hint := didYouMean(cmp.Or(keyFor(t, name), name), keys(t))
	if hint == "" && slices.Contains(keys(reflect.TypeFor[Config]()), name) {
		hint = "it stands at the top level, before all tables"
	}
	d.errorf(at, hint, "is not a known key")
}

// entries decodes a table into a map.
func (d *decoder) entries(v reflect.Value, tag reflect.StructTag, p place) bool {
	if !d.want(p, tableKind) {
		return false
	}
	ok := true
	for _, name := range p.node.names {
		at := p.key(name)
		key := reflect.ValueOf(name)
		if v.Type().Key().Kind() == reflect.Int {
			n, err := strconv.Atoi(name)
			if err != nil || strconv.Itoa(n) != name {
				d.errorf(at, "", "the key must be a number")
				ok = false
				continue
			}
			key = reflect.ValueOf(n)
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		setDefaults(elem)
		ok = d.value(elem, tag, at) && ok
		setEntry(v, key, elem)
	}
	return ok
}

// list decodes a list into a slice. An empty list is not nil, so that it can be
// told from none.
func (d *decoder) list(v reflect.Value, tag reflect.StructTag, p place) bool {
	if !d.want(p, listKind) {
		return false
	}
	n := len(p.node.items)
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	ok := true
	for i := range n {
		setDefaults(v.Index(i))
		ok = d.value(v.Index(i), tag, p.item(i)) && ok
	}
	return ok
}

func (d *decoder) string(v reflect.Value, tag reflect.StructTag, p place) bool {
	isWord := tag.Get("is") == "word" && p.node.kind == integerKind
	if !isWord && !d.want(p, stringKind) || !d.oneOf(tag, p) {
		return false
	}
	text := p.node.text
	if tag.Get("is") == "path" {
		text = absolute(d.dir, text)
	}
	v.SetString(text)
	return true
}

func (d *decoder) integer(v reflect.Value, p place) bool {
	if !d.want(p, integerKind) {
		return false
	}
	n, err := strconv.ParseInt(p.node.text, 0, 64)
	if err != nil {
		d.errorf(p, "", "%s is too large", p.shown())
		return false
	}
	v.SetInt(n)
	return true
}

// text decodes a string, or a number, into a type that reads text.
func (d *decoder) text(target encoding.TextUnmarshaler, p place) bool {
	if k := p.node.kind; k != integerKind && k != stringKind {
		d.errorf(p, "", "must be %v or %v, not %v", stringKind, integerKind, k)
		return false
	}
	err := target.UnmarshalText([]byte(p.node.text))
	if err == nil {
		return true
	}
	var bad *valueError
	if errors.As(err, &bad) {
		d.errorf(p, p.hintf("%s", bad.hint), "%s %s", p.shown(), bad.what)
	} else {
		d.errorf(p, "", "%s %v", p.shown(), err)
	}
	return false
}

// oneOf checks a value against the words of the tag enum.
func (d *decoder) oneOf(tag reflect.StructTag, p place) bool {
	words := split(tag.Get("enum"))
	if words == nil || isOneOf(p.node.text, words) {
		return true
	}
	hint := ""
	if p.node.kind == stringKind {
		hint = didYouMean(p.node.text, words)
		for i, w := range words {
			words[i] = strconv.Quote(w)
		}
	}
	if len(words) == 1 {
		d.errorf(p, hint, "%s is not %s", p.shown(), words[0])
		return false
	}
	d.errorf(p, hint, "%s is not one of %s", p.shown(), strings.Join(words, ", "))
	return false
}

// isOneOf reports whether text is one of the words. A word such as "header:NAME"
// stands for all with a name in that place.
func isOneOf(text string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		prefix, named := strings.CutSuffix(word, "NAME")
		if named {
			return len(text) > len(prefix) && strings.HasPrefix(text, prefix)
		}
		return text == word
	})
}

// inRange checks a number against the tags min and max.
func (d *decoder) inRange(v reflect.Value, tag reflect.StructTag, p place) bool {
	least, errMin := strconv.ParseInt(tag.Get("min"), 10, 64)
	most, errMax := strconv.ParseInt(tag.Get("max"), 10, 64)
	if errMin != nil || errMax != nil || v.Int() >= least && v.Int() <= most {
		return true
	}
	in := func(n int64) any { return reflect.ValueOf(n).Convert(v.Type()).Interface() }
	d.errorf(p, "", "must be between %v and %v, not %s", in(least), in(most), p.shown())
	return false
}

// want checks the kind of the value at p.
func (d *decoder) want(p place, k kind) bool {
	got := p.node.kind
	if got == k {
		return true
	}
	hint := ""
	switch {
	case k == listKind && (got == stringKind || got == integerKind):
		hint = "write [" + p.shown() + "]"
	case k == listKind && got == tableKind && !p.node.sealed:
		hint = "write [[" + p.path + "]]"
	case k == tableKind && !(got == listKind && p.node.sealed) && !strings.Contains(p.path, "["):
		hint = "write [" + p.path + "]"
	case got == stringKind && (k == boolKind || k == integerKind):
		hint = "without quotes"
	case k == stringKind && (got == integerKind || got == otherKind):
		hint = "in quotes"
	}
	d.errorf(p, hint, "must be %v, not %v", k, got)
	return false
}
