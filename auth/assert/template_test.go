package assert_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"doorward/auth/assert"
	"doorward/auth/user"
	"doorward/internal/alloctest"
)

func TestPresets(t *testing.T) {
	c := newClock()
	keys := newKeys(t, new(vault), c)
	for preset, want := range map[string]map[string]string{
		"none": {},
		"remote-user": {"Remote-User": "bob", "Remote-Groups": "staff,users",
			"Remote-Name": "Bob Bauer", "Remote-Email": "bob@example.com"},
		"forwarded": {"X-Forwarded-User": "bob", "X-Forwarded-Preferred-Username": "bob",
			"X-Forwarded-Groups": "staff,users", "X-Forwarded-Email": "bob@example.com"},
		"authentik": {"X-Authentik-Username": "bob", "X-Authentik-Groups": "staff|users",
			"X-Authentik-Entitlements": "Writer", "X-Authentik-Email": "bob@example.com",
			"X-Authentik-Name": "Bob Bauer", "X-Authentik-Uid": "*", "X-Authentik-Jwt": "*",
			"X-Authentik-Meta-Jwks":    "https://login.example.com/.doorward/jwks.json",
			"X-Authentik-Meta-Outpost": "https://login.example.com",
			"X-Authentik-Meta-App":     "wiki", "X-Authentik-Meta-Provider": "wiki",
			"X-Authentik-Meta-Version": "doorward/1.2"},
	} {
		t.Run(preset, func(t *testing.T) {
			tmpl := template(t, assert.Options{
				Preset: preset, App: "wiki", Keys: keys, Now: c.Now, Audience: "wiki",
				Issuer: "https://login.example.com", Version: "1.2",
				JWKS: "https://login.example.com/.doorward/jwks.json",
			})
			got := head(t, tmpl, bob())
			if len(got["X-Authentik-Uid"]) == 64 &&
				strings.Trim(got["X-Authentik-Uid"], "0123456789abcdef") == "" {
				got["X-Authentik-Uid"] = "*"
			}
			if _, err := verify(published(t, keys), got["X-Authentik-Jwt"], "wiki",
				c.Now()); err == nil {
				got["X-Authentik-Jwt"] = "*"
			}
			if !maps.Equal(got, want) {
				t.Errorf("Head\n%v\nwant\n%v", got, want)
			}
			if names := tmpl.Names(); !slices.Equal(slices.Sorted(slices.Values(names)),
				slices.Sorted(maps.Keys(want))) {
				t.Errorf("Names = %v", names)
			}
		})
	}
}

func TestOwnTable(t *testing.T) {
	v := bob(func(v *user.View) {
		v.User.Identities = []user.Identity{
			{Provider: "azure-ad", SignedIn: time.Unix(2, 0)},
			{Provider: "github", SignedIn: time.Unix(1, 0)},
		}
	})
	tmpl := template(t, assert.Options{Separator: ";", Fields: map[string]string{
		"X-Who": "{user} <{email}> {{{id}}}", "X-Groups": "{groups}", "X-Roles": "{roles}",
		"X-From": "{provider}", "X-Fixed": "yes", "Authorization": "Token {name}",
	}})
	want := map[string]string{
		"X-Who": "bob <bob@example.com> {u1}", "X-Groups": "staff;users", "X-Roles": "Writer",
		"X-From": "azure-ad", "X-Fixed": "yes", "Authorization": "Token Bob Bauer",
	}
	if got := head(t, tmpl, v); !maps.Equal(got, want) {
		t.Errorf("Head = %v, want %v", got, want)
	}
	if !tmpl.Writes("authorization") || tmpl.Writes("x-nothing") {
		t.Error("Writes does not know the table")
	}
	var none *assert.Template
	if lines, err := none.Head(v); len(lines) > 0 || err != nil || none.Names() != nil {
		t.Error("no template tells something")
	}
}

