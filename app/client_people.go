package app

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"doorward/auth/audit"
	"doorward/auth/user"
)

func userPath(name string) string { return "/users/" + segment(name) }

// Users lists all users.
func (c Client) Users(ctx context.Context) ([]UserStatus, error) {
	return ask[[]UserStatus](ctx, c, http.MethodGet, "/users", nil)
}

// User tells of one user, by name, e-mail address or ID.
func (c Client) User(ctx context.Context, name string) (UserStatus, error) {
	return ask[UserStatus](ctx, c, http.MethodGet, userPath(name), nil)
}

// AddUser makes a user, and a link by which they choose a password.
func (c Client) AddUser(ctx context.Context, u NewUser) (Invitation, error) {
	return ask[Invitation](ctx, c, http.MethodPost, "/users", u)
}

// InviteUser makes another such link; the one before is good no more.
func (c Client) InviteUser(ctx context.Context, name string) (Invitation, error) {
	return ask[Invitation](ctx, c, http.MethodPost, userPath(name)+"/invitation", nil)
}

// SetUserState makes a user "active" or "disabled", which ends their sessions.
func (c Client) SetUserState(ctx context.Context, name, state string) (UserStatus, error) {
	return ask[UserStatus](ctx, c, http.MethodPost, userPath(name)+"/state", userState{state})
}

// DeleteUser deletes a user with all tokens and sessions.
func (c Client) DeleteUser(ctx context.Context, name string) error {
	_, err := ask[done](ctx, c, http.MethodDelete, userPath(name), nil)
	return err
}

// Groups lists groups with their members.
func (c Client) Groups(ctx context.Context) ([]GroupStatus, error) {
	return ask[[]GroupStatus](ctx, c, http.MethodGet, "/groups", nil)
}

// JoinGroup puts a user into a group, which is made when there is none.
func (c Client) JoinGroup(ctx context.Context, group, name string) (UserStatus, error) {
	return ask[UserStatus](ctx, c, http.MethodPut, memberPath(group, name), nil)
}

// LeaveGroup takes a user out of a group.
func (c Client) LeaveGroup(ctx context.Context, group, name string) (UserStatus, error) {
	return ask[UserStatus](ctx, c, http.MethodDelete, memberPath(group, name), nil)
}

func memberPath(group, name string) string {
	return "/groups/" + segment(group) + "/members/" + segment(name)
}

// Sessions lists the sessions of a user, or for "" of everybody.
func (c Client) Sessions(ctx context.Context, name string) ([]SessionStatus, error) {
	path := "/sessions"
	if name != "" {
		path += "?" + url.Values{"user": {name}}.Encode()
	}
	return ask[[]SessionStatus](ctx, c, http.MethodGet, path, nil)
}

// EndSession ends the session with that ID.
func (c Client) EndSession(ctx context.Context, id string) error {
	_, err := ask[done](ctx, c, http.MethodDelete, "/sessions/"+segment(id), nil)
	return err
}

// EndSessions ends all sessions of a user, and returns how many there were.
func (c Client) EndSessions(ctx context.Context, name string) (int, error) {
	d, err := ask[done](ctx, c, http.MethodDelete, userPath(name)+"/sessions", nil)
	return d.Done, err
}

// Tokens lists the tokens of a user.
func (c Client) Tokens(ctx context.Context, name string) ([]user.Token, error) {
	return ask[[]user.Token](ctx, c, http.MethodGet, userPath(name)+"/tokens", nil)
}

// AddToken makes a token of a user.
func (c Client) AddToken(ctx context.Context, name string, t NewToken) (MadeToken, error) {
	return ask[MadeToken](ctx, c, http.MethodPost, userPath(name)+"/tokens", t)
}

// DeleteToken deletes the token with that ID.
func (c Client) DeleteToken(ctx context.Context, id string) error {
	_, err := ask[done](ctx, c, http.MethodDelete, "/tokens/"+segment(id), nil)
	return err
}

// Events returns the newest events, at most limit, the oldest first.
func (c Client) Events(ctx context.Context, limit int) ([]audit.Event, error) {
	return ask[[]audit.Event](ctx, c, http.MethodGet, "/events?limit="+strconv.Itoa(limit), nil)
}

// Why tells what becomes of a request of a user, "-" being nobody.
func (c Client) Why(ctx context.Context, name, address string) (Why, error) {
	query := url.Values{"user": {name}, "url": {address}}
	return ask[Why](ctx, c, http.MethodGet, "/why?"+query.Encode(), nil)
}
