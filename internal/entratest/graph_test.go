package entratest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"doorward/internal/entratest"
)

// graph asks Graph, with a body by POST, and returns what came.
func (p *party) graph(token *oauth2.Token, path, body string) (int, map[string]any) {
	p.t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, p.URL+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	token.SetAuthHeader(r)
	r.Header.Set("Content-Type", "application/json")
	if strings.Contains(path, "microsoft.graph.group") && strings.Contains(path, "$count") {
		r.Header.Set("ConsistencyLevel", "eventual")
	}
	answer, err := p.Client(p.t).Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var values map[string]any
	_ = json.Unmarshal(text, &values) // a picture has none
	return answer.StatusCode, values
}

func TestGraph_member_objects_in_one_answer(t *testing.T) {
	var groups []string
	for i := range 1500 {
		groups = append(groups, fmt.Sprint("g", i))
	}
	p := join(t, func(o *entratest.Options) {
		o.Users[0].Groups, o.Users[0].DirectoryRoles = groups, []string{"role"}
	})
	token := p.token(ann)
	for body, want := range map[string]int{
		`{"securityEnabledOnly":true}`: 1500, `{"securityEnabledOnly":false}`: 1501,
	} {
		status, got := p.graph(token, "/v1.0/me/getMemberObjects", body)
		if values, _ := got["value"].([]any); status != 200 || len(values) != want {
			t.Errorf("%s: %d with %d ids, want %d", body, status, len(values), want)
		}
	}
	if status, _ := p.graph(token, "/v1.0/me/getMemberObjects", `{}`); status != 400 {
		t.Errorf("without the parameter: %d", status)
	}
}

