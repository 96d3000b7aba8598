package policy_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"doorward/auth/policy"
	"doorward/auth/user"
	"doorward/internal/alloctest"
	"doorward/internal/netset"
)

func compile(t testing.TB, o policy.Options) *policy.Rule {
	t.Helper()
	o.Name = "wiki"
	r, err := policy.Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bob is a member of staff.
func bob(change ...func(*user.User)) *user.View {
	u := &user.User{ID: "u1", Name: "bob", Email: "Bob@Example.com", State: user.Active}
	for _, c := range change {
		c(u)
	}
	return user.NewView(u, []string{"staff", "users"}, []string{"Writer"}, nil)
}

func verified(u *user.User) { u.EmailVerified = true }

func asked(method, path, client string) policy.Asked {
	return policy.Asked{
		Method: []byte(method), Path: []byte(path), Client: netip.MustParseAddr(client),
	}
}

var inside = netset.New([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})

func TestJudge(t *testing.T) {
	pending := func(u *user.User) { u.State = user.Pending }
	for name, c := range map[string]struct {
		rule     policy.Options
		view     *user.View
		mfa      bool
		provider string
		method   string
		client   string
		want     policy.Decision
	}{
		"an empty rule": {want: policy.NotMember},
		"any user":      {rule: policy.Options{AnyUser: true}, want: policy.Allowed},
		"nobody": {rule: policy.Options{AnyUser: true}, view: nil,
			method: "nobody", want: policy.NotMember},
		"not active": {rule: policy.Options{AnyUser: true}, view: bob(pending),
			want: policy.NotMember},
		"a group": {rule: policy.Options{Groups: []string{"x", "staff"}},
			want: policy.Allowed},
		"another group": {rule: policy.Options{Groups: []string{"admins"}},
			want: policy.NotMember},
		"a group in capitals": {rule: policy.Options{Groups: []string{"Staff"}},
			want: policy.NotMember},
		"a role": {rule: policy.Options{Roles: []string{"Writer"}},
			want: policy.Allowed},
		"a role is no group": {rule: policy.Options{Groups: []string{"Writer"}},
			want: policy.NotMember},
		"one of several is fine": {rule: policy.Options{Groups: []string{"x"},
			Users: []string{"bob"}}, want: policy.Allowed},
		"a name in capitals": {rule: policy.Options{Users: []string{"BOB"}},
			want: policy.Allowed},
		"an id is no name": {rule: policy.Options{Users: []string{"u1"}},
			want: policy.NotMember},
		"another provider": {rule: policy.Options{AnyUser: true, Providers: []string{"azure-ad"}},
			provider: "local", want: policy.WrongProvider},
		"the provider": {rule: policy.Options{AnyUser: true, Providers: []string{"azure-ad"}},
			provider: "azure-ad", want: policy.Allowed},
		"no second factor": {rule: policy.Options{AnyUser: true, MFA: true},
			want: policy.NeedsMFA},
		"a second factor": {rule: policy.Options{AnyUser: true, MFA: true}, mfa: true,
			want: policy.Allowed},
		"a stranger's hint": {rule: policy.Options{Groups: []string{"x"}, MFA: true},
			want: policy.NotMember},
		"from outside": {rule: policy.Options{AnyUser: true, Networks: inside},
			client: "192.0.2.1", want: policy.WrongNetwork},
		"from inside": {rule: policy.Options{AnyUser: true, Networks: inside},
			client: "10.1.1.1", want: policy.Allowed},
		"no network at all": {rule: policy.Options{AnyUser: true, Networks: netset.New(nil)},
			want: policy.WrongNetwork},
		"a method": {rule: policy.Options{AnyUser: true, Methods: []string{"GET"}},
			method: "HEAD", want: policy.Allowed},
		"another method": {rule: policy.Options{AnyUser: true, Methods: []string{"GET"}},
			method: "POST", want: policy.WrongMethod},
		"a method in small letters": {rule: policy.Options{AnyUser: true, Methods: []string{"GET"}},
			method: "get", want: policy.WrongMethod},
	} {
		t.Run(name, func(t *testing.T) {
			v, method, client := c.view, c.method, c.client
			if v == nil && method != "nobody" {
				v = bob()
			}
			if method == "" || method == "nobody" {
				method = "GET"
			}
			if client == "" {
				client = "10.1.1.1"
			}
			r := compile(t, c.rule)
			if got := r.Judge(v, c.mfa, c.provider, asked(method, "/", client)); got != c.want {
				t.Errorf("Judge = %s, want %s", got, c.want)
			}
		})
	}
}

// An address counts where it was proved, and as it is.
func TestUsersByEmail(t *testing.T) {
	for name, c := range map[string]struct {
		listed, email string
		verified      bool
		want          bool
	}{
		"verified":              {"bob@example.com", "Bob@Example.COM", true, true},
		"listed in capitals":    {"BOB@example.com", "bob@example.com", true, true},
		"not verified":          {"bob@example.com", "bob@example.com", false, false},
		"another domain":        {"bob@example.com", "bob@example.com.evil.test", true, false},
		"two at signs":          {"bob@example.com", "bob@evil.test@example.com", true, false},
		"a letter like another": {"kim@example.com", "\u212aim@example.com", true, false},
		"a dotless letter":      {"ina@example.com", "\u0131na@example.com", true, false},
		"longer than an address": {"bob@example.com", strings.Repeat("b", 300) + "@example.com",
			true, false},
		"none": {"bob@example.com", "", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := compile(t, policy.Options{Users: []string{c.listed}})
			v := bob(func(u *user.User) { u.Email, u.EmailVerified = c.email, c.verified })
			if got := r.Visible(v); got != c.want {
				t.Errorf("Visible = %v, want %v", got, c.want)
			}
		})
	}
	// A name may be chosen by whoever makes an account: it is no address.
	r := compile(t, policy.Options{Users: []string{"boss@example.com"}})
	if r.Visible(bob(func(u *user.User) { u.Name = "boss@example.com" })) {
		t.Error("a name that looks like an address was taken for one")
	}
}

