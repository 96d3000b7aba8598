package page_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorward/auth/page"
)

// noon is when all pages are looked at.
var noon = time.Date(2026, time.March, 12, 12, 0, 0, 0, time.UTC)

const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 " +
		"(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
	edge = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 " +
		"(KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
)

// icon is a picture as a company might have one.
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48">` +
	`<rect width="48" height="48" rx="12" fill="#e8590c"/>` +
	`<path d="M14 32V16h6l4 9 4-9h6v16" fill="none" stroke="#fff" stroke-width="4"/></svg>`

func newPages(t testing.TB, brand page.Brand) *page.Pages {
	t.Helper()
	pages, err := page.New(page.Options{Brand: brand, Now: func() time.Time { return noon },
		Icons: map[string]page.File{"matrix.svg": {Name: "matrix.svg", Data: []byte(icon)}}})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func company() page.Brand {
	return page.Brand{Title: "Example Corp", Links: []page.Link{
		{Title: "Imprint", URL: "https://www.example.com/imprint"},
		{Title: "Privacy", URL: "https://www.example.com/privacy"},
		{Title: "Help", URL: "mailto:help@example.com"},
	}}
}

func ada() *page.Who {
	return &page.Who{Name: "Ada Lovelace", Login: "ada", Email: "ada.lovelace@example.com"}
}

func app() page.App {
	return page.App{Title: "Grafana", URL: "https://grafana.example.com/", Group: "Operations",
		Description: "Dashboards of all services"}
}

func microsoft() page.Provider {
	return page.Provider{Name: "azure-ad", Title: "Microsoft", Type: "entra",
		URL: "/sign_in/with/azure-ad?return=https%3A%2F%2Fgrafana.example.com%2F"}
}

func github() page.Provider {
	return page.Provider{Name: "github", Title: "GitHub", Type: "github", URL: "/sign_in/with/github"}
}

func apps() []page.App {
	return []page.App{
		app(),
		{Title: "Mail", URL: "https://mail.example.com/", Icon: "matrix.svg",
			Description: "Your messages, calendar and contacts"},
		{Title: "Files", URL: "https://files.example.com/", Description: "Documents to share"},
		{Title: "Wiki", URL: "https://wiki.example.com/"},
		{Title: "Time Sheet", URL: "https://time.example.com/", Description: "Hours and holidays"},
		{Title: "Gitea", URL: "https://git.example.com/", Group: "Engineering",
			Description: "Source code and reviews"},
		{Title: "Build Farm", URL: "https://ci.example.com/", Group: "Engineering",
			Description: "Pipelines, artefacts and releases"},
		{Title: "Registry", URL: "https://registry.example.com/", Group: "Engineering"},
		{Title: "Prometheus", URL: "https://prometheus.example.com/", Group: "Operations",
			Description: "Metrics and alerts"},
		{Title: "Portainer", URL: "https://portainer.example.com/", Group: "Operations",
			Description: "Containers on all hosts"},
		{Title: "NetBox", URL: "https://netbox.example.com/", Group: "Operations",
			Description: "Racks, addresses and cables"},
	}
}

// forty are many applications, some with names that nobody planned for.
func forty() []page.App {
	var all []page.App
	for i := range 40 {
		a := page.App{Title: fmt.Sprintf("Application %d", i+1),
			URL: fmt.Sprintf("https://a%d.example.com/", i), Description: "Does its part"}
		switch i % 8 {
		case 3:
			a.Title = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
		case 5:
			a.Description = strings.Repeat("A description that goes on and on. ", 6)
		case 6:
			a.Group = "A group with a rather long name, as departments have them"
		case 7:
			a.Group = "Tools"
		}
		all = append(all, a)
	}
	return all
}

func sessions() []page.Session {
	return []page.Session{
		{ID: "s1", Current: true, Agent: firefox, Client: "192.0.2.17", Provider: "Microsoft",
			MFA: true, Created: noon.Add(-3 * time.Hour), LastSeen: noon, Expires: noon.Add(5 * time.Hour)},
		{ID: "s2", Agent: safari, Client: "2001:db8::1f:2", Created: noon.Add(-26 * time.Hour),
			LastSeen: noon.Add(-42 * time.Minute), Expires: noon.Add(7 * time.Hour)},
		{ID: "s3", Agent: "curl/8.5.0", Client: "198.51.100.4", Provider: "GitHub",
			Created: noon.Add(-300 * time.Hour), LastSeen: noon.Add(-49 * time.Hour)},
	}
}

func area() page.Area { return page.Area{Frame: page.Frame{Who: ada()}} }

func groups() []page.Group {
	return []page.Group{
		{Name: "staff", Title: "Staff", From: []page.GroupSource{
			{Way: page.WayProvider, Provider: "Microsoft"}, {Way: page.WayNamed}}},
		{Name: "admins", From: []page.GroupSource{
			{Way: page.WayRole, Name: "Doorward.Admin", Provider: "Microsoft"},
			{Way: page.WayGroup, Name: "968b4844", Provider: "Microsoft"}}},
		{Name: "engineering", Title: "Engineering", From: []page.GroupSource{
			{Way: page.WayMember}, {Way: page.WayAddress, Name: "ada@example.com"}}},
	}
}

func tokens() page.Tokens {
	return page.Tokens{Area: area(), Tokens: []page.Token{
		{ID: "t1", Title: "Backup script", Routes: []string{"Files", "Gitea"},
			Created: noon.Add(-900 * time.Hour), Expires: noon.Add(900 * time.Hour),
			LastUsed: noon.Add(-2 * time.Hour)},
		{ID: "t2", Title: "Old laptop", Created: noon.Add(-9000 * time.Hour),
			Expires: noon.Add(-time.Hour)},
		{ID: "t3", Title: "Monitoring", Created: noon.Add(-9000 * time.Hour)},
	}, Routes: []page.Choice{{Value: "files", Title: "Files"}, {Value: "gitea", Title: "Gitea"},
		{Value: "grafana", Title: "Grafana", Chosen: true}}}
}

// show is one page in one state.
type show struct {
	name  string
	write func(p *page.Pages, w http.ResponseWriter, r *http.Request)
}

func signIns() map[string]page.SignIn {
	form := func() *page.Form { return &page.Form{Action: "/sign_in?return=x", Forgot: "/forgot"} }
	down := github()
	down.Down = "dial tcp 140.82.112.3:443: connect: no route to host"
	failed := form()
	failed.Login = "ada"
	frame := func(codes ...page.Problem) page.Frame { return page.Frame{Problems: codes} }
	return map[string]page.SignIn{
		"": {To: app(), Form: form(), Providers: []page.Provider{microsoft(), github()},
			Watch: "/whoami", Again: "/sign_in?return=x"},
		"-local":     {Form: form()},
		"-providers": {To: app(), Providers: []page.Provider{microsoft(), github()}},
		"-known": {To: app(), Known: &page.Known{Who: *ada(), Action: "/sign_in?return=x"},
			Providers: []page.Provider{microsoft()}, Form: form()},
		"-wrong": {Form: failed, Frame: frame(page.Problem{Code: page.WrongLogin})},
		"-throttled": {Form: failed, Frame: frame(
			page.Problem{Code: page.Throttled, Wait: 29*time.Second + 1})},
		"-busy": {Form: failed, Frame: frame(page.Problem{Code: page.TooBusy})},
		"-down": {Form: form(), Providers: []page.Provider{microsoft(), down}},
		"-email": {Form: &page.Form{Action: "/sign_in", EmailOnly: true},
			Providers: []page.Provider{microsoft()},
			Frame:     page.Frame{Notice: page.SessionOver}},
		"-none": {},
	}
}

func messages() map[string]page.Message {
	kinds := []page.Kind{page.NotMember, page.WrongNetwork, page.WrongMethod, page.NeedsMFA,
		page.WrongProvider, page.InFrame, page.FormLost, page.Loop, page.ProviderError, page.ProviderDown, page.Pending,
		page.Disabled, page.NoAccount, page.NameCollides, page.Stale, page.BadReturn, page.Foreign,
		page.LinkOver, page.Refused, page.NotFound, page.Busy, page.Failed}
	all := map[string]page.Message{}
	for _, kind := range kinds {
		m := page.Message{Frame: page.Frame{Who: ada()}, Kind: kind, App: app(),
			Provider: "Microsoft", RequestID: "01JQ8Z5K3V", Home: "/"}
		switch kind {
		case page.NotMember:
			m.Rule, m.Missing = "grafana", []string{"Operations", "admins"}
			m.Another = "/sign_in?another=yes"
		case page.ProviderError:
			m.Detail = "access_denied: AADSTS50105: the signed in user is not assigned to a role"
			m.Hint = "Assign the user to the application in Entra ID."
			m.Retry, m.Another = "/sign_in", "/sign_in?another=yes"
		case page.InFrame:
			m.Frame, m.Home, m.Begin = page.Frame{Framed: true}, "", "/sign_in"
		case page.FormLost:
			m.Frame, m.Home, m.Begin = page.Frame{}, "", "/sign_in"
		case page.Busy:
			m.Wait = 12 * time.Second
		}
		all[string(kind)] = m
	}
	framed := all[string(page.NotMember)]
	framed.Frame, framed.Home, framed.Another = page.Frame{Framed: true}, "", ""
	framed.Whole = "https://grafana.example.com/"
	all["framed"] = framed
	cookie := all[string(page.Loop)]
	cookie.Cause, cookie.Who = page.CauseCookie, nil
	all["loop-cookie"] = cookie
	return all
}

// shows are all pages in all states worth looking at.
func shows() []show {
	var all []show
	add := func(name string, write func(p *page.Pages, w http.ResponseWriter, r *http.Request)) {
		all = append(all, show{name, write})
	}
	for name, v := range signIns() {
		add("sign-in"+name, func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.SignIn(w, r, 200, v)
		})
	}
	for name, v := range messages() {
		add("message-"+name, func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.Message(w, r, 200, v)
		})
	}
	who := page.Frame{Who: ada()}
	for name, v := range map[string]page.Portal{
		"":       {Frame: who, Apps: apps()},
		"-forty": {Frame: who, Apps: forty()},
		"-empty": {Frame: who},
		"-found": {Frame: who, Apps: apps(), Query: "operations metrics"},
		"-none":  {Frame: who, Apps: apps(), Query: "zebra"},
	} {
		add("portal"+name, func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.Portal(w, r, 200, v)
		})
	}
	return append(append(all, accountShows()...), smallShows()...)
}