func TestTablesThatAreRefused(t *testing.T) {
	for want, o := range map[string]assert.Options{
		"no placeholder {usr}":    {Fields: map[string]string{"X-A": "{usr}"}},
		"no placeholder {user":    {Fields: map[string]string{"X-A": "{user"}},
		"a brace":                 {Fields: map[string]string{"X-A": "a}"}},
		"control characters":      {Fields: map[string]string{"X-A": "a\r\nX-B: c"}},
		"no name of a header":     {Fields: map[string]string{"X A": "a"}},
		"without a name":          {Fields: map[string]string{"": "a"}},
		"says other things":       {Fields: map[string]string{"Transfer-encoding": "a"}},
		"are one field":           {Fields: map[string]string{"X-A": "a", "x-a": "b"}},
		"no preset \"authelia\"":  {Preset: "authelia"},
		"take one":                {Preset: "none", Fields: map[string]string{"X-A": "a"}},
		"without keys":            {Fields: map[string]string{"X-A": "{jwt}"}},
		"x-forwarded-for says ot": {Fields: map[string]string{"x-forwarded-for": "{user}"}},
	} {
		if _, err := assert.CompileTemplate(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CompileTemplate = %v, want %q in it", err, want)
		}
	}
}

// What a view is told stays with the view, and costs nothing from then on.
func TestHeadAllocatesNothing(t *testing.T) {
	c := newClock()
	tmpl := template(t, assert.Options{Preset: "authentik", Keys: newKeys(t, new(vault), c)})
	v := bob()
	first, err := tmpl.Head(v)
	if err != nil {
		t.Fatal(err)
	}
	if n := alloctest.PerRun(100, func() {
		if again, _ := tmpl.Head(v); &again[0] != &first[0] {
			t.Fatal("made anew")
		}
	}); n != 0 {
		t.Errorf("Head allocates %v times", n)
	}
}

func TestNonASCII(t *testing.T) {
	v := bob(func(v *user.View) { v.User.Title = "Jürgen 100%" })
	fields := map[string]string{"X-Name": "{name}"}
	if got := head(t, template(t, assert.Options{Fields: fields}),
		v)["X-Name"]; got != "Jürgen 100%" {
		t.Errorf("as UTF-8: %q", got)
	}
	got := head(t, template(t, assert.Options{Fields: fields, Percent: true}), v)["X-Name"]
	if got != "J%C3%BCrgen 100%25" {
		t.Errorf("percent-encoded: %q", got)
	}
}

func TestSecurity(t *testing.T) {
	t.Run("ID-03_what_is_empty_is_absent", func(t *testing.T) {
		v := user.NewView(&user.User{ID: "u1", Name: "bob"}, nil, nil, nil)
		got := head(t, template(t, assert.Options{Preset: "remote-user"}), v)
		if want := map[string]string{"Remote-User": "bob", "Remote-Name": "bob"}; !maps.Equal(got,
			want) {
			t.Errorf("Head = %v, want %v", got, want)
		}
	})
	t.Run("ID-03_addresses_that_nobody_proved", func(t *testing.T) {
		tmpl := template(t, assert.Options{Preset: "remote-user", OnlyVerifiedEmail: true})
		if got, ok := head(t, tmpl, bob())["Remote-Email"]; ok {
			t.Errorf("the address is %q", got)
		}
	})
	t.Run("ID-01_names_that_would_be_others", hostileNames)
	t.Run("ID-01_values_stay_on_their_line", hostileTitles)
	t.Run("DOS-25_too_many_groups", tooManyGroups)
	t.Run("ID-22_tokens_are_for_one_server_and_for_minutes", tokensOfOneServer)
}

