package logs_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/logs"

	"go.uber.org/zap"
)

func open(t testing.TB, o logs.Options) *logs.Process {
	t.Helper()
	p, err := logs.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestProcess_formats(t *testing.T) {
	for _, c := range []struct{ format, want string }{
		{"", `^{"level":"warn","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","logger":"health",` +
			`"msg":"server down","server":"s1","after":"1.5s","error":"refused"}\n$`},
		{"console", `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  warn  health  server down  ` +
			`{"server": "s1", "after": "1.5s", "error": "refused"}\n$`},
	} {
		path := filepath.Join(t.TempDir(), "log")
		p := open(t, logs.Options{Format: c.format, Output: path})
		p.Logger().Named("health").With(zap.String("server", "s1")).Warn("server down",
			zap.Duration("after", 1500*time.Millisecond), zap.Error(errors.New("refused")))
		got, err := os.ReadFile(path)
		if err != nil || !regexp.MustCompile(c.want).Match(got) {
			t.Errorf("format %q: %s, %v", c.format, got, err)
		}
	}
}

func TestProcess_levels(t *testing.T) {
	for level, want := range map[string]int{"": 3, "debug": 4, "info": 3, "warn": 2, "error": 1} {
		path := filepath.Join(t.TempDir(), "log")
		l := open(t, logs.Options{Level: level, Output: path}).Logger()
		l.Debug("d")
		l.Info("i")
		l.Warn("w")
		l.Error("e")
		if got := len(linesOf(t, path)); got != want {
			t.Errorf("level %q: %d lines, want %d", level, got, want)
		}
	}
}

func TestProcess_refuses_unknown_options(t *testing.T) {
	for _, o := range []logs.Options{
		{Level: "fatal"}, {Format: "xml"}, {Output: "syslog+http://x:1"}, {Output: "/nowhere/at/all"},
	} {
		if p, err := logs.New(o); p != nil || err == nil || !strings.HasPrefix(err.Error(), "log ") {
			t.Errorf("New(%+v) = %v, %v, want an error that names the option", o, p, err)
		}
	}
}

func TestProcess_loggers_survive_a_reload(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	p := open(t, logs.Options{Output: first})
	kept := p.Logger().With(zap.String("who", "kept"))
	kept.Debug("too fine")
	kept.Info("before")
	next, err := logs.New(logs.Options{Output: second, Format: "console", Level: "debug"})
	if err != nil {
		t.Fatal(err)
	}
	p.Replace(next)
	kept.Debug("after")
	if got := linesOf(t, first); len(got) != 1 || !strings.Contains(got[0], "before") {
		t.Errorf("first file: %q", got)
	}
	got := linesOf(t, second)
	if len(got) != 1 || !strings.Contains(got[0], `after  {"who": "kept"}`) {
		t.Errorf("second file: %q", got)
	}
	if p.Lost() != 0 {
		t.Errorf("Lost() = %d", p.Lost())
	}
}

func TestProcess_opens_its_file_again(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	p := open(t, logs.Options{Output: path})
	p.Logger().Info("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := p.Reopen(); err != nil {
		t.Fatal(err)
	}
	p.Logger().Info("two")
	if len(linesOf(t, path+".1")) != 1 || len(linesOf(t, path)) != 1 {
		t.Error("lines are not where they belong")
	}
	os.Remove(path)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.Reopen(); err == nil {
		t.Error("Reopen of a folder succeeded")
	}
	p.Logger().Info("three") // still to the removed file
	if p.Lost() != 0 {
		t.Errorf("Lost() = %d, want the old file in use", p.Lost())
	}
}

func TestProcess_replaced_under_load_loses_nothing(t *testing.T) {
	dir := t.TempDir()
	path := func(i int) string { return filepath.Join(dir, strconv.Itoa(i)) }
	p := open(t, logs.Options{Output: path(0)})
	const writers, each, replacements = 4, 500, 5
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				p.Logger().Info("line")
			}
		})
	}
	for i := range replacements {
		next, err := logs.New(logs.Options{Output: path(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		p.Replace(next)
		if err := p.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	total := 0
	for i := range replacements + 1 {
		total += len(linesOf(t, path(i)))
	}
	if total != writers*each || p.Lost() != 0 {
		t.Errorf("%d lines written, %d lost, want %d, 0", total, p.Lost(), writers*each)
	}
}