func TestGraph_member_of_in_pages(t *testing.T) {
	var groups []string
	for i := range 1200 {
		groups = append(groups, fmt.Sprint("g", i))
	}
	p := join(t, func(o *entratest.Options) { o.Users[0].Groups = groups })
	token := p.token(ann)
	for query, want := range map[string]int{"": 12, "?$top=999": 2, "?$top=500&$select=id": 3} {
		seen, pages := map[any]bool{}, 0
		for path := "/v1.0/me/transitiveMemberOf" + query; path != ""; pages++ {
			status, body := p.graph(token, path, "")
			if status != 200 || pages > want {
				t.Fatalf("%s: %d on page %d", path, status, pages)
			}
			for _, v := range body["value"].([]any) {
				seen[v.(map[string]any)["id"]] = true
			}
			next, _ := body["@odata.nextLink"].(string)
			path = strings.TrimPrefix(next, p.URL)
		}
		if pages != want || len(seen) != len(groups) {
			t.Errorf("%s: %d pages with %d groups, want %d", query, pages, len(seen), want)
		}
	}
	for path, want := range map[string]int{
		"/v1.0/me/transitiveMemberOf?$top=1000":                          400,
		"/v1.0/me/transitiveMemberOf/microsoft.graph.group":              400,
		"/v1.0/me/transitiveMemberOf/microsoft.graph.group?$count=true":  200,
		"/v1.0/me/transitiveMemberOf/microsoft.graph.device?$count=true": 400,
	} {
		if status, body := p.graph(token, path, ""); status != want ||
			want == 200 && body["@odata.count"] != 1200.0 {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

func TestGraph_names_need_a_scope_of_their_own(t *testing.T) {
	p := join(t, func(o *entratest.Options) { o.Groups = map[string]string{"g1": "Staff"} })
	name := func() any {
		status, body := p.graph(p.token(ann), "/v1.0/directoryObjects/getByIds",
			`{"ids":["g1","unknown"],"types":["group"]}`)
		values, _ := body["value"].([]any)
		if status != 200 || len(values) != 1 {
			t.Fatalf("%d %v", status, body)
		}
		return values[0].(map[string]any)["displayName"]
	}
	if got := name(); got != nil {
		t.Errorf("%v with User.Read alone", got)
	}
	p.config.Scopes = append(p.config.Scopes, "https://graph.microsoft.com/GroupMember.Read.All")
	if got := name(); got != "Staff" {
		t.Errorf("%v, want Staff", got)
	}
	status, _ := p.graph(p.token(ann), "/v1.0/directoryObjects/getByIds", `{"ids":[]}`)
	if status != 400 {
		t.Errorf("no ids: %d", status)
	}
}

func TestGraph_refuses(t *testing.T) {
	p := join(t)
	token := p.token(ann)
	const me = "/v1.0/me"
	if status, body := p.graph(token, me, ""); status != 200 || body["id"] != p.User(t, ann).ID {
		t.Errorf("%d %v", status, body)
	}
	if status, _ := p.graph(&oauth2.Token{AccessToken: "other"}, me, ""); status != 401 {
		t.Errorf("an unknown token: %d", status)
	}
	p.config.Scopes = []string{"openid"}
	if status, body := p.graph(p.token(ann), me, ""); status != 403 ||
		body["error"].(map[string]any)["code"] != "Authorization_RequestDenied" {
		t.Errorf("without User.Read: %d %v", status, body)
	}
	p.Advance(2 * time.Hour)
	if status, _ := p.graph(token, me, ""); status != 401 {
		t.Errorf("a token of yesterday: %d", status)
	}
}

func TestGraph_challenges_who_has_to_sign_in_again(t *testing.T) {
	p := join(t)
	for name, change := range map[string]func(*entratest.User){
		"challenged": func(u *entratest.User) { u.Challenged = true },
		"disabled":   func(u *entratest.User) { u.Disabled = true },
		"revoked":    nil,
	} {
		before, token := p.User(t, ann), p.token(ann)
		if change == nil {
			p.Revoke(t, ann)
		} else {
			p.ChangeUser(t, ann, change)
		}
		r, err := http.NewRequest(http.MethodGet, p.URL+"/v1.0/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		token.SetAuthHeader(r)
		answer, err := p.Client(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		challenge := answer.Header.Get("WWW-Authenticate")
		if answer.StatusCode != 401 || !strings.Contains(challenge, `claims="`) ||
			!strings.Contains(challenge, `error="insufficient_claims"`) {
			t.Errorf("%s: %s %s", name, answer.Status, challenge)
		}
		p.ChangeUser(t, ann, func(u *entratest.User) { *u = before })
	}
}

func TestGraph_photo(t *testing.T) {
	p := join(t)
	token := p.token(ann)
	const picture = "/v1.0/me/photos/96x96/$value"
	if status, _ := p.graph(token, picture, ""); status != 404 {
		t.Errorf("no photo: %d", status)
	}
	if _, body := p.graph(token, "/v1.0/me/photo", ""); body["width"] != 1.0 {
		t.Errorf("what is told of no photo: %v", body)
	}
	p.ChangeUser(t, ann, func(u *entratest.User) { u.Photo = []byte("jpeg") })
	for _, path := range []string{picture, "/v1.0/me/photo/$value"} {
		if status, _ := p.graph(token, path, ""); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestGraph_userinfo_has_the_sub_of_the_id_token(t *testing.T) {
	p := join(t)
	token := p.token(ann)
	provider, err := oidc.NewProvider(p.ctx, p.Authority(entratest.TenantID))
	if err != nil {
		t.Fatal(err)
	}
	info, err := provider.UserInfo(p.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != p.claims(token)["sub"] || info.Email != "ann@example.com" {
		t.Errorf("%+v", info)
	}
}

func TestGraph_of_old_is_noted(t *testing.T) {
	p := join(t)
	answer, err := p.Client(t).Get("https://graph.windows.net/tenant/users/1/getMemberObjects")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != 404 || p.Count(entratest.Unknown) != 1 {
		t.Errorf("%s, noted %d times", answer.Status, p.Count(entratest.Unknown))
	}
}