// A group whose name a server would read as another one, or as two, is not told.
func hostileNames(t *testing.T) {
	core, logged := observer.New(zapcore.WarnLevel)
	tmpl := template(t, assert.Options{Preset: "remote-user", Log: zap.New(core)})
	for _, name := range []string{
		"a,admins", "adm\x00ins", "admins\r\nRemote-User: root", "\u0085admins", " admins", "",
		"admins\xff", "admins\t",
	} {
		v := user.NewView(&user.User{ID: "u1", Name: "bob"}, []string{name, "staff"}, nil, nil)
		if got := head(t, tmpl, v)["Remote-Groups"]; got != "staff" {
			t.Errorf("with the group %q the groups are %q", name, got)
		}
		_ = head(t, tmpl, user.NewView(v.User, v.Groups, nil, nil))
	}
	if n := logged.Len(); n != 8 {
		t.Errorf("%d lines in the log, want one for each name", n)
	}
	v := user.NewView(&user.User{ID: "u1", Name: "ro\x00ot", Email: "a\nb@c"}, nil, nil, nil)
	if got := head(t, tmpl, v); got["Remote-User"] != "" || got["Remote-Email"] != "" {
		t.Errorf("Head = %q", got)
	}
}

func hostileTitles(t *testing.T) {
	tmpl := template(t, assert.Options{Preset: "remote-user"})
	for title, want := range map[string]string{
		"Bob\r\nRemote-Groups: admins": "BobRemote-Groups: admins",
		"\x00Bob\x1b[31m\x7f\u009b":    "Bob[31m",
		"\xffBob\xc3":                  "Bob",
		"  Bob\t":                      "Bob",
	} {
		v := bob(func(v *user.View) { v.User.Title = title })
		if got := head(t, tmpl, v); got["Remote-Name"] != want ||
			got["Remote-Groups"] != "staff,users" {
			t.Errorf("of the title %q comes %q", title, got)
		}
	}
}

func tooManyGroups(t *testing.T) {
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf("group-%04d", i))
	}
	v := user.NewView(&user.User{ID: "u1", Name: "bob"}, many, nil, nil)
	tmpl := template(t, assert.Options{Preset: "remote-user",
		Relevant: []string{"group-0007", "x"}})
	if got := head(t, tmpl, v)["Remote-Groups"]; got != "group-0007" {
		t.Errorf("the groups are %.50q, want those that matter here", got)
	}
	tmpl = template(t, assert.Options{Preset: "remote-user", Relevant: many})
	for range 2 { // the second comes from the cache
		if lines, err := tmpl.Head(v); !errors.Is(err, assert.ErrTooLarge) || lines != nil {
			t.Errorf("Head = %d bytes and %v, want ErrTooLarge", len(lines), err)
		}
	}
}

func tokensOfOneServer(t *testing.T) {
	c := newClock()
	keys := newKeys(t, new(vault), c)
	for _, alg := range []string{"ES256", "RS256"} {
		o := assert.Options{Keys: keys, Now: c.Now, Audience: "wiki",
			Issuer: "https://login.example.com"}
		field := "X-Authentik-Jwt"
		if alg == "RS256" {
			o.Preset = "authentik"
		} else {
			o.Fields, field = map[string]string{"X-Jwt": "{jwt}"}, "X-Jwt"
		}
		tmpl, v := template(t, o), bob()
		token := head(t, tmpl, v)[field]
		claims, err := verify(published(t, keys), token, "wiki", c.Now())
		if err != nil || claims["iss"] != "https://login.example.com" ||
			claims["preferred_username"] != "bob" || claims["email_verified"] != false ||
			fmt.Sprint(claims["groups"], claims["roles"]) != "[staff users] [Writer]" {
			t.Errorf("%s: the token says %v (%v)", alg, claims, err)
		}
		if _, err := verify(published(t, keys), token, "mail", c.Now()); err == nil {
			t.Errorf("%s: the token is good for another server", alg)
		}
		if _, err := verify(published(t, keys), token, "wiki",
			c.Now().Add(5*time.Minute)); err == nil {
			t.Errorf("%s: the token is good after five minutes", alg)
		}
		c.pass(4*time.Minute - time.Second)
		if head(t, tmpl, v)[field] != token {
			t.Errorf("%s: another token before it was time", alg)
		}
		c.pass(2 * time.Second)
		if next := head(t, tmpl, v)[field]; next == token {
			t.Errorf("%s: the same token a minute before its end", alg)
		}
	}
}
