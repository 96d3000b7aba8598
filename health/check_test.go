package health_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"doorward/health"
	"doorward/proxy/backend"
)

func TestChecksThatCannotBe(t *testing.T) {
	request := func(change func(*health.Request)) health.CheckOptions {
		r := health.Request{Host: "app.example"}
		change(&r)
		return health.CheckOptions{Request: r}
	}
	expect := func(e health.Expect) health.CheckOptions {
		return health.CheckOptions{Request: health.Request{Host: "app.example"}, Expect: e}
	}
	fields := func(name, value string) health.CheckOptions {
		return request(func(r *health.Request) { r.Fields = map[string]string{name: value} })
	}
	for _, c := range []struct {
		options health.CheckOptions
		names   string // what the error must name
	}{
		{health.CheckOptions{Kind: "ftp"}, "kind"},
		{health.CheckOptions{Kind: health.TCP, Initial: "sideways"}, "initial"},
		{health.CheckOptions{Kind: health.TCP, Rise: -1}, "rise"},
		{health.CheckOptions{Kind: health.TCP, Fall: -1}, "fall"},
		{health.CheckOptions{Kind: health.TCP, Timing: health.Timing{Jitter: 51}}, "jitter"},
		{health.CheckOptions{Kind: health.TCP, Timing: health.Timing{Fast: -1}}, "time"},
		{health.CheckOptions{Kind: health.TCP, Passive: health.Passive{Level: "5"}}, "observe"},
		{health.CheckOptions{Kind: health.TCP, Passive: health.Passive{Limit: -1}}, "limit"},
		{health.CheckOptions{Kind: health.TCP, Passive: health.Passive{OnError: "x"}}, "on error"},
		{health.CheckOptions{}, "host"},
		{request(func(r *health.Request) { r.Version = "3" }), "version"},
		{request(func(r *health.Request) { r.Method = "G T" }), "method"},
		{request(func(r *health.Request) { r.Path = "health" }), "path"},
		{request(func(r *health.Request) { r.Path = "/a b" }), "path"},
		{request(func(r *health.Request) { r.Path = "/\r\nX: y" }), "path"},
		{request(func(r *health.Request) { r.Host = "a\r\nX: y" }), "host"},
		{fields("X\r\nY", "z"), "field"},
		{fields("X", "y\r\nZ: z"), "field"},
		{fields("hOST", "y"), "hOST"},
		{fields("Content-Length", "7"), "Content-Length"},
		{expect(health.Expect{StatusRegex: "("}), "status"},
		{expect(health.Expect{BodyRegex: "["}), "body"},
		{expect(health.Expect{Header: map[string]string{"X-A": "~*"}}), "X-A"},
	} {
		got, err := health.NewCheck(c.options)
		if got != nil || !errors.Is(err, health.ErrCheck) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%+v: error %v, want one about %s", c.options, err, c.names)
		}
	}
}

func TestKeyIsTheMeaningOfACheck(t *testing.T) {
	base := func() health.CheckOptions {
		return health.CheckOptions{
			Request: health.Request{Host: "a", Fields: map[string]string{"X": "1", "Y": "2"}},
		}
	}
	key := func(change func(*health.CheckOptions)) string {
		o := base()
		change(&o)
		return check(t, o).Key()
	}
	same := key(func(*health.CheckOptions) {})
	for name, change := range map[string]func(*health.CheckOptions){
		"nothing":   func(*health.CheckOptions) {},
		"a default": func(o *health.CheckOptions) { o.Rise, o.Request.Path = 2, "/" },
		"connect":   func(o *health.CheckOptions) { o.Timing.Connect = time.Second },
		"log":       func(o *health.CheckOptions) { o.Quiet = true },
	} {
		if got := key(change); got != same {
			t.Errorf("%s changed: another key", name)
		}
	}
	for name, change := range map[string]func(*health.CheckOptions){
		"kind":     func(o *health.CheckOptions) { o.Kind = health.TCP },
		"field":    func(o *health.CheckOptions) { o.Request.Fields["X"] = "2" },
		"expect":   func(o *health.CheckOptions) { o.Expect.Not = true },
		"interval": func(o *health.CheckOptions) { o.Timing.Interval = time.Second },
		"rise":     func(o *health.CheckOptions) { o.Rise = 3 },
		"observe":  func(o *health.CheckOptions) { o.Passive.Level = health.Layer4 },
		"port":     func(o *health.CheckOptions) { o.To = backend.DialTo{Port: 1} },
	} {
		if got := key(change); got == same {
			t.Errorf("%s changed: the same key", name)
		}
	}
}

func TestOutcomesAreHAProxysWords(t *testing.T) {
	words := "UNK INI HANA SOCKERR L4OK L4TOUT L4CON L6OK L6TOUT L6RSP" +
		" L7OK L7OKC L7TOUT L7RSP L7STS"
	for i, word := range strings.Fields(words) {
		o := health.Outcome(i)
		if o.String() != word || o.Meaning() == "" {
			t.Errorf("outcome %d is %s (%s), want %s", i, o, o.Meaning(), word)
		}
		if want := strings.Contains(word, "OK"); o.OK() != want {
			t.Errorf("%s is good: %t", o, o.OK())
		}
	}
}