func accountShows() []show {
	problems := func(codes ...page.Code) page.Area {
		a := area()
		for _, c := range codes {
			a.Problems = append(a.Problems, page.Problem{Code: c, Count: 15})
		}
		return a
	}
	done := area()
	done.Notice = page.SessionEnded
	made := tokens()
	made.New = &page.NewToken{Title: "Backup script",
		Secret: "dw_Jx2mPqV7n0sKfZ1uYb8RtLw4Gh6EoCaD3iNyXv5BQkM9Tzq2"}
	few := area()
	few.Without = page.Without{Tokens: true, Password: true, Identities: true}
	identities := page.Identities{Area: area(), Linked: []page.Identity{{Provider: microsoft(),
		Name: "Ada Lovelace", Email: "ada@example.com", Kept: true, Linked: noon.Add(-3000 * time.Hour),
		SignedIn: noon.Add(-3 * time.Hour)}}, Others: []page.Provider{github()}}
	type pages = *page.Pages
	return []show{
		{"account", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Account(w, r, 200, page.Account{Area: area(), EmailVerified: true, Groups: groups(),
				Created: noon.Add(-9000 * time.Hour), SignedIn: noon.Add(-3 * time.Hour)})
		}},
		{"account-few", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Account(w, r, 200, page.Account{Area: few, GroupsUnknown: true})
		}},
		{"sessions", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Sessions(w, r, 200, page.Sessions{Area: area(), Sessions: sessions()})
		}},
		{"sessions-ended", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Sessions(w, r, 200, page.Sessions{Area: done, Sessions: sessions()[:1]})
		}},
		{"tokens", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Tokens(w, r, 200, tokens())
		}},
		{"tokens-new", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Tokens(w, r, 200, made)
		}},
		{"tokens-none", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Tokens(w, r, 200, page.Tokens{Area: problems(page.TitleMissing), MaxDays: 60})
		}},
		{"password", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Password(w, r, 200, page.Password{Area: area(), MinLength: 15})
		}},
		{"password-problems", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Password(w, r, 200, page.Password{Area: problems(page.PasswordShort,
				page.PasswordCommon), MinLength: 15})
		}},
		{"password-must", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Password(w, r, 200, page.Password{Area: area(), MinLength: 15, Must: true,
				Action: "/sign_in/password"})
		}},
		{"password-first", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Password(w, r, 200, page.Password{Area: area(), First: true})
		}},
		{"identities", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Identities(w, r, 200, identities)
		}},
		{"identities-none", func(p pages, w http.ResponseWriter, r *http.Request) {
			down := github()
			down.Down = "no route to host"
			p.Identities(w, r, 200, page.Identities{Area: problems(page.IdentityLast),
				Others: []page.Provider{microsoft(), down}})
		}},
	}
}

