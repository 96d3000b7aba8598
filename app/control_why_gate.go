package app

import (
	"net/netip"
	"strings"

	"doorward/auth/policy"
	"doorward/auth/user"
	"doorward/config"
)

// opens is what is said of what everybody may open.
const opens = "allowed: nobody has to sign in"

// askGate says what the gate of the route would.
func (q *inquiry) askGate(c *config.Route) error {
	rule, err := accessRule(c)
	if err != nil {
		return err
	}
	q.out.Rule = ruleOf(&c.Access)
	q.asked.Client = q.clientFor(c)
	if reach := rule.Reach(q.asked); reach != policy.Allowed {
		q.out.Access = reach.String()
		q.wantFor(reach, c)
		return nil
	}
	if c.ClientCertificate != nil && c.ClientCertificate.Mode == "require" {
		q.need("a certificate of the client")
	}
	if rule.Open(q.asked) {
		q.out.Access = opens
		return nil
	}
	if q.url.Scheme == "http" {
		q.need("https: over http nobody is signed in")
	}
	if q.view == nil {
		q.out.Access = "asks to sign in"
		return nil
	}
	q.judge(rule, c)
	if q.out.Access != policy.Allowed.String() {
		return nil
	}
	id := q.view.User.ID
	if c.Consent != "" && !q.signIn.directory.Given(id, c.Name, c.Consent) {
		q.out.Access = "asks for consent"
	}
	return q.tellFields(c)
}

// clientFor is where the request comes from. Where that was not told it is a place that
// the rule lets in, and what is needed says so.
func (q *inquiry) clientFor(c *config.Route) netip.Addr {
	if q.client.IsValid() || len(c.Access.Networks.Prefixes) == 0 {
		return q.client
	}
	q.need("a client in " + strings.Join(c.Access.Networks.Entries, " or "))
	return c.Access.Networks.Prefixes[0].Addr()
}

func (q *inquiry) need(what string) { q.out.Needs = append(q.out.Needs, what) }

// judge asks the rule about the user, signed in the way that the user is.
func (q *inquiry) judge(rule *policy.Rule, c *config.Route) {
	w := q.wayFor(rule, c)
	e := rule.Explain(q.view, w.mfa, w.provider, q.asked)
	q.out.As, q.out.By, q.out.Access = w.words, e.By, e.Decision.String()
	q.out.Missing, q.out.MissingRoles = e.Missing, e.MissingRoles
	u := q.view.User
	switch u.State {
	case user.Pending:
		q.out.Access = "waits for approval"
		q.need("approval: doorward user approve " + u.Name)
	case user.Disabled:
		q.out.Access = "disabled"
		q.need("to be enabled: doorward user enable " + u.Name)
	default:
		q.wantFor(e.Decision, c)
	}
	if w.missing != "" {
		q.need(w.missing)
		if q.out.Access == policy.Allowed.String() {
			q.out.Access = "has no way to sign in"
		}
	}
	if q.view.GroupsUnknown && e.By == "" {
		q.need("a provider that can tell all groups")
	}
}

// wantFor is what a decision asks for that groups and roles do not give.
func (q *inquiry) wantFor(d policy.Decision, c *config.Route) {
	switch d {
	case policy.NeedsMFA:
		q.need("a second factor")
	case policy.WrongProvider:
		q.need("a sign-in with " + strings.Join(c.Access.Providers, " or "))
	case policy.WrongMethod:
		q.need("the method " + strings.Join(c.Access.Methods, " or "))
	case policy.WrongNetwork:
		if len(c.Access.Networks.Entries) == 0 {
			q.need("networks that hold somebody: those of the rule are an empty list")
			return
		}
		q.need("a client in " + strings.Join(c.Access.Networks.Entries, " or "))
	}
}

// way is how a user comes in.
type way struct {
	provider string
	mfa      bool
	// words say it to people; missing is what keeps the user from it.
	words, missing string
}

// wayFor is how the user is signed in, and where nobody is how the user would be: of
// several ways the first that the rule takes.
func (q *inquiry) wayFor(rule *policy.Rule, c *config.Route) way {
	ways := q.ways(c)
	for _, w := range ways {
		if rule.Judge(q.view, w.mfa, w.provider, q.asked) == policy.Allowed {
			return w
		}
	}
	return ways[0]
}

// ways are at least one.
func (q *inquiry) ways(c *config.Route) (ways []way) {
	u := q.view.User
	if u.Service {
		w := way{words: "with a token"}
		if !c.Tokens && !c.BasicAuth {
			w.missing = "tokens = true at the route: a service has nothing else"
		}
		return []way{w}
	}
	if sessions := q.signIn.sessions.Of(u.ID); len(sessions) > 0 {
		s := sessions[0]
		w := way{provider: s.Provider(), mfa: s.MFA()}
		w.words = "in the session " + s.ID() + " (" + s.Provider() + ")"
		if s.MFA() {
			w.words += ", with a second factor"
		}
		return []way{w}
	}
	const notYet = ", who has no session now"
	if u.HasPassword && q.cfg.SignIn.LocalUsers {
		ways = append(ways, way{provider: localProvider, words: "by password" + notYet})
	}
	for _, i := range u.Identities {
		if q.signIn.provider(i.Provider) != nil {
			ways = append(ways, way{provider: i.Provider, words: "with " + i.Provider + notYet})
		}
	}
	if len(ways) == 0 {
		ways = []way{{
			words:   "in no way yet",
			missing: "a password, or an account at a provider: doorward user link " + u.Name,
		}}
	}
	return ways
}

// tellFields says what the server would be told.
func (q *inquiry) tellFields(c *config.Route) error {
	head, err := q.identityHead(c)
	if err != nil {
		return err
	}
	fields, err := head.Head(q.view)
	if err != nil {
		q.out.Access = err.Error()
		return nil
	}
	for line := range strings.Lines(string(fields)) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ": ")
		q.out.Fields = append(q.out.Fields, name+": "+shortened(value))
	}
	return nil
}

// shownOfToken is how much of a token is shown: enough to tell that there is one, and
// nothing that a server would take for it.
const shownOfToken = 16

// shortened is a value in which tokens (RFC 7515, section 7.1) are cut off.
func shortened(value string) string {
	words := strings.Split(value, " ")
	for i, w := range words {
		if strings.HasPrefix(w, "ey") && strings.Count(w, ".") == 2 && len(w) > 2*shownOfToken {
			words[i] = w[:shownOfToken] + "..."
		}
	}
	return strings.Join(words, " ")
}