func TestOpen(t *testing.T) {
	health := func(path []byte) bool { return string(path) == "/healthz" }
	for name, c := range map[string]struct {
		rule policy.Options
		path string
		want bool
	}{
		"public":           {policy.Options{Public: true}, "/x", true},
		"any user":         {policy.Options{AnyUser: true}, "/x", false},
		"a public path":    {policy.Options{AnyUser: true, Paths: health}, "/healthz", true},
		"another path":     {policy.Options{AnyUser: true, Paths: health}, "/healthz/x", false},
		"nothing is given": {policy.Options{}, "/healthz", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := compile(t, c.rule).Open(asked("GET", c.path, "10.0.0.1")); got != c.want {
				t.Errorf("Open = %v, want %v", got, c.want)
			}
		})
	}
	r := compile(t, policy.Options{Public: true, Networks: inside})
	if got := r.Reach(asked("GET", "/", "192.0.2.1")); got != policy.WrongNetwork {
		t.Errorf("Reach of a public rule from outside = %s, want wrong-network", got)
	}
}

func TestCompileRefusesContradictions(t *testing.T) {
	for name, o := range map[string]policy.Options{
		"public and any user":      {Public: true, AnyUser: true},
		"public and groups":        {Public: true, Groups: []string{"a"}},
		"public and second factor": {Public: true, MFA: true},
		"public and providers":     {Public: true, Providers: []string{"a"}},
		"any user and users":       {AnyUser: true, Users: []string{"a"}},
	} {
		if _, err := policy.Compile(o); !errors.Is(err, policy.ErrContradiction) {
			t.Errorf("%s: Compile = %v, want ErrContradiction", name, err)
		}
	}
}

func TestExplain(t *testing.T) {
	at := asked("GET", "/", "10.0.0.1")
	r := compile(t, policy.Options{
		Groups: []string{"admins", "ops"}, Roles: []string{"Root"}, Users: []string{"eve"},
	})
	e := r.Explain(bob(), false, "local", at)
	if e.Decision != policy.NotMember || e.Rule != "wiki" || e.By != "" || !e.Named ||
		!slices.Equal(e.Missing, []string{"admins", "ops"}) ||
		!slices.Equal(e.MissingRoles, []string{"Root"}) {
		t.Errorf("Explain = %+v", e)
	}
	for want, o := range map[string]policy.Options{
		"any user":    {AnyUser: true},
		"public":      {Public: true},
		"group staff": {Groups: []string{"x", "staff"}},
		"role Writer": {Roles: []string{"Writer"}},
		"named":       {Users: []string{"bob@example.com"}},
	} {
		e := compile(t, o).Explain(bob(verified), false, "local", at)
		if e.By != want || e.Decision != policy.Allowed || len(e.Missing) > 0 {
			t.Errorf("Explain = %+v, want by %q", e, want)
		}
	}
	e = compile(t, policy.Options{AnyUser: true, Providers: []string{"azure"}}).
		Explain(bob(), false, "local", at)
	if e.Decision != policy.WrongProvider || !slices.Equal(e.Providers, []string{"azure"}) {
		t.Errorf("Explain = %+v, want the provider", e)
	}
	e = compile(t, policy.Options{AnyUser: true, Methods: []string{"GET"}}).
		Explain(nil, false, "", asked("PUT", "/", "10.0.0.1"))
	if e.Decision != policy.WrongMethod || !slices.Equal(e.Methods, []string{"GET", "HEAD"}) {
		t.Errorf("Explain = %+v, want the methods", e)
	}
	unknown := bob()
	unknown.GroupsUnknown = true
	if e = r.Explain(unknown, false, "", at); !e.GroupsUnknown {
		t.Error("Explain does not say that the groups are unknown")
	}
}

func TestNoDecisionIsAYes(t *testing.T) {
	var d policy.Decision
	if d == policy.Allowed || d.String() != "not-member" {
		t.Errorf("the zero decision is %s", d)
	}
	seen := map[string]bool{}
	for d := policy.NotMember; d <= policy.WrongProvider; d++ {
		if seen[d.String()] {
			t.Errorf("two decisions are called %s", d)
		}
		seen[d.String()] = true
	}
}

func TestJudgeAllocatesNothing(t *testing.T) {
	r := compile(t, policy.Options{
		Groups: []string{"a", "b"}, Roles: []string{"c"}, Users: []string{"bob@example.com"},
		Networks: inside, Methods: []string{"GET"}, Providers: []string{"local"}, MFA: true,
	})
	v, at := bob(verified), asked("GET", "/some/path", "10.0.0.1")
	if n := alloctest.PerRun(100, func() {
		if r.Open(at) || r.Judge(v, true, "local", at) != policy.Allowed {
			t.Fatal("not allowed")
		}
	}); n != 0 {
		t.Errorf("Judge allocates %v times", n)
	}
}
