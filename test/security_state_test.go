package test_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/app"
	"doorward/internal/edgetest"
)

// TestSecurityState has the cases about what outlives the process, as far as a
// whole instance decides them; those of the files are with package state.
func TestSecurityState(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"FS-07_two_instances_of_one_state":         twoInstances,
		"FS-02_what_people_say_is_kept_in_private": keptInPrivate,
	} {
		t.Run(name, test)
	}
}

// keeping is an edge that keeps its state in a folder.
func keeping(rec *edgetest.Recorder, dir string) edgetest.Config {
	c := boardSite(rec, usersOnly)
	c.Text = fmt.Sprintf("[state]\nurl = \"file:%s\"\n", dir) +
		strings.Replace(c.Text, "[backends.app]\n", "[backends.app]\n"+cookieOfServer+"\n", 1)
	return c
}

func twoInstances(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	dir := filepath.Join(t.TempDir(), "state")
	edge := edgetest.Start(t, keeping(rec, dir))
	second, err := app.New(app.Options{
		Path: filepath.Join(edge.Dir(), "doorward.toml"), Env: os.LookupEnv, Version: "test",
	})
	if err == nil {
		t.Fatalf("a second instance has the same state: %v", second)
	}
	if !strings.Contains(err.Error(), dir) {
		t.Errorf("the refusal names no place: %v", err)
	}
	for _, state := range []string{"drain", "ready"} {
		m := pressed(t, edge, "backend=app&server=web&state="+state)
		if m.Status != 303 || states(edge) != "app/web "+state+"; " {
			t.Errorf("the first gives %d, and has %s", m.Status, states(edge))
		}
	}
}

func keptInPrivate(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	dir := filepath.Join(t.TempDir(), "state")
	config := keeping(rec, dir)
	edge := edgetest.Start(t, config)
	pressed(t, edge, "backend=app&server=web&state=drain")
	token := tokenOf(t, edge)
	edge.Stop()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		// The certificate of the internal authority is for everybody.
		if err == nil && info.Mode().Perm()&0o077 != 0 && filepath.Ext(name) != ".crt" {
			t.Errorf("%s is %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	edge = edgetest.Start(t, config)
	if now := states(edge); now != "app/web drain; " {
		t.Errorf("after a restart the states are %s", now)
	}
	if m := posted(t, edge, "backend=app&server=web&state=ready&token="+token, asOps()); m.Status != 403 {
		t.Errorf("the token of the process before: %d", m.Status)
	}
}
