package statetest

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"doorward/state"
)

func keyTests() []test {
	return []test{
		{"odd keys are just keys", oddKeys},
		{"impossible keys are refused", impossibleKeys},
		{"sizes are bounded", sizesAreBounded},
		{"changes that make no sense are refused", senselessChanges},
	}
}

func oddKeys(t *trial) {
	keys := []string{
		"../../etc/passwd", ".", "..", "/", "//", "a//b", "-", " ", "%00", "*", "{hash}", "a:b",
		"日本", "🔑", "\u202e", "\u2028", strings.Repeat("k", state.MaxKey), "[a-z]?", "entries",
	}
	for _, key := range keys {
		t.set(key, "of "+key, 0)
		t.append(t.Store.Log(key, 1), key, 1)
	}
	for _, key := range keys {
		t.has(key, "of "+key)
		if got := t.read(t.Store.Log(key, 1), 0, 1); got[0] != key {
			t.Errorf("the log %q has %q", key, got)
		}
	}
	slices.Sort(keys)
	t.lists("", keys...)
	t.lists("[a", "[a-z]?")
}

func impossibleKeys(t *trial) {
	for _, key := range []string{
		"", "\x00", "a\x00b", "a\nb", "\x7f", "\u0085", "\xff", "a\xc3", "\xed\xa0\x80",
		strings.Repeat("k", state.MaxKey+1), strings.Repeat("k", 1<<20),
	} {
		_, err := t.Store.Get(t.ctx, key)
		t.wantError(err, state.ErrInvalid, key)
		_, err = t.Store.Set(t.ctx, key, nil, 0)
		t.wantError(err, state.ErrInvalid, key)
		_, err = t.Store.Write(t.ctx, state.Put("fine", nil, 0), state.Expect(key, 0))
		t.wantError(err, state.ErrInvalid, key)
		t.wantError(t.Store.Delete(t.ctx, key), state.ErrInvalid, key)
		log := t.Store.Log(key, 1)
		_, err = log.Append(t.ctx, nil)
		t.wantError(err, state.ErrInvalid, key)
		_, err = log.Newest(t.ctx)
		t.wantError(err, state.ErrInvalid, key)
		for _, err := range log.Follow(t.ctx, 0) {
			t.wantError(err, state.ErrInvalid, key)
		}
		if len(err.Error()) > 1000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	long := strings.Repeat("k", state.MaxKey+1)
	_, err := t.Store.List(t.ctx, state.Range{Prefix: long})
	t.wantError(err, state.ErrInvalid, long)
	t.lists("")
}

func sizesAreBounded(t *trial) {
	full := bytes.Repeat([]byte("v"), state.MaxValue)
	over := append(full, 'v')
	if _, err := t.Store.Set(t.ctx, "full", full, 0); err != nil {
		t.Fatalf("a value of MaxValue = %v", err)
	}
	t.has("full", string(full))
	log := t.Store.Log("log", 2)
	if _, err := log.Append(t.ctx, full); err != nil {
		t.Fatalf("an event of MaxValue = %v", err)
	}
	_, err := t.Store.Set(t.ctx, "full", over, 0)
	t.wantError(err, state.ErrTooLarge, "full")
	_, err = log.Append(t.ctx, over)
	t.wantError(err, state.ErrTooLarge, "log")
	t.has("full", string(full))

	many := make([]state.Change, state.MaxChanges+1)
	for i := range many {
		many[i] = state.Expect("many", 0)
	}
	_, err = t.Store.Write(t.ctx, many...)
	t.wantError(err, state.ErrTooLarge, "many")
	if _, err := t.Store.Write(t.ctx, many[1:]...); err != nil {
		t.Errorf("MaxChanges changes = %v", err)
	}
	_, err = t.Store.Write(t.ctx, slices.Repeat([]state.Change{state.Put("heavy", full, 0)}, 8)...)
	t.wantError(err, state.ErrTooLarge, "heavy")
	t.lacks("heavy")
}

func senselessChanges(t *trial) {
	for name, c := range map[string]state.Change{
		"negative time to live": state.Put("k", nil, -time.Second),
		"log that keeps none":   state.Append("k", nil, 0),
		"guard on a log":        state.Append("k", nil, 1).If(0),
		"unknown action":        {Do: 99, Key: "k"},
	} {
		_, err := t.Store.Write(t.ctx, c)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		t.wantError(err, state.ErrInvalid, "k")
	}
}
