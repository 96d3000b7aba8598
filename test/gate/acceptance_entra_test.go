package gate_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"doorward/internal/entratest"
)

// Acceptance 1: somebody in 201 groups signs in with a cookie of less than 100 bytes; Graph
// is asked once, and graph.windows.net, which the token names, never.
func TestAcceptance01ManyGroups(t *testing.T) {
	entra := startEntra(t, func(o *entratest.Options) {
		o.Users[0].Groups = nil
		for i := range 200 {
			o.Users[0].Groups = append(o.Users[0].Groups,
				fmt.Sprintf("%08x-d5e7-4e18-a834-59927959369f", i))
		}
		o.Users[0].Groups = append(o.Users[0].Groups, entraAdmins)
	})
	h := newEntraHouse(t, entra, entraShowing)
	v := h.visitor(entraOfAnn)
	p := v.enter("https://admin.example/x?y=1")
	if p.status != http.StatusOK || p.url != "https://admin.example/x?y=1" ||
		!strings.Contains(p.body, "X-Who: "+entraOfAnn+"\r\n") {
		t.Fatalf("the group that is the last of 201 opens nothing: %d at %s\n%s", p.status, p.url, p.body)
	}
	p = v.enter("https://app.example/")
	if p.status != http.StatusOK || !strings.Contains(p.body, "X-Authentik-Groups: admins\r\n") {
		t.Errorf("the server is told of other groups: %d\n%s", p.status, p.body)
	}
	for range 5 {
		v.enter("https://admin.example/")
	}
	v.cookiesBelow(100)
	asked := 0
	for _, part := range []entratest.Part{entratest.MemberObjects, entratest.MemberOf,
		entratest.Me, entratest.Names, entratest.UserInfo, entratest.Photo, entratest.Unknown} {
		asked += entra.Count(part)
	}
	if asked != 1 || entra.Count(entratest.MemberObjects) != 1 {
		t.Errorf("Graph was asked %d times, %d times for the groups", asked,
			entra.Count(entratest.MemberObjects))
	}
	if hosts := h.world.strangers(entraLogin, entraGraph, "127.0.0.1"); hosts != nil {
		t.Errorf("the edge wanted to reach %q", hosts)
	}
}

// cookiesBelow fails the test if a host of ours has a cookie of so many bytes or more, or
// none at all.
func (v *visitor) cookiesBelow(size int) {
	v.t.Helper()
	for _, host := range []string{"login", "app", "admin"} {
		sessions := 0
		for _, c := range v.Jar.Cookies(&url.URL{Scheme: "https", Host: host + ".example", Path: "/"}) {
			if text := c.Name + "=" + c.Value; len(text) >= size {
				v.t.Errorf("%s: the cookie %s has %d bytes", host, c.Name, len(text))
			}
			if c.Name == "__Host-doorward" {
				sessions++
			}
		}
		if sessions != 1 {
			v.t.Errorf("%s: %d cookies of a session", host, sessions)
		}
	}
}

// Acceptance 5: an account of another tenant with the name and the address of somebody here
// is denied, or is a new account that may nothing.
func TestAcceptance05SameAddressElsewhere(t *testing.T) {
	const other, third = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
	entra := startEntra(t, func(o *entratest.Options) {
		o.Apps[0].Multi = true
		o.Tenants = []entratest.Tenant{{ID: entratest.TenantID, Domain: entratest.Domain},
			{ID: other, Domain: "fabrikam.example"}, {ID: third, Domain: "mallory.example"}}
		like := entratest.Token{Claims: map[string]any{
			"preferred_username": entraOfAnn, "upn": entraOfAnn, "email_verified": true,
		}}
		o.Users = append(o.Users,
			entratest.User{Username: "mallory@fabrikam.example", Tenant: other, Name: "Ann",
				Mail: entraOfAnn, Token: like},
			entratest.User{Username: "eve@mallory.example", Tenant: third, Name: "Ann",
				Mail: entraOfAnn, Token: like})
	})
	several := entraShowing + "tenant = \"organizations\"\n" +
		"tenants = [\"" + entratest.TenantID + "\", \"" + other + "\"]\nnames_trusted = true\n"
	t.Run("of_a_tenant_that_may_sign_in", func(t *testing.T) {
		h := newEntraHouse(t, entra, several)
		ann := h.visitor(entraOfAnn)
		if p := ann.enter("https://chief.example/"); p.status != http.StatusOK {
			t.Fatalf("the owner of the name: %d at %s\n%s", p.status, p.url, p.body)
		}
		h.powerless(t, "mallory@fabrikam.example", ann)
	})
	t.Run("who_comes_first", func(t *testing.T) {
		h := newEntraHouse(t, entra, strings.Replace(several, "names_trusted = true\n", "", 1))
		h.powerless(t, "mallory@fabrikam.example", h.visitor(entraOfAnn))
	})
	t.Run("of_a_tenant_that_may_not", func(t *testing.T) {
		h := newEntraHouse(t, entra, several)
		h.denied(t, "eve@mallory.example")
	})
	t.Run("where_one_tenant_signs_in", func(t *testing.T) {
		h := newEntraHouse(t, entra, entraShowing)
		h.denied(t, "mallory@fabrikam.example")
	})
}

// powerless lets an attacker sign in, and fails the test if that opens what is the
// victim's, or changes what the victim has.
func (h *entraHouse) powerless(t *testing.T, attacker string, victim *visitor) {
	t.Helper()
	v := h.visitor(attacker)
	p := v.enter("https://app.example/")
	if strings.Contains(p.body, "X-Authentik-Username: "+entraOfAnn+"\r\n") ||
		strings.Contains(p.body, "X-Authentik-Groups: admins") {
		t.Errorf("the server takes the attacker for the victim\n%s", p.body)
	}
	for _, host := range []string{"admin", "chief"} {
		if p := v.enter("https://" + host + ".example/"); p.status == http.StatusOK &&
			p.url == "https://"+host+".example/" {
			t.Errorf("%s lets the attacker in\n%s", host, p.body)
		}
	}
	p = victim.enter("https://chief.example/")
	if p.status != http.StatusOK || !strings.Contains(p.body, "Remote-User: "+entraOfAnn+"\r\n") {
		t.Errorf("the victim afterwards: %d\n%s", p.status, p.body)
	}
}

// denied fails the test if somebody gets a session.
func (h *entraHouse) denied(t *testing.T, user string) {
	t.Helper()
	v := h.visitor(user)
	p, err := v.try("https://app.example/")
	if err == nil && p.status == http.StatusOK && p.url == "https://app.example/" {
		t.Errorf("%s is in\n%s", user, p.body)
	}
	for _, c := range v.Jar.Cookies(&url.URL{Scheme: "https", Host: "login.example", Path: "/"}) {
		if c.Name == "__Host-doorward" {
			t.Errorf("%s has a session", user)
		}
	}
}