func smallShows() []show {
	type pages = *page.Pages
	who := page.Frame{Who: ada()}
	return []show{
		{"sign-out", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.SignOut(w, r, 200, page.SignOut{Frame: who, Provider: "Microsoft", Return: "/"})
		}},
		{"signed-out", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.SignedOut(w, r, 200, page.SignedOut{Provider: "Microsoft"})
		}},
		{"consent", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Consent(w, r, 200, page.Consent{Frame: who, App: app(), Action: "/consent?x=y",
				Text: "What you see here is for staff only.\n\nIt is watched.",
				Tells: []page.Told{page.TellsName, page.TellsEmail, page.TellsGroups,
					page.TellsRoles}})
		}},
		{"setup", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Setup(w, r, 200, page.Setup{Action: "/setup", MinLength: 15})
		}},
		{"setup-wrong", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Setup(w, r, 200, page.Setup{Action: "/setup", MinLength: 15, Name: "ada",
				Code: "secret", Frame: page.Frame{Problems: []page.Problem{
					{Code: page.PasswordShort, Count: 15}, {Code: page.NameTaken}}}})
		}},
		{"setup-invited", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Setup(w, r, 200, page.Setup{Action: "/setup", Invited: true, Code: "secret",
				Email: "ada@example.com"})
		}},
		{"continue", func(p pages, w http.ResponseWriter, r *http.Request) {
			p.Continue(w, r, 200, page.Continue{URL: "/sign_in/with/azure-ad?return=x",
				To: "Microsoft"})
		}},
	}
}

// render is a page as a browser gets it.
func render(t testing.TB, p *page.Pages, s show, query string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", "https://login.example.com/sign_in"+query, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	w := httptest.NewRecorder()
	s.write(p, w, r)
	return w
}
