package app_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"doorward/app"
)

// stuck is an edge whose backend app remembers clients by a cookie, and knows
// "c00" to "c29": every other one belongs to web1, the rest to web2.
func stuck(t *testing.T) steered {
	t.Helper()
	s := steer(t, "[backends.app.stick]\non = \"cookie:SID\"\nexpire = \"5m\"\nsize = 1000\n")
	if _, err := s.SetState(s.ctx, web("gone"), "maint"); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		c := dial(t, s.plain())
		fmt.Fprintf(c.conn, "GET / HTTP/1.1\r\nHost: app.test\r\nCookie: SID=c%02d\r\n\r\n", i)
		if r, _, err := c.answer(); err != nil || r.StatusCode != 200 {
			t.Fatalf("GET /: %v, %v", r, err)
		}
	}
	return s
}

func TestSticksAreShown(t *testing.T) {
	s := stuck(t)
	web1, err := s.Sticks(s.ctx, "app", app.StickChoice{Server: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	if web1.Backend != "app" || web1.On != "cookie:SID" || web1.Size != 1000 || web1.Used != 30 ||
		web1.Expire != 300 {
		t.Errorf("the table is %+v", web1)
	}
	if len(web1.Entries) != 15 || web1.More {
		t.Errorf("web1 has %d clients, more %v; want 15", len(web1.Entries), web1.More)
	}
	for _, e := range web1.Entries {
		if e.Server != "web1" || e.Expires < 290 || e.Expires > 300 || !strings.HasPrefix(e.Key, "c") {
			t.Errorf("%+v", e)
		}
	}
	key := web1.Entries[0].Key
	for name, test := range map[string]struct {
		of   app.StickChoice
		want int
		more bool
	}{
		"all":                     {app.StickChoice{}, 30, false},
		"some":                    {app.StickChoice{Limit: 29}, 29, true},
		"as many as there are":    {app.StickChoice{Limit: 30}, 30, false},
		"some of a server":        {app.StickChoice{Server: "web2", Limit: 3}, 3, true},
		"a key":                   {app.StickChoice{Key: key}, 1, false},
		"a key of a server":       {app.StickChoice{Key: key, Server: "web1"}, 1, false},
		"a key of another server": {app.StickChoice{Key: key, Server: "web2"}, 0, false},
		"an unknown key":          {app.StickChoice{Key: "c99"}, 0, false},
		"an unknown server":       {app.StickChoice{Server: "web9"}, 0, false},
	} {
		got, err := s.Sticks(s.ctx, "app", test.of)
		if err != nil || len(got.Entries) != test.want || got.More != test.more {
			t.Errorf("%s: %d, more %v, %v; want %d, %v", name, len(got.Entries), got.More, err,
				test.want, test.more)
		}
	}
}

func TestSticksInJSON(t *testing.T) {
	s := stuck(t)
	_, text := s.ask(t, "GET", "/sticks/app?key=c07", "")
	want := `{"backend":"app","on":"cookie:SID","size":1000,"used":30,"expire_seconds":300,` +
		`"entries":[{"key":"c07","server":"web*","expires_seconds":*}],"more":false}` + "\n"
	if !matches(want, text) {
		t.Errorf("got %s, want %s", text, want)
	}
	if _, text = s.ask(t, "DELETE", "/sticks/app?key=c07", ""); text != "{\"cleared\":1}\n" {
		t.Errorf("a key is cleared: %s", text)
	}
}

func TestSticksAreCleared(t *testing.T) {
	s := stuck(t)
	for _, step := range []struct {
		of            app.StickChoice
		cleared, left int
	}{
		{app.StickChoice{Key: "c07"}, 1, 29},
		{app.StickChoice{Key: "c07"}, 0, 29},
		{app.StickChoice{Server: "web9"}, 0, 29},
		{app.StickChoice{Limit: 1}, 29, 0},
	} {
		n, err := s.ClearSticks(s.ctx, "app", step.of)
		list, _ := s.Sticks(s.ctx, "app", app.StickChoice{})
		if err != nil || n != step.cleared || list.Used != step.left {
			t.Errorf("%+v: %d cleared, %d left, %v; want %d, %d",
				step.of, n, list.Used, err, step.cleared, step.left)
		}
	}
	var told []string
	for _, entry := range s.lines("stick table cleared") {
		if entry["by"] != asker(t) || entry["backend"] != "app" {
			t.Errorf("the log has %v", entry)
		}
		told = append(told, fmt.Sprint(entry["what"]))
	}
	want := []string{"one key", "one key", "those of server web9", "all"}
	if !slices.Equal(told, want) {
		t.Errorf("the log tells of %q, want %q", told, want)
	}
	if text, err := os.ReadFile(s.log); err != nil || strings.Contains(string(text), "c07") {
		t.Errorf("the log has a client's cookie (%v):\n%s", err, text)
	}
}

func TestSticksOfAServerAreCleared(t *testing.T) {
	s := stuck(t)
	if n, err := s.ClearSticks(s.ctx, "app", app.StickChoice{Server: "web2"}); n != 15 || err != nil {
		t.Errorf("%d cleared, %v; want 15", n, err)
	}
	list, err := s.Sticks(s.ctx, "app", app.StickChoice{})
	if err != nil || list.Used != 15 {
		t.Errorf("%d left, %v; want 15", list.Used, err)
	}
}
