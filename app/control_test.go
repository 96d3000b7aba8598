package app_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"doorward/app"
)

func asError[T error](err error, target *T) bool { return errors.As(err, target) }

// shortDir is a folder with a name short enough for sockets in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// withControl is a site with a control socket.
func withControl(t *testing.T, socket string) string {
	t.Helper()
	return strings.Replace(site(server(t, "app"), ""), `control = ""`,
		fmt.Sprintf("control = %q", socket), 1)
}

func mode(t *testing.T, name string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestControlSocketIsForOwnerAndGroup(t *testing.T) {
	folder := filepath.Join(shortDir(t), "run")
	socket := filepath.Join(folder, "sock")
	e := start(t, withControl(t, socket))
	if got, want := mode(t, socket), fs.ModeSocket|0o660; got != want {
		t.Errorf("the socket has mode %v, want %v", got, want)
	}
	if got, want := mode(t, folder), fs.ModeDir|0o750; got != want {
		t.Errorf("the folder has mode %v, want %v", got, want)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want the socket alone", entries, err)
	}
	if err := <-e.stop(patience); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Stop the socket is still there (%v)", err)
	}
}

func TestControlSocketAnswers(t *testing.T) {
	socket := filepath.Join(shortDir(t), "sock")
	e := start(t, withControl(t, socket))
	client := app.Client{Socket: socket}
	v, err := client.Version(context.Background())
	if err != nil || v.Version != "test" || v.PID != os.Getpid() || v.Config != e.config {
		t.Errorf("Version: %+v, %v", v, err)
	}
	if r, err := client.Reload(context.Background()); err != nil || len(r.Changes) != 0 {
		t.Errorf("Reload: %+v, %v", r, err)
	}
	e.write(withControl(t, socket) + "colour = 1\nshape = 2\n")
	_, err = client.Reload(context.Background())
	var refused *app.RefusedError
	if !errors.As(err, &refused) || strings.Count(refused.Reason, "\n") != 1 {
		t.Errorf("Reload: %v, want both mistakes", err)
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", socket)
	}}
	defer transport.CloseIdleConnections()
	for path, want := range map[string]int{"/reload": 405, "/other": 404, "/version": 200} {
		r, err := (&http.Client{Transport: transport}).Get("http://control" + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("GET %s: %s, want %d", path, r.Status, want)
		}
	}
}

func TestControlSocketMovesWithTheReloadThatAsksForIt(t *testing.T) {
	dir := shortDir(t)
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	e := start(t, withControl(t, one))
	e.write(withControl(t, two))
	if _, err := (app.Client{Socket: one}).Reload(context.Background()); err != nil {
		t.Fatalf("the reload that moves the socket: %v", err)
	}
	if _, err := os.Lstat(one); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old socket is still there (%v)", err)
	}
	e.write(withControl(t, ""))
	if _, err := (app.Client{Socket: two}).Reload(context.Background()); err != nil {
		t.Fatalf("the reload that removes the socket: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestControlSocketThatSomebodyRemovedComesBackWithAReload(t *testing.T) {
	socket := filepath.Join(shortDir(t), "sock")
	e := start(t, withControl(t, socket))
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := (app.Client{Socket: socket}).Version(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestControlSocketTakesTheirPlaceFromNobody(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, socket string)
		want    string
	}{
		"a live instance": {func(t *testing.T, socket string) {
			start(t, withControl(t, socket))
		}, "another instance answers there"},
		"a file": {func(t *testing.T, socket string) {
			if err := os.WriteFile(socket, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a socket"},
		"a link": {func(t *testing.T, socket string) {
			if err := os.Symlink("elsewhere", socket); err != nil {
				t.Fatal(err)
			}
		}, "not a socket"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(shortDir(t), "sock")
			test.prepare(t, socket)
			before := mode(t, socket)
			err := newEdge(t, withControl(t, socket)).Start()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Start: %v, want %q", err, test.want)
			}
			if after := mode(t, socket); after != before {
				t.Errorf("mode %v became %v", before, after)
			}
		})
	}
}

func TestControlSocketReplacesOneThatNobodyAnswersOn(t *testing.T) {
	socket := filepath.Join(shortDir(t), "sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	start(t, withControl(t, socket))
	if _, err := (app.Client{Socket: socket}).Version(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestControlSocketWithALongPathIsRefused(t *testing.T) {
	socket := filepath.Join(shortDir(t), strings.Repeat("s", 100))
	err := newEdge(t, withControl(t, socket)).Start()
	if err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("Start: %v", err)
	}
}

func TestClientSaysWhyNobodyAnswers(t *testing.T) {
	dir := shortDir(t)
	dead := filepath.Join(dir, "dead")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	for socket, want := range map[string]string{
		filepath.Join(dir, "none"): "is it running",
		dead:                       "nobody answers",
	} {
		_, err := (app.Client{Socket: socket}).Reload(context.Background())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Reload: %v, want %q", err, want)
		}
	}
}

func TestControlPathIsFoundInABrokenFileToo(t *testing.T) {
	for name, test := range map[string]struct{ config, want string }{
		"given":       {"[listen]\ncontrol = \"/a/b\"\n", "/a/b"},
		"relative":    {"[listen]\ncontrol = \"b\"\n", "DIR/b"},
		"default":     {"[listen]\nhttp = [\":80\"]\n", "/run/doorward/control.sock"},
		"none":        {"[listen]\ncontrol = \"\"\n", ""},
		"unknown key": {"colour = 1\n[listen]\ncontrol = \"/a/b\"\n", "/a/b"},
		"syntax":      {"[listen]\ncontrol = \"/a/b\"\n[backends", "/a/b"},
		"a secret": {
			"[listen]\ncontrol = \"/a/b\"\n[[route]]\nrespond = { body = \"${DOORWARD_NO_SUCH}\" }\n",
			"/a/b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "doorward.toml")
			if err := os.WriteFile(file, []byte(test.config), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := app.ControlPath(file)
			if want := strings.Replace(test.want, "DIR", dir, 1); got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
			if (err == app.ErrNoControl) != (test.want == "") {
				t.Errorf("error %v for %q", err, got)
			}
		})
	}
}

// TestCommandsAreDocumented: what the control socket answers has a row in
// docs/operation.md, and each row is about something that it answers.
func TestCommandsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## The control socket\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []string
	for line := range strings.Lines(section) {
		if row, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(row, "`")
			rows = append(rows, name)
		}
	}
	slices.Sort(rows)
	if commands := app.Commands(); !slices.Equal(rows, commands) {
		t.Errorf("documented are %q, there are %q", rows, commands)
	}
}
