// Package oidc signs people in at providers: Entra ID, any provider of OpenID
// Connect by discovery, and GitHub.
//
// A [Provider] is made from [Options] without a word on the network. [Provider.Start]
// learns in the background what the provider publishes of itself, keeps the last
// that was good, and goes on trying: a provider that is down never stops anything
// but its own sign-ins, which answer [ErrUnavailable]. A sign-in takes two steps,
//
//	to, err := p.AuthURL(ctx, oidc.AuthRequest{...})   // the browser goes there
//	who, err := p.Exchange(ctx, oidc.Callback{...})    // and comes back with a code
//
// and [Provider.Refresh] asks again later whether the account still is what it was.
// All tokens are verified here: signature, issuer, audience, tenant, nonce, times.
// What is published about a person (names, addresses) is for display; who it is says
// [Claims.Subject] alone.
//
// The package keeps no state of a sign-in: state, nonce and verifier, that each is
// used once, and that logout tokens are seen once, are the caller's. So are users,
// groups and sessions.
package oidc

import (
	"crypto/tls"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Kind is what a provider speaks.
type Kind string

// The kinds of providers.
const (
	Entra  Kind = "entra"
	OpenID Kind = "oidc"
	GitHub Kind = "github"
)

// Options describe a provider. Functions in it may be called by many goroutines.
type Options struct {
	// Name is the provider's name in the configuration, for errors and the log.
	Name string
	Type Kind

	// Tenant is the tenant of Entra ID: its GUID or one of its domains. Where people
	// of several tenants sign in it is empty, "organizations" or "common", and
	// Tenants names every one of them, likewise.
	Tenant  string
	Tenants []string
	// Cloud is "global" (also when empty), "usgov", "usgov-dod" or "china".
	// AuthorityHost and GraphURL stand in for its host of sign-in and its Graph. For
	// GitHub they are the host of a GitHub Enterprise Server, and its API when that is
	// not at /api/v3. A host may be written with scheme and port.
	Cloud         string
	AuthorityHost string
	GraphURL      string

	// Issuer is that of a provider of OpenID Connect, exactly as its tokens say it.
	// What it publishes must lie on the issuer's host, its site, or IssuerHosts, whose
	// ports are not compared.
	Issuer      string
	IssuerHosts []string

	// ClientID is ours at the provider. We prove to be it by one of the next three,
	// which are read at each use, so that they can be replaced at any time: a secret;
	// a certificate (private_key_jwt, RFC 7523); a file with a token of an issuer that
	// the provider trusts. With none of them we are a public client, for OpenID only.
	ClientID           string
	Secret             func() (string, error)
	Certificate        func() (*tls.Certificate, error)
	FederatedTokenFile string

	// Scopes are asked for instead of the usual ones of the type.
	Scopes []string
	// GroupsClaim and RolesClaim are the claims that hold them, "groups" and "roles"
	// when empty.
	GroupsClaim string
	RolesClaim  string
	// MFAContext is how the provider names a sign-in with a second factor: an
	// authentication context of Entra ID ("c1"), elsewhere a value of acr.
	MFAContext string
	// Recheck is how often sessions are asked again; 0 is never, and then no refresh
	// token is asked for.
	Recheck time.Duration

	// HTTP is the client for the provider; its redirects and time limit are ours. Nil
	// is one with the system's roots and proxy.
	HTTP *http.Client
	Now  func() time.Time
	Log  *zap.Logger
}

// AuthRequest is one sign-in, before the browser leaves.
type AuthRequest struct {
	// State, Nonce and Verifier are secrets of this sign-in, Verifier 43 to 128
	// characters as in RFC 7636. The browser comes back to RedirectURL.
	State, Nonce, Verifier string
	RedirectURL            string
	// Prompt is "", "login", "none", "consent" or "select_account". LoginHint is what
	// the provider called the account last time.
	Prompt    string
	LoginHint string
	// MFA asks for a second factor, where Options.MFAContext is set.
	MFA bool
}

// Claims is what a provider says of an account.
type Claims struct {
	// Subject is the account's immutable key at the provider: "tenant/object" for Entra
	// ID, the number of a user at GitHub, the sub claim elsewhere.
	Subject string
	Issuer  string
	// Tenant is that of Entra ID, empty elsewhere.
	Tenant string
	// Name is the name to sign in with, Title the one to show. Both may be anybody's,
	// and empty. So may Email, unless EmailVerified; its domain is in lower case.
	Name, Title, Email string
	EmailVerified      bool
	// Groups are the provider's own identifiers: object ids of Entra ID, "org" and
	// "org/team" of GitHub in its spelling. GroupsUnknown says that the provider could
	// not tell them (all): then there are none, and nothing may follow from that.
	Groups        []string
	Roles         []string
	GroupsUnknown bool
	// Scopes are those of an access token, see [Provider.Bearer].
	Scopes []string
	// Guest says that the account is one of another tenant. MFA says that the provider
	// vouches for a second factor.
	Guest, MFA bool
	// AuthTime is when the person last proved who they are; zero is unknown.
	AuthTime time.Time
	// SID is the provider's session, as its logout calls name it. LoginHint is for the
	// next AuthRequest and for LogoutURL.
	SID, LoginHint string
	// Refresh and IDToken are secrets: for Refresh and LogoutURL.
	Refresh, IDToken string
	// Expires is when the token that said all this ends; zero is never.
	Expires time.Time
	// Unchanged is set by Refresh alone: the account still is, but the provider said
	// nothing new of it, and what was known before stays.
	Unchanged bool
}

// LogoutToken is a provider's word that a session or all sessions of an account are
// over (OpenID Connect Back-Channel Logout 1.0).
type LogoutToken struct {
	// Subject is as in Claims. It or SID may be empty, not both.
	Subject, SID string
	// ID is for the caller, who must take each one once. After Expires it cannot come
	// again.
	ID      string
	Expires time.Time
}

// Status is how the sign-in at a provider stands.
type Status struct {
	// Ready says that people can sign in. Error is what is wrong, in words for the
	// operator; while Ready it is about a part: the last refresh, one of the tenants.
	Ready bool
	Error string
	// Since is when Ready or Error last changed.
	Since time.Time
}
